"""A prompt cut into pieces: words, numbers, percentages, hexadecimal values, operators and punctuation.

What WGSL writers type decides the cuts: `2d` and `3x3` are words, `8x6` is two numbers, `0..1` a range, `40%` a
percentage but `10 % 3` a remainder, `3u` a number and its suffix, `1.` a number in a list but the end of a sentence
elsewhere.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Piece(NamedTuple):
    """One piece of a prompt: its kind (word, number, percent, hex or sign) and its text as typed."""

    kind: str
    text: str


_TYPOGRAPHY = str.maketrans(
    {"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "…": "...", "\u00a0": " "}
)

_PIECE = re.compile(
    r"""
      (?P<hex>\#[0-9a-fA-F]{3,8}\b | 0[xX][0-9a-fA-F]+(?=[ui]?\b))
    | (?P<percent>(?:\d+\.\d+|\.\d+|\d+)%(?![\w(]))
    | (?P<dimension>[1-4][dD]\b | [2-4]x[2-4]\b)
    | (?P<number>(?:\d+\.\d+|(?<![\w.])\.\d+|\d+\.(?=[,)\]])|\d+)(?:[eE][+-]?\d{1,2}\b)?)
    | (?P<by>(?<=\d)[xX](?=\d))
    | (?P<word>[^\W\d]\w*|'(?:s|re|ll|ve|d|m|t)\b)
    | (?P<sign>\*\*|\.\.\.?|->|=>|<=|>=|==|!=|&&|\|\||<<|>>|\+\+|--|[-+*/]=|\S)
    """,
    re.VERBOSE,
)
# "hex ff8800", "hex code 0af", "color 1e90ff": without a letter and a digit behind "color" it may be anything else
_BARE_HEX = re.compile(
    r"""
      \b(?P<hex>(?i:hex(?:adecimal)?)(?:\s+(?i:colou?r|code|value))?[:\s]\s*)
        (?=[\da-fA-F]{6}\b | [\da-fA-F]{8}\b | (?=\w*\d|([a-fA-F])\2\2)[\da-fA-F]{3}\b(?<!\d\d\d))
    | \b(?P<color>(?i:colou?r)(?:\s+(?i:code))?[:\s]\s*)(?=[a-fA-F]*\d)(?=\d*[a-fA-F])(?=[\da-fA-F]{6}\b)
    """,
    re.VERBOSE,
)
_KIND = {"dimension": "word", "by": "word"}
_COMPOUND = re.compile(r"[a-z][A-Z]|_\w|\d")
_PART = re.compile(r"[1-4][dD](?![a-z])|[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def is_compound(name: str) -> bool:
    """Whether a name was put together by somebody who writes code, as `lightDir`, `sun_dir` and `n0` are."""
    return bool(_COMPOUND.search(name))


def parts(name: str) -> list[str]:
    """The words of two letters or more in a compound name, in lower case; none of a name that is no compound."""
    found = [part.lower() for part in _PART.findall(name) if len(part) > 1] if is_compound(name) else []
    return ["normal" if part == "norm" else part for part in found]  # `norm` alone is short for `normalize`


def with_hashes(prompt: str) -> str:
    """The prompt with a `#` before each color that was typed in hexadecimal digits alone."""
    return _BARE_HEX.sub(lambda match: f"{match.group()}#", prompt)


def pieces(prompt: str) -> list[Piece]:
    """The pieces of a prompt, in order. White space separates and is not kept."""
    out = []
    for match in _PIECE.finditer(prompt.translate(_TYPOGRAPHY)):
        group = match.lastgroup or "sign"
        out.append(Piece(_KIND.get(group, group), match.group()))
    return out
