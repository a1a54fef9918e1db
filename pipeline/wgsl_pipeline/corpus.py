"""The corpus: `[[examples]]` of a prompt and its code, read one by one from TOML files of any size.

category = "vectors"                     # optional, for all examples of the file

[[examples]]
natural_language = "normalize a vector"
wgsl_code = "normalize(v)"
category = "vectors"                     # optional
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import CorpusError

_KEYS = {"natural_language", "wgsl_code", "category"}
# what may open a string of several lines, and what hides the quotes that do: a string of one line, or a remark
_QUOTES = re.compile(r"""\"{3}|'{3}|"(?:\\.|[^"\\])*"|'[^']*'|\#.*""")
_CLOSING = {'"""': re.compile(r'(?:\\.|[^\\])*?"{3,5}', re.DOTALL), "'''": re.compile(r".*?'{3,5}", re.DOTALL)}
_PLACE = re.compile(r" ?\(at line (\d+), column (\d+)\)| ?\(at end of document\)")


@dataclass(frozen=True)
class Example:
    """One pair, and where it stands."""

    prompt: str
    code: str
    category: str
    file: Path
    line: int


def corpus_files(path: Path) -> list[Path]:
    """The TOML files of a corpus: the file itself, or all below a folder in order of their names.

    Raises:
        CorpusError: there is none.
    """
    if path.is_dir():
        files = sorted(path.rglob("*.toml"))
        if not files:
            raise CorpusError(f"{path}: holds no TOML file")
        return files
    if not path.is_file():
        raise CorpusError(f"{path}: no such corpus")
    return [path]


def read_examples(file: Path) -> Iterator[Example]:
    """The examples of one file in order, one in memory at a time.

    Raises:
        CorpusError: the file is not TOML of this form; the message names the line.
    """
    category = ""
    for line, block in read_blocks(file, "examples"):
        table = parse_toml(file, line, block)
        examples = table.pop("examples", [])
        if not isinstance(examples, list) or not all(isinstance(row, dict) for row in examples):
            raise CorpusError(f"{file}:{line}: examples is no list of tables; each begins with [[examples]]")
        if table:
            category = _file_category(file, line, table)
        for row in examples:
            yield _example(file, line, row, category)


def read_blocks(file: Path, table: str) -> Iterator[tuple[int, str]]:
    """The head of a file, then the text from each `[[table]]` to the next, with the number of its first line.

    Raises:
        CorpusError: the file cannot be read.
    """
    header = re.compile(rf"\s*\[\[\s*{table}\s*\]\]\s*(#.*)?\s*")
    block: list[str] = []
    start = 1
    quotes = ""
    try:
        with file.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, 1):
                # a header inside a multi-line string, where quotes are still open, is code
                if not quotes and header.fullmatch(line):
                    yield start, "".join(block)
                    block, start = [], number
                block.append(line)
                if quotes or "'''" in line or '"""' in line:
                    quotes = _open_quotes(line, quotes)
    except OSError as error:
        raise CorpusError(f"{file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise CorpusError(f"{file}: not UTF-8 text ({error.reason})") from error
    yield start, "".join(block)


def _open_quotes(line: str, quotes: str) -> str:
    """The three quotes that are still open behind a line, or none; `quotes` were open before it."""
    place = 0
    while found := _CLOSING[quotes].match(line, place) if quotes else _QUOTES.search(line, place):
        quotes = "" if quotes or found.group() not in _CLOSING else found.group()
        place = found.end()
    return quotes


def parse_toml(file: Path, line: int, block: str) -> dict[str, Any]:
    """The tables of a block that begins at this line.

    Raises:
        CorpusError: it is not TOML.
    """
    try:
        return tomllib.loads(block)
    except tomllib.TOMLDecodeError as error:
        place = _PLACE.search(str(error))
        at = line + int(place[1]) - 1 if place and place[1] else line
        raise CorpusError(f"{file}:{at}: not TOML: {_PLACE.sub('', str(error))}") from error


def _file_category(file: Path, line: int, table: dict[str, Any]) -> str:
    unknown = set(table) - {"category"}
    if unknown:
        raise CorpusError(
            f"{file}:{line}: unknown key {sorted(unknown)[0]}; a corpus holds [[examples]] and a category"
        )
    category = table.get("category", "")
    if not isinstance(category, str):
        raise CorpusError(f"{file}:{line}: category is not a string")
    return category


def _example(file: Path, line: int, row: dict[str, Any], category: str) -> Example:
    unknown = set(row) - _KEYS
    if unknown:
        raise CorpusError(f"{file}:{line}: unknown key {sorted(unknown)[0]}; there are {', '.join(sorted(_KEYS))}")
    values = {key: row.get(key, category if key == "category" else "") for key in _KEYS}
    for key, value in values.items():
        if not isinstance(value, str):
            raise CorpusError(f"{file}:{line}: {key} is not a string")
    prompt, code = values["natural_language"].strip(), values["wgsl_code"].strip()
    if not prompt or not code:
        raise CorpusError(f"{file}:{line}: natural_language and wgsl_code are both needed")
    if "\n" in prompt:
        raise CorpusError(f"{file}:{line}: natural_language has more than one line")
    return Example(prompt, code, values["category"], file, line)
