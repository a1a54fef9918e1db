"""What the pipeline's tests share: a compiler for WGSL, where this machine has one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wgsl_pipeline.validation import Validator, ValidatorUnavailable

LAVAPIPE = Path("/usr/share/vulkan/icd.d/lvp_icd.x86_64.json")  # Mesa's Vulkan on the CPU


@pytest.fixture(scope="session")
def validator() -> Validator:
    """One device for all tests. Without an adapter they are skipped; on CI, which installs one, they fail."""
    if LAVAPIPE.is_file():
        os.environ.setdefault("VK_ICD_FILENAMES", str(LAVAPIPE))
    try:
        return Validator()
    except ValidatorUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(str(error))
        pytest.skip(str(error))


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models this small are slower on two threads than on one."""
    import torch

    torch.set_num_threads(1)
