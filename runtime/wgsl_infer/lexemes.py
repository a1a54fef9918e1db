"""WGSL as a sequence of lexemes: the language's own tokens, without comments and white space.

`<` and `>` that open and close a template list are lexemes of one character, as are the comparison operators;
`>=`, `>>` and `>>=` are single lexemes only where they are operators, so `array<vec4<f32>>` ends in two `>`.
Which of the two a bracket is follows the template list discovery of the WGSL specification (section 3.9).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import TokenizerError

_RAW = re.compile(
    r"""
      (?P<space>\s+|//[^\n]*)
    | (?P<comment>/\*)
    | (?P<lexeme>
        0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)(?:[pP][+-]?\d+[fh]?)?[iu]?
      | (?:\d+\.\d*|\.\d+|\d+)(?:[eE][+-]?\d+)?[iufh]?
      | [^\W\d]\w*
      | <<=|<<|<=|->|&&|\|\||\+\+|--|==|!=|[-+*/%&|^]=
      | \S
      )
    """,
    re.VERBOSE,
)
_COMMENT_EDGE = re.compile(r"/\*|\*/")
_WORD = re.compile(r"[^\W\d]\w*\Z")


def is_word(lexeme: str) -> bool:
    """Whether a lexeme is spelled like an identifier (keywords included)."""
    return _WORD.match(lexeme) is not None


def is_number(lexeme: str) -> bool:
    """Whether a lexeme is a numeric literal."""
    return lexeme[0].isdigit() or (len(lexeme) > 1 and lexeme[0] == "." and lexeme[1].isdigit())


def split(code: str) -> list[str]:
    """Lexemes of `code`, in order.

    Characters outside the language come back as lexemes of their own, so nothing but layout and comments is lost.

    Raises:
        TokenizerError: a block comment is never closed.
    """
    raw, spans, position = [], [], 0
    while match := _RAW.match(code, position):
        position = match.end()
        if match["comment"]:
            position = _skip_comment(code, position)
        elif match["lexeme"]:
            raw.append(match["lexeme"])
            spans.append(match.start())
    return _join_operators(raw, spans)


def _skip_comment(code: str, position: int) -> int:
    depth = 1
    while depth:
        edge = _COMMENT_EDGE.search(code, position)
        if edge is None:
            raise TokenizerError("a block comment is never closed")
        depth += 1 if edge.group() == "/*" else -1
        position = edge.end()
    return position


def _join_operators(raw: list[str], spans: list[int]) -> list[str]:
    """Join `>` with the `>` and `=` written right behind it, unless it closes a template list."""
    templates = template_brackets(raw, spans)
    lexemes: list[str] = []
    k = 0
    while k < len(raw):
        operator = raw[k]
        if operator == ">" and k not in templates:
            while (
                k + 1 < len(raw)
                and raw[k + 1] in (">", "=")
                and spans[k + 1] == spans[k] + 1
                and k + 1 not in templates
                and operator in (">", ">>")
            ):
                k += 1
                operator += raw[k]
        lexemes.append(operator)
        k += 1
    return lexemes


def template_brackets(lexemes: Sequence[str], spans: Sequence[int] | None = None) -> set[int]:
    """Indices of the `<` and `>` in `lexemes` that enclose a template list.

    `spans` holds where each lexeme starts in the text, for raw lexemes in which `>=` still stands as `>` and `=`.
    """
    found: set[int] = set()
    pending: list[tuple[int, int]] = []
    depth = 0
    for k, lexeme in enumerate(lexemes):
        if lexeme == "<" and k and is_word(lexemes[k - 1]):
            pending.append((k, depth))
        elif lexeme == ">":
            if pending and pending[-1][1] == depth:
                found |= {pending.pop()[0], k}
        elif lexeme in ("(", "["):
            depth += 1
        elif lexeme in (")", "]"):
            while pending and pending[-1][1] >= depth:
                pending.pop()
            depth = max(0, depth - 1)
        elif (lexeme == "=" and not _ends_comparison(lexemes, spans, k, found)) or lexeme in (";", "{", ":"):
            pending.clear()
            depth = 0
        elif lexeme in ("&&", "||"):
            while pending and pending[-1][1] >= depth:
                pending.pop()
    return found


def _ends_comparison(lexemes: Sequence[str], spans: Sequence[int] | None, k: int, found: set[int]) -> bool:
    """Whether the `=` at `k` is the second half of a `>=` that is still in two pieces."""
    return spans is not None and k > 0 and lexemes[k - 1] == ">" and spans[k] == spans[k - 1] + 1 and k - 1 not in found
