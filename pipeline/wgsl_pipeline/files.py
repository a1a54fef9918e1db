"""Files that appear whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .errors import ArtefactError


def write_text(path: Path, text: str) -> None:
    """Write a text file under a temporary name beside it and rename it into place."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Write a value as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, hint: str) -> dict[str, Any]:
    """Read a JSON object an earlier stage wrote.

    Raises:
        ArtefactError: the file is missing or damaged; `hint` says which command writes it.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(f"{path}: missing ({error.strerror}): {hint}") from error
    except ValueError as error:
        raise ArtefactError(f"{path}: damaged ({error}): {hint}") from error
    if not isinstance(value, dict):
        raise ArtefactError(f"{path}: damaged (no JSON object): {hint}")
    return value


@contextmanager
def replaced_folder(folder: Path) -> Iterator[Path]:
    """A fresh folder to fill; it takes the place of `folder` when the block ends well and vanishes when it does not."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    fresh = folder.with_name(f".{folder.name}.new-{os.getpid()}")
    old = folder.with_name(f".{folder.name}.old-{os.getpid()}")
    _remove(folder.parent.glob(f".{folder.name}.new-*"))  # of processes that were killed
    fresh.mkdir()
    try:
        yield fresh
        for path in fresh.rglob("*"):
            if path.is_file():
                path.chmod(0o644)  # some writers make files that only their owner can read
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
        _remove(folder.parent.glob(f".{folder.name}.old-*"))
    finally:
        _remove([fresh])


def _remove(folders: Iterable[Path]) -> None:
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
