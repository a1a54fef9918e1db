"""Code of any other language as lexemes, white space included, for corpora whose answers are not WGSL.

A blank between two words and no blank around punctuation go without saying; every other white space is a lexeme of its
own, and `JOIN` stands between two words written without a blank. So the text comes back exactly, except for white
space at its two ends.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

JOIN = "<join>"

_PIECE = re.compile(r"\n[ \t]*|[ \t]+|\s|\d+(?:\.\d+)?|[^\W\d]\w*|\S")


def split_plain(code: str) -> list[str]:
    """Lexemes of `code`, white space among them where it is not the usual one."""
    lexemes: list[str] = []
    before = ""
    for piece in _PIECE.findall(code.strip()):
        if before and _usual_blank(before, piece):
            lexemes.append(JOIN)
        lexemes.append(piece)
        before = piece
    return _drop_usual_blanks(lexemes)


def layout_plain(lexemes: Sequence[str]) -> str:
    """The text of `lexemes`. `layout_plain(split_plain(code)) == code.strip()` for every text."""
    out: list[str] = []
    before = ""
    for lexeme in lexemes:
        if lexeme == JOIN:
            before = ""
            continue
        if before and _usual_blank(before, lexeme):
            out.append(" ")
        out.append(lexeme)
        before = lexeme
    return "".join(out)


def _drop_usual_blanks(lexemes: list[str]) -> list[str]:
    kept = []
    for k, lexeme in enumerate(lexemes):
        between = 0 < k < len(lexemes) - 1
        if lexeme == " " and between and _usual_blank(lexemes[k - 1], lexemes[k + 1]):
            continue
        kept.append(lexeme)
    return kept


def _usual_blank(before: str, after: str) -> bool:
    return (before[-1].isalnum() or before[-1] == "_") and (after[0].isalnum() or after[0] == "_")
