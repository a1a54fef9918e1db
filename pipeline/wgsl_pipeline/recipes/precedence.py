"""Code put into the holes of other code, in brackets where the operators around it need them."""

from __future__ import annotations

import re

from wgsl_infer.sense.expressions import LEVELS
from wgsl_infer.sense.syntax import parse

_BINARY = {operator: level for level, row in enumerate(LEVELS) for operator in row}
_ADDITIVE, _MULTIPLICATIVE, _SHIFT, _EQUALITY = (_BINARY[operator] for operator in ("+", "*", "<<", "=="))
_UNARY = len(LEVELS)
PRIMARY = _UNARY + 1
_BEFORE = re.compile(r"(\|\||&&|[=!<>]=|<<|>>|[-+*/%|^&<>!~])\s*\Z")
_AFTER = re.compile(r"\s*(\|\||&&|[=!<>]=|<<|>>|->|[-+*/%|^&<>.\[])")


def level(code: str) -> int:
    """How tightly the loosest operator outside all brackets of an expression binds; PRIMARY if there is none.

    Raises:
        Nonsense: it is no expression.
    """
    ((_, tree),) = parse(code)
    if tree[0] == "binary":
        return _BINARY[tree[1]]
    return _UNARY if tree[0] == "unary" else PRIMARY


def embed(inner: str, before: str, after: str) -> str:
    """`inner` as it has to be written between these pieces of code."""
    left, right = _BEFORE.search(before), _AFTER.match(after)
    own = level(inner)
    if own == PRIMARY or (left is None and right is None):
        return inner
    if right and right[1] in (".", "["):
        return f"({inner})"
    return f"({inner})" if _clashes(own, left, before, inner) or _clashes_right(own, right) else inner


def _clashes(own: int, left: re.Match[str] | None, before: str, inner: str) -> bool:
    if left is None or left[1] == "->":
        return False
    start = before[: left.start()].rstrip()
    unary = left[1] in "!~" or (left[1] in ("-", "&", "*") and (not start or start[-1] in "(,=<>+-*/%{;"))
    if unary or start.endswith("return"):
        return unary and own < PRIMARY
    outer = _BINARY[left[1]]
    if own == outer and own in (_ADDITIVE, _MULTIPLICATIVE):
        # x * (y * z) may lose its brackets, x - (y + z) may not
        return left[1] in "-/%" or (left[1] == "*" and ("/" in inner or "%" in inner))
    if own == _UNARY:
        return inner.startswith("-") and left[1] in "+-"
    return _must_be_bracketed(own, outer)


def _clashes_right(own: int, right: re.Match[str] | None) -> bool:
    if right is None or right[1] == "->" or own == _UNARY:
        return False
    outer = _BINARY[right[1]]
    return _must_be_bracketed(own, outer) and not own == outer >= _ADDITIVE


def _must_be_bracketed(own: int, outer: int) -> bool:
    """Whether a binary expression needs brackets beside another operator: below arithmetic WGSL wants them in nearly
    every mixture, and where it does not they help the reader.
    """
    if own == _EQUALITY and outer in (_BINARY["&&"], _BINARY["||"]):
        return False
    return own < outer or own < _ADDITIVE or _BINARY["&&"] < outer < _EQUALITY or outer == _SHIFT
