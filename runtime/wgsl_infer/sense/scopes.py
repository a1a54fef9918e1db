"""The names that code declares, and the free ones it leaves to its surroundings."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

from .expressions import Nonsense, Tree
from .types import ANY, Type

_ROOT = re.compile(r"\w+")


class Variable(NamedTuple):
    """What a name stands for, and whether it may be assigned to."""

    type: Type
    changeable: bool


class Scopes:
    """Declared names, innermost scope last, and the types assumed for free names.

    A free name may be a path such as `light.pos` or `rays[].origin`: what it belongs to is never typed as a whole.

    Args:
        assumed: types of free names; the others are of any type.
        open: whether values may be free, as around expressions and statements.
        complete: whether nothing may be free, as in a shader; else resources may.
    """

    def __init__(self, assumed: Mapping[str, Type], *, open: bool, complete: bool = False) -> None:
        self.assumed, self.open, self.complete = assumed, open, complete
        self.free: dict[str, None] = {}
        self._scopes: list[dict[str, Variable]] = [{}]
        self._resources: dict[str, str] = {}

    @contextmanager
    def inner(self) -> Iterator[None]:
        """A block."""
        self._scopes.append({})
        yield
        self._scopes.pop()

    def declare(self, name: str, t: Type, *, changeable: bool) -> None:
        """Declare a name.

        Raises:
            Nonsense: the block has one like it.
        """
        if name in self._scopes[-1]:
            raise Nonsense(f"`{name}` is declared twice")
        self._scopes[-1][name] = Variable(t, changeable)

    def find(self, name: str) -> Variable | None:
        """The innermost declaration of a name."""
        return next((scope[name] for scope in reversed(self._scopes) if name in scope), None)

    def path(self, tree: Tree) -> str | None:
        """The path of a free name, `light.pos` or `rays[].origin`; None for anything else."""
        if tree[0] == "name":
            return None if self.find(tree[1]) else str(tree[1])
        if tree[0] in ("member", "index"):
            base = self.path(tree[1])
            return None if base is None else f"{base}.{tree[2]}" if tree[0] == "member" else f"{base}[]"
        return None

    def leave(self, path: str) -> None:
        """Leave a name to the surroundings.

        Raises:
            Nonsense: there are none.
        """
        if self.complete:
            raise Nonsense(f"`{_ROOT.findall(path)[0]}` is not declared")

    def use_resource(self, path: str, kind: str) -> None:
        """Say that a free name is what a built-in function takes for this kind of resource.

        Raises:
            Nonsense: it is a value, or another kind of resource; or nothing may be free here.
        """
        self.leave(path)
        if path in self.free or self._resources.setdefault(path, kind) != kind:
            raise Nonsense(f"`{path}` is not {kind} alone")

    def of_free(self, path: str) -> Type:
        """The type assumed for a free name.

        Raises:
            Nonsense: nothing may be free here.
        """
        self.leave(path)
        if not self.open and path.isidentifier():
            raise Nonsense(f"`{path}` is not declared")
        if path in self._resources:
            raise Nonsense(f"`{path}` is {self._resources[path]}, no value")
        self.free[path] = None
        return self.assumed.get(path, ANY)
