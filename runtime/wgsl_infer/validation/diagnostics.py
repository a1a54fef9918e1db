"""What naga says about a module, told about the code that the module was made for."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass

_SOURCE_LINE = re.compile(r"\s*(\d+) │ (?P<text>.*)")


@dataclass(frozen=True)
class Diagnostic:
    """Why code does not compile.

    Attributes:
        message: one line.
        offset: of the first character that the message is about; None where it is about no place in the code.
        length: characters from there on.
    """

    message: str
    offset: int | None = None
    length: int = 1

    def place(self, code: str) -> tuple[int, int] | None:
        """Line and column, both counted from 1."""
        if self.offset is None:
            return None
        before = code[: self.offset]
        return before.count("\n") + 1, self.offset - (before.rfind("\n") + 1) + 1

    def shown(self, code: str, name: str) -> str:
        """The message behind the name of its source, the line, and carets below what is wrong."""
        place = self.place(code)
        if place is None:
            return f"{name}: {self.message}"
        line, column = place
        text = code.splitlines()[line - 1] if code.splitlines()[line - 1 :] else ""
        carets = "^" * max(1, min(self.length, len(text) - column + 1))
        gutter = " " * len(str(line))
        # tabs stay, so that the carets stand where the text does
        margin = re.sub(r"[^\t]", " ", text[: column - 1])
        return f"{name}:{line}:{column}: {self.message}\n {line} | {text}\n {gutter} | {margin}{carets}"


def read_report(report: str, module: str, pieces: Sequence[tuple[str, int]]) -> Diagnostic:
    """A report of naga about a module as a diagnostic of the code in it.

    Args:
        pieces: texts of the code in the order in which they stand in the module, with their offsets in the code.
    """
    spot = _first_caret(report, module)
    found = None if spot is None else _in_code(spot[0], module, pieces)
    return Diagnostic(one_line(report), found, spot[1] if spot else 1)


def one_line(report: str) -> str:
    """The sentence of a naga report that names the fault."""
    if parsing := re.search(r"parsing error: (.*)", report):
        caret = re.search(r"\^ ([^^\n]+)$", report, re.M)
        return parsing[1] + (f" ({caret[1]})" if caret and caret[1] not in parsing[1] else "")
    return [line.strip() for line in report.splitlines() if line.strip()][-1]


def _first_caret(report: str, module: str) -> tuple[int, int] | None:
    """Offset in the module and length of the first run of carets."""
    lines = module.splitlines(keepends=True)
    rows = report.splitlines()
    for row, below in itertools.pairwise(rows):
        source = _SOURCE_LINE.match(row)
        if source is None or not 0 < int(source[1]) <= len(lines):
            continue
        text = lines[int(source[1]) - 1].rstrip("\n")
        indent = len(row) - len(text) if row.endswith(text) else source.start("text")
        carets = re.search(r"(?<!─)\^+", below)  # `╰─^` ends what began lines ago
        if carets and 0 <= carets.start() - indent < max(1, len(text)):
            return sum(map(len, lines[: int(source[1]) - 1])) + carets.start() - indent, len(carets[0])
    return None


def _in_code(offset: int, module: str, pieces: Sequence[tuple[str, int]]) -> int | None:
    begin = 0
    for text, origin in pieces:
        begin = module.find(text, begin)
        if begin < 0:
            return None
        if begin <= offset < begin + len(text):
            return origin + offset - begin
        begin += len(text)
    return None
