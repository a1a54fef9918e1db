"""WGSL as trees: statements and declarations, as far as answers use them.

They are tuples whose first entry says what they are; see the methods that make them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..lexemes import split
from .expressions import ExpressionParser, Nonsense, Tree

_ASSIGNMENTS = {"=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^=", "<<=", ">>="}


def parse(code: str | Sequence[str]) -> list[Tree]:
    """Declarations and statements, or one ("value", expression).

    Raises:
        Nonsense: it is not WGSL.
    """
    parser = _Parser(split(code) if isinstance(code, str) else list(code))
    if not {";", "{"} & set(parser.lexemes):
        tree = parser.expression()
        if parser.place < len(parser.lexemes):
            raise Nonsense(f"`{parser.peek()}` behind the expression")
        return [("value", tree)]
    out = []
    while parser.place < len(parser.lexemes):
        out.append(parser.item())
    return out


class _Parser(ExpressionParser):
    def __init__(self, lexemes: list[str]) -> None:
        super().__init__(lexemes)
        self._bindings: set[tuple[str, ...]] = set()

    # -- statements

    def block(self) -> list[Tree]:
        self.take("{")
        out = []
        while self.peek() != "}":
            out.append(self.statement())
        self.take("}")
        return out

    def statement(self) -> Tree:
        word = self.peek()
        special: dict[str, Callable[[], Tree]] = {
            "if": self._if, "for": self._for, "while": self._while, "loop": self._loop, "switch": self._switch,
            "return": self._return, "{": lambda: ("block", self.block()),
        }  # fmt: skip
        if word in special:
            return special[word]()
        if word in ("break", "continue", "discard"):
            self.take()
            condition = self.expression() if word == "break" and self.skip("if") else None
            self.take(";")
            return ("jump", word, condition)
        if word == "continuing":
            self.take()
            return ("block", self.block())
        if word == ";":
            self.take()
            return ("block", [])
        found = self._simple()
        self.take(";")
        return found

    def _simple(self) -> Tree:
        """A declaration, assignment or call, without its semicolon."""
        word = self.peek()
        if word in ("let", "var", "const", "override"):
            return self._variable()
        if word == "const_assert":
            self.take()
            return ("assert", self.expression())
        if word == "_":
            self.take()
            self.take("=")
            return ("phony", self.expression())
        place = self._unary()
        if self.peek() in ("++", "--"):
            return ("assign", self.take(), place, None)
        if self.peek() in _ASSIGNMENTS:
            return ("assign", self.take(), place, self.expression())
        if place[0] != "call":
            raise Nonsense(f"`{self.peek() or 'the end'}` behind what is no statement")
        return ("do", place)

    def _variable(self) -> Tree:
        word = self.take()
        space: tuple[Tree, ...] = ()
        if word == "var" and self.peek() == "<":
            self.take("<")
            spaces = [self.type()]
            while self.skip(","):
                spaces.append(self.type())
            self._close_template()
            space = tuple(spaces)
        name = self.name()
        kind = self.type() if self.skip(":") else None
        value = self.expression() if self.skip("=") else None
        if (value is None and word in ("let", "const")) or (value is None and kind is None):
            raise Nonsense(f"{word} {name} has no value")
        return (word, name, kind, value, space)

    def _if(self) -> Tree:
        self.take("if")
        condition, body = self.expression(), self.block()
        other: list[Tree] = []
        if self.skip("else"):
            other = [self._if()] if self.peek() == "if" else self.block()
        return ("if", condition, body, other)

    def _for(self) -> Tree:
        self.take("for")
        self.take("(")
        first = None if self.peek() == ";" else self._simple()
        self.take(";")
        condition = None if self.peek() == ";" else self.expression()
        self.take(";")
        step = None if self.peek() == ")" else self._simple()
        self.take(")")
        return ("for", first, condition, step, self.block())

    def _while(self) -> Tree:
        self.take("while")
        return ("for", None, self.expression(), None, self.block())

    def _loop(self) -> Tree:
        self.take("loop")
        return ("for", None, None, None, self.block())

    def _switch(self) -> Tree:
        self.take("switch")
        value = self.expression()
        self.take("{")
        cases = []
        while self.peek() != "}":
            labels = []
            if self.take("case", "default") == "case":
                labels.append(None if self.skip("default") else self.expression())
                while self.skip(",") and self.peek() not in (":", "{"):
                    labels.append(None if self.skip("default") else self.expression())
            self.skip(":")
            cases.append((labels, self.block()))
        self.take("}")
        return ("switch", value, cases)

    def _return(self) -> Tree:
        self.take("return")
        value = None if self.peek() == ";" else self.expression()
        self.take(";")
        return ("return", value)

    # -- declarations

    def item(self) -> Tree:
        """A declaration of a module, or a statement."""
        attributes = self._attributes()
        if any(row.startswith("binding") for row in attributes):
            place = tuple(sorted(attributes))
            if place in self._bindings:
                raise Nonsense(f"@{' @'.join(place)} stands twice")
            self._bindings.add(place)
        word = self.peek()
        if word == "fn":
            return self._function(attributes)
        if word == "struct":
            return self._struct()
        if word in ("enable", "requires", "diagnostic"):
            while self.take() != ";":
                pass
            return ("directive",)
        if word == "alias":
            self.take()
            name = self.name()
            self.take("=")
            kind = self.type()
            self.take(";")
            return ("alias", name, kind)
        return self.statement()

    def _attributes(self) -> list[str]:
        """As they are written, without the `@`: "fragment", "location(0)"."""
        out = []
        while self.skip("@"):
            start = self.place
            self.take()
            if self.peek() == "(":
                self._arguments()
            out.append("".join(self.lexemes[start : self.place]))
        return out

    def _member(self, seen: list[str]) -> tuple[str, Tree]:
        """A parameter of a function or a member of a struct; `seen` are the attributes of those before it."""
        for attribute in self._attributes():
            if attribute in seen and attribute.startswith(("location", "builtin")):
                raise Nonsense(f"@{attribute} stands twice")
            seen.append(attribute)
        name = self.name()
        self.take(":")
        return name, self.type()

    def _function(self, attributes: list[str]) -> Tree:
        self.take("fn")
        name = self.name()
        self.take("(")
        parameters: list[tuple[str, Tree]] = []
        seen: list[str] = []
        while self.peek() != ")":
            parameters.append(self._member(seen))
            if not self.skip(","):
                break
        self.take(")")
        result = None
        if self.skip("->"):
            self._attributes()
            result = self.type()
        return ("fn", name, parameters, result, self.block(), attributes)

    def _struct(self) -> Tree:
        self.take("struct")
        name = self.name()
        self.take("{")
        members: list[tuple[str, Tree]] = []
        seen: list[str] = []
        while self.peek() != "}":
            members.append(self._member(seen))
            if not self.skip(","):
                break
        self.take("}")
        self.skip(";")
        return ("struct", name, members)
