"""What the pipeline's tests share: a finished run."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from builders import succeed, write_config


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
