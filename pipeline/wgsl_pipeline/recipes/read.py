"""Recipe files read from disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..corpus import corpus_files, parse_toml, read_blocks
from ..errors import CorpusError
from .grammar import Cookbook, gather


def read_cookbook(path: Path) -> Cookbook:
    """All recipes of a file or folder.

    Raises:
        CorpusError: a file cannot be read or a recipe is wrong; the message has a line for every fault.
    """
    book, faults = gather(_tables(path))
    if faults:
        raise CorpusError("\n".join(faults))
    if not book.recipes:
        raise CorpusError(f"{path}: holds no recipe")
    return book


def _tables(path: Path) -> Iterator[tuple[Path, int, dict[str, Any], str]]:
    for file in corpus_files(path):
        category = ""
        for line, block in read_blocks(file, "recipes"):
            table = parse_toml(file, line, block)
            if unknown := set(table) - {"recipes", "choices", "openers", "category"}:
                raise CorpusError(f"{file}:{line}: unknown key {sorted(unknown)[0]} among the recipes")
            category = table.get("category", category)
            yield file, line, table, category
