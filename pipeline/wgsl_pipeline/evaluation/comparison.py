"""Do two pieces of WGSL say the same, letter by letter, and where they do not, in what do they differ?"""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from wgsl_infer.errors import TokenizerError
from wgsl_infer.lexemes import is_number, is_word, split
from wgsl_infer.wgsl_words import KEYWORDS, TYPES

Lexemes = tuple[str, ...]

# Kinds of fault, in the order in which they are looked for.
NO_ANSWER, NOT_REFUSED, NOT_WGSL = "no answer", "should have no answer", "not WGSL"
WRONG_FUNCTION, WRONG_OPERAND, OTHER = "wrong function", "wrong operand", "other"
FAULTS = (NO_ANSWER, NOT_REFUSED, NOT_WGSL, WRONG_FUNCTION, WRONG_OPERAND, OTHER)

_SHORT_TYPE = re.compile(r"(vec[234]|mat[234]x[234])([fiuh])")
_COMPONENT = {"f": "f32", "i": "i32", "u": "u32", "h": "f16"}
_HEXADECIMAL = re.compile(r"0[xX]")
_OPERATOR = re.compile(r"[-+*/%&|^!~<>=]+")


def comparable(code: str) -> Lexemes:
    """The lexemes of WGSL under one spelling.

    Layout and comments, the spelling of numbers (`1.`, `1.00`), short names of types (`vec3f`), trailing commas and a
    final semicolon make no difference.
    """
    try:
        found = split(code)
    except TokenizerError:
        return (code,)
    out: list[str] = []
    for lexeme in found:
        if lexeme in (")", "]", "}", ">") and out and out[-1] == ",":
            out.pop()
        if short := _SHORT_TYPE.fullmatch(lexeme):
            out += [short[1], "<", _COMPONENT[short[2]], ">"]
        else:
            out.append(_number(lexeme) if is_number(lexeme) else lexeme)
    while out and out[-1] == ";":
        out.pop()
    return tuple(out)


def _number(literal: str) -> str:
    if _HEXADECIMAL.match(literal):
        return literal.lower()
    body = literal.rstrip("iufh")
    suffix = literal[len(body) :]
    is_float = suffix in ("f", "h") or any(c in body for c in ".eE")
    return (repr(float(body)) if is_float else str(int(body))) + suffix


@dataclass(frozen=True)
class Function:
    """The head of a function: types are spelled in full and without spaces."""

    name: str
    parameters: tuple[str, ...]
    result: str  # empty if it returns nothing


def functions(code: str) -> list[Function]:
    """The functions that some WGSL declares, in order."""
    lexemes = comparable(code)
    heads = []
    for k, lexeme in enumerate(lexemes[:-2]):
        if lexeme == "fn" and lexemes[k + 2] == "(":
            end = _closing(lexemes, k + 2)
            rows = _at_commas(lexemes[k + 3 : end])
            parameters = tuple("".join(row[row.index(":") + 1 :]) for row in rows if ":" in row)
            heads.append(Function(lexemes[k + 1], parameters, _result(lexemes, end + 1)))
    return heads


def _closing(lexemes: Lexemes, opening: int) -> int:
    """Where the bracket at `opening` is closed; the end of the code if nowhere."""
    depth = 0
    for k in range(opening, len(lexemes)):
        depth += (lexemes[k] in ("(", "[")) - (lexemes[k] in (")", "]"))
        if depth == 0:
            return k
    return len(lexemes)


def _at_commas(lexemes: Lexemes) -> list[Lexemes]:
    """The lexemes between the commas that stand in no bracket."""
    rows: list[list[str]] = [[]]
    depth = 0
    for lexeme in lexemes:
        depth += (lexeme in ("(", "[", "<")) - (lexeme in (")", "]", ">"))
        if lexeme == "," and depth == 0:
            rows.append([])
        else:
            rows[-1].append(lexeme)
    return [tuple(row) for row in rows]


def _result(lexemes: Lexemes, start: int) -> str:
    end = next((k for k in range(start, len(lexemes)) if lexemes[k] == "{"), start)
    head = lexemes[start:end]
    return "".join(head[1:]) if head[:1] == ("->",) else ""


def fault(wanted: str | None, got: str | None, valid: bool | None) -> str:
    """In what a wrong answer differs from the one wanted, one of FAULTS; None is no answer.

    Args:
        valid: whether the answer compiles, None if nobody knows.
    """
    if got is None:
        return NO_ANSWER
    if wanted is None:
        return NOT_REFUSED
    if valid is False:
        return NOT_WGSL
    ours, theirs = _fold_signs(comparable(got)), _fold_signs(comparable(wanted))
    if Counter(_done(ours)) != Counter(_done(theirs)):
        return WRONG_FUNCTION
    return WRONG_OPERAND if _shape(ours) == _shape(theirs) else OTHER


def _fold_signs(lexemes: Lexemes) -> Lexemes:
    """A minus in front of a literal becomes part of it: `clamp(x, -1.0, 1.0)` calls the same function as `0.0, 1.0`."""
    out: list[str] = []
    for lexeme in lexemes:
        if is_number(lexeme) and out[-1:] == ["-"] and out[-2:-1] in ([], ["("], [","], ["="], ["["]):
            out.pop()
        out.append(lexeme)
    return tuple(out)


def _done(lexemes: Lexemes) -> list[str]:
    """The functions that are called and the operators."""
    calls = [a for a, b in itertools.pairwise(lexemes) if b == "(" and is_word(a) and a not in KEYWORDS]
    return calls + [lexeme for lexeme in lexemes if _OPERATOR.fullmatch(lexeme)]


def _shape(lexemes: Lexemes) -> Sequence[str]:
    """The lexemes with names and numbers, those of functions and types aside, all alike."""
    following = [*lexemes[1:], ""]
    return [
        "_" if is_number(a) or (is_word(a) and b != "(" and a not in KEYWORDS | TYPES) else a
        for a, b in zip(lexemes, following, strict=True)
    ]
