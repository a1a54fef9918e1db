"""What all tests share: a compiler for WGSL, where this machine has one."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from wgsl_infer.validation import Validator, ValidatorUnavailable

LAVAPIPE = Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json")  # Mesa's Vulkan on the CPU


@pytest.fixture(scope="session")
def validator() -> Validator:
    """One device for all tests. Without an adapter they are skipped; on CI, where wgpu is installed, they fail."""
    if LAVAPIPE.is_file():
        os.environ.setdefault("VK_ICD_FILENAMES", str(LAVAPIPE))
    try:
        return Validator()
    except ValidatorUnavailable as error:
        if os.environ.get("CI") and importlib.util.find_spec("wgpu"):
            pytest.fail(str(error))
        pytest.skip(str(error))
