"""What the pipeline's tests share: a compiler for WGSL, where this machine has one, and a finished run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from builders import succeed, write_config
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


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all stages have run. Not to be changed: copy it with `ready`."""
    folder = tmp_path_factory.mktemp("finished")
    succeed("run", "--config", write_config(folder))
    return folder


@pytest.fixture
def ready(finished: Path, tmp_path: Path) -> Path:
    """The configuration of a copy of it that a test may change."""
    shutil.copytree(finished / "small", tmp_path / "small")
    text = (finished / "small.toml").read_text(encoding="utf-8")
    path = tmp_path / "small.toml"
    path.write_text(text.replace(f"'{finished / 'small'}'", f"'{tmp_path / 'small'}'"), encoding="utf-8")
    return path
