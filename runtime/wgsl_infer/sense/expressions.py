"""WGSL expressions and types as trees.

Expressions are tuples: ("literal", type, text), ("name", n), ("call", name, template, arguments), ("index", e, i),
("member", e, name), ("unary", operator, e), ("binary", operator, a, b), ("bracket", e). Types are ("type", name,
template).
"""

from __future__ import annotations

import re
from typing import Any

from ..lexemes import is_number, is_word
from ..wgsl_words import KEYWORDS, RESERVED

Tree = tuple[Any, ...]

# the binary operators, loosest first
LEVELS = [row.split() for row in ("||", "&&", "|", "^", "&", "== != < > <= >=", "<< >>", "+ -", "* / %")]
_TEMPLATED = re.compile(r"(vec[234]|mat[234]x[234]|array|ptr|atomic|bitcast|texture_\w+|var)\Z")
_BITWISE = {"|", "^", "&", "<<", ">>"}


class Nonsense(Exception):
    """Raised for code that is no WGSL or whose types do not fit; the message says in a few words why."""


class ExpressionParser:
    """Reads lexemes from left to right; methods take what they name and raise Nonsense if something else is there."""

    def __init__(self, lexemes: list[str]) -> None:
        self.lexemes, self.place = lexemes, 0

    # -- lexemes

    def peek(self, ahead: int = 0) -> str:
        """The lexeme `ahead` of the next one, "" behind the end."""
        place = self.place + ahead
        return self.lexemes[place] if place < len(self.lexemes) else ""

    def take(self, *wanted: str) -> str:
        """The next lexeme, which has to be one of those wanted, if any are."""
        found = self.peek()
        if not found or (wanted and found not in wanted):
            raise Nonsense(f"expected {' or '.join(wanted) or 'more'}, found {found or 'the end'}")
        self.place += 1
        return found

    def skip(self, wanted: str) -> bool:
        """Whether the next lexeme is this one; it is then taken."""
        if self.peek() == wanted:
            self.place += 1
            return True
        return False

    def name(self) -> str:
        """An identifier."""
        found = self.take()
        if not is_word(found) or found in KEYWORDS or found in RESERVED or found == "_":
            raise Nonsense(f"`{found}` is no name")
        return found

    # -- types and expressions

    def type(self) -> Tree:
        """A type with its template list."""
        name = self.name()
        template: list[Tree] = []
        if self.peek() == "<":
            self.take("<")
            while self.peek() != ">":
                template.append(self._template_argument())
                if not self.skip(","):
                    break
            self._close_template()
        return ("type", name, tuple(template))

    def _template_argument(self) -> Tree:
        if self.peek() and is_number(self.peek()):
            return ("size", self.take())
        found = self.type()
        # an array's size may be an expression over constants
        while self.peek() in ("+", "-", "*"):
            self.take()
            self.take()
            found = ("size", "")
        return found

    def _close_template(self) -> None:
        if self.peek() == ">>":
            self.lexemes[self.place : self.place + 1] = [">", ">"]
        self.take(">")

    def expression(self, level: int = 0) -> Tree:
        """An expression whose operators bind at least as tightly as `level`."""
        if level == len(LEVELS):
            return self._unary()
        left = self.expression(level + 1)
        while self.peek() in LEVELS[level]:
            operator = self.take()
            right = self.expression(level + 1)
            for side in (left, right):
                self._check_mixture(operator, side)
            left = ("binary", operator, left, right)
            if level == 5 and self.peek() in LEVELS[5]:
                raise Nonsense("comparisons do not chain")
        return left

    def _check_mixture(self, operator: str, side: Tree) -> None:
        """WGSL wants brackets where bitwise or mixed logical operators meet others."""
        if side[0] != "binary":
            return
        inner = side[1]
        if operator in _BITWISE and (operator in ("<<", ">>") or inner != operator):
            raise Nonsense(f"`{inner}` beside `{operator}` needs brackets")
        if inner in _BITWISE and inner != operator:
            raise Nonsense(f"`{inner}` beside `{operator}` needs brackets")
        if {operator, inner} == {"&&", "||"}:
            raise Nonsense("`&&` beside `||` needs brackets")

    def _unary(self) -> Tree:
        if self.peek() in ("-", "!", "~", "&", "*"):
            operator = self.take()
            return ("unary", operator, self._unary())
        return self._postfix(self._primary())

    def _postfix(self, found: Tree) -> Tree:
        while True:
            if self.skip("["):
                found = ("index", found, self.expression())
                self.take("]")
            elif self.peek() == ".":
                self.take(".")
                member = self.take()
                if not is_word(member):
                    raise Nonsense(f"`{member}` is no member")
                found = ("member", found, member)
            else:
                return found

    def _primary(self) -> Tree:
        if self.skip("("):
            inner = self.expression()
            self.take(")")
            return ("bracket", inner)
        found = self.peek()
        if found and is_number(found):
            self.take()
            return ("literal", literal_type(found), found)
        if found in ("true", "false"):
            self.take()
            return ("literal", "bool", found)
        if _TEMPLATED.match(found) and self.peek(1) == "<":
            kind = self.type()
            return ("call", kind[1], kind[2], self._arguments())
        name = self.name()
        return ("call", name, (), self._arguments()) if self.peek() == "(" else ("name", name)

    def _arguments(self) -> list[Tree]:
        self.take("(")
        out: list[Tree] = []
        while self.peek() != ")":
            out.append(self.expression())
            if not self.skip(","):
                break
        self.take(")")
        return out


def literal_type(text: str) -> str:
    """The type of a numeric literal: abstract unless a suffix decides."""
    if text[:2].lower() == "0x":
        return {"u": "u32", "i": "i32"}.get(text[-1], "int")
    if text[-1] in "iufh":
        return {"i": "i32", "u": "u32", "f": "f32", "h": "f16"}[text[-1]]
    return "float" if re.search(r"[.eE]", text) else "int"
