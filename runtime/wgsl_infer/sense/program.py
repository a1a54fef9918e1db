"""The types of a whole answer: its declarations and statements."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .expressions import Nonsense, Tree
from .scopes import Scopes
from .types import ANY, BOOL, INTEGERS, Type, common, concrete, fits, is_swizzle_of, is_vector, spell
from .values import Values

_STAGES = ("vertex", "fragment", "compute")


class Program(Values):
    """One answer with one choice of types for its free names."""

    def __init__(self, assumed: Mapping[str, Type], known_calls: Collection[str]) -> None:
        super().__init__(assumed, known_calls)
        self._result: Type = ANY  # of the function whose body is being looked at

    def check(self, trees: list[Tree]) -> Iterable[str]:
        """The free names of the program.

        Raises:
            Nonsense: something does not fit.
        """
        functions = [tree for tree in trees if tree[0] == "fn"]
        complete = any(row in _STAGES for tree in functions for row in tree[5])
        self._names = Scopes(self._assumed, open=not functions, complete=complete)
        for tree in trees:
            if tree[0] == "struct":
                self._types[tree[1]] = ("struct", tree[1])
        for tree in trees:
            self._declare(tree)
        for tree in trees:
            if tree[0] == "value":
                if self._type(tree[1]) is None:
                    raise Nonsense("the expression has no value")
            elif tree[0] == "fn":
                self._function(tree)
            elif tree[0] not in ("struct", "alias", "directive"):
                self._statement(tree)
        return self._names.free

    # -- declarations

    def _declare(self, tree: Tree) -> None:
        if tree[0] == "struct":
            self._members[tree[1]] = {member: self._named(kind) for member, kind in tree[2]}
        elif tree[0] == "alias":
            self._types[tree[1]] = self._named(tree[2])
        elif tree[0] == "fn":
            parameters = [self._named(kind) for _, kind in tree[2]]
            if tree[1] in self._functions:
                raise Nonsense(f"`{tree[1]}` is declared twice")
            self._functions[tree[1]] = (parameters, self._named(tree[3]) if tree[3] else None)

    def _function(self, tree: Tree) -> None:
        _, name, parameters, _, body, _ = tree
        self._result, self._inside = self._functions[name][1], name
        with self._names.inner():
            for (parameter, _), kind in zip(parameters, self._functions[name][0], strict=True):
                self._names.declare(parameter, kind, changeable=False)
            for statement in body:
                self._statement(statement)
        if self._result is not None and not _returns(body):
            raise Nonsense(f"`{name}` does not always return a value")
        self._result, self._inside = ANY, ""

    # -- statements

    def _block(self, statements: list[Tree]) -> None:
        with self._names.inner():
            for statement in statements:
                self._statement(statement)

    def _statement(self, tree: Tree) -> None:
        kind = tree[0]
        if kind in ("let", "var", "const", "override"):
            self._variable(tree)
        elif kind == "assign":
            self._assign(tree)
        elif kind == "phony":
            self._value(tree[1])
        elif kind == "do":
            self._do(tree[1])
        elif kind == "block":
            self._block(tree[1])
        elif kind == "if":
            self._condition(tree[1])
            self._block(tree[2])
            self._block(tree[3])
        elif kind == "for":
            with self._names.inner():
                if tree[1]:
                    self._statement(tree[1])
                if tree[2]:
                    self._condition(tree[2])
                if tree[3]:
                    self._statement(tree[3])
                self._block(tree[4])
        elif kind == "switch":
            self._switch(tree)
        elif kind == "return":
            self._return(tree[1])
        elif kind in ("jump", "assert"):
            if tree[-1]:
                self._condition(tree[-1])
        elif kind == "fn":
            raise Nonsense("a function inside a function")

    def _variable(self, tree: Tree) -> None:
        word, name, kind, value, _ = tree
        wanted = self._named(kind) if kind else None
        found = self._value(value) if value else wanted
        if wanted is not None:
            if not fits(found, wanted):
                raise Nonsense(f"{word} {name}: {spell(found)} is no {spell(wanted)}")
            found = wanted
        self._names.declare(name, found if word == "const" and not kind else concrete(found), changeable=word == "var")

    def _assign(self, tree: Tree) -> None:
        _, operator, place, value = tree
        wanted = self._place(place)
        if value is None:
            if wanted != ANY and wanted not in INTEGERS:
                raise Nonsense(f"{operator} of {spell(wanted)}")
            return
        found = self._value(value)
        if operator != "=":
            found = self._combine(operator[:-1], wanted, found)
        if isinstance(wanted, tuple) and wanted[0] == "atomic":
            raise Nonsense("an atomic is written with atomicStore")
        if not fits(found, wanted):
            raise Nonsense(f"{spell(found)} assigned to {spell(wanted)}")

    def _place(self, tree: Tree) -> Type:
        """The type of what stands on the left of an assignment."""
        root = tree
        while root[0] in ("member", "index", "bracket"):
            if root[0] == "member" and len(root[2]) > 1 and is_swizzle_of(root[2]) and is_vector(self._type(root[1])):
                raise Nonsense(f"several components (.{root[2]}) cannot be assigned at once")
            root = root[1]
        if root[0] == "name":
            variable = self._names.find(root[1])
            pointer = variable is not None and isinstance(variable.type, tuple) and variable.type[0] == "ptr"
            if variable and not variable.changeable and not (pointer and root is not tree):
                raise Nonsense(f"`{root[1]}` cannot be assigned to")
        elif root[0] != "unary" or root[1] != "*":
            raise Nonsense("this cannot be assigned to")
        return self._value(tree)

    def _do(self, tree: Tree) -> None:
        found = self._type(tree)
        known = tree[1] in self._functions or tree[1] in self._known_calls
        if found is not None and not known and not tree[1].startswith("atomic"):
            raise Nonsense(f"the value of {tree[1]} is not used")

    def _condition(self, tree: Tree) -> None:
        found = self._value(tree)
        if not fits(found, BOOL):
            raise Nonsense(f"a condition of type {spell(found)}")

    def _switch(self, tree: Tree) -> None:
        labels = [label for row, _ in tree[2] for label in row if label]
        found = common(self._value(tree[1]), *(self._value(label) for label in labels))
        if found != ANY and found not in INTEGERS:
            raise Nonsense(f"switch over {spell(found)}")
        for _, body in tree[2]:
            self._block(body)

    def _return(self, value: Tree | None) -> None:
        found = self._value(value) if value else None
        if self._result == ANY:
            return
        if (found is None) != (self._result is None) or (found is not None and not fits(found, self._result)):
            given, wanted = ("nothing" if t is None else spell(t) for t in (found, self._result))
            raise Nonsense(f"returns {given}, not {wanted}")


def _returns(body: list[Tree]) -> bool:
    """Whether every way through a block ends in a return."""
    for tree in body:
        kind = tree[0]
        if kind == "return" or (kind == "block" and _returns(tree[1])):
            return True
        if kind == "if" and tree[3] and _returns(tree[2]) and _returns(tree[3]):
            return True
        if kind == "switch" and tree[2] and all(_returns(rows) for _, rows in tree[2]):
            return True
        if kind == "for" and tree[2] is None and not _breaks(tree[4]):
            return True
        if kind == "jump" and tree[1] == "discard" and tree is body[-1]:
            return True
    return False


def _breaks(body: list[Tree]) -> bool:
    inner = [row for tree in body for row in tree[1:] if isinstance(row, list)]
    return any(tree[:2] == ("jump", "break") for tree in body) or any(_breaks(rows) for rows in inner)
