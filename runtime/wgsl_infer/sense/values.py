"""The types of the expressions of an answer."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..lexemes import is_number
from ..wgsl_words import FUNCTIONS
from . import builtins
from .expressions import Nonsense, Tree
from .scopes import Scopes
from .types import (
    ANY,
    INTEGERS,
    Type,
    arithmetic,
    comparison,
    construct,
    fits,
    is_matrix,
    is_swizzle_of,
    is_vector,
    logical,
    named,
    shift,
    spell,
    swizzle,
    unary,
)  # fmt: skip

_MOST_BITS = 31  # by which a scalar can be shifted


class Values:
    """Works out types of expressions over the names declared so far.

    Args:
        assumed: types of free names; the others are of any type.
        known_calls: functions that may be called without being declared.
    """

    def __init__(self, assumed: Mapping[str, Type], known_calls: Collection[str]) -> None:
        self._assumed, self._known_calls = assumed, known_calls
        self._types: dict[str, Type] = {}  # structs and aliases
        self._members: dict[str, dict[str, Type]] = {}
        self._functions: dict[str, tuple[list[Type], Type]] = {}
        self._names = Scopes(assumed, open=True)
        self._inside = ""  # the function whose body is being looked at

    def _named(self, kind: Tree) -> Type:
        try:
            return named(kind[1], kind[2], self._types)
        except Nonsense:
            # a struct that is declared elsewhere
            if self._names.open and kind[0] == "type" and any(name[0].isupper() for name in _type_names(kind)):
                return ANY
            raise

    def _value(self, tree: Tree) -> Type:
        found = self._type(tree)
        if found is None:
            raise Nonsense("a call without a value is used as one")
        return found

    def _type(self, tree: Tree) -> Type:
        kind = tree[0]
        if kind == "literal":
            return tree[1]
        if kind == "bracket":
            return self._type(tree[1])
        if kind == "name":
            return self._name(tree)
        if kind == "call":
            return self._call(tree)
        if kind == "member":
            return self._member(tree)
        if kind == "index":
            return self._index(tree)
        if kind == "unary":
            if tree[1] == "&" and (path := self._names.path(tree[2])) is not None:
                self._names.leave(path)
                return ("ptr", self._assumed.get(path, ANY))
            if tree[1] == "*" and (path := self._names.path(tree[2])) is not None:
                return self._names.of_free(f"*{path}")
            return unary(tree[1], self._value(tree[2]))
        if tree[1] in ("<<", ">>") and tree[3][0] == "literal" and _integer(tree[3][2]) > _MOST_BITS:
            raise Nonsense("shifted by more bits than there are")
        return self._combine(tree[1], self._value(tree[2]), self._value(tree[3]))

    def _combine(self, operator: str, a: Type, b: Type) -> Type:
        if operator in ("+", "-", "*", "/", "%"):
            return arithmetic(operator, a, b)
        if operator in ("<<", ">>"):
            return shift(operator, a, b)
        if operator in ("&&", "||", "&", "|", "^"):
            return logical(operator, a, b)
        return comparison(operator, a, b)

    def _name(self, tree: Tree) -> Type:
        name = tree[1]
        if variable := self._names.find(name):
            return variable.type
        if name in self._functions or name in self._types:
            raise Nonsense(f"`{name}` is no value")
        return self._names.of_free(name)

    def _member(self, tree: Tree) -> Type:
        _, base, member = tree
        path = self._names.path(base)
        if path is not None and not is_swizzle_of(member):
            self._indices(base)
            return self._names.of_free(f"{path}.{member}")
        t = self._held(base)
        if t == ANY:
            return ANY
        if is_vector(t):
            return swizzle(t, member)
        if t[0] == "struct" and member in self._members.get(t[1], ()):
            return self._members[t[1]][member]
        if t[0] == "parts":
            return builtins.part(t, member)
        raise Nonsense(f"{spell(t)} has no .{member}")

    def _held(self, tree: Tree) -> Type:
        """The type of a value, or of what it points to."""
        found = self._value(tree)
        return found[1] if isinstance(found, tuple) and found[0] == "ptr" else found

    def _indices(self, tree: Tree) -> None:
        """Look at the indices inside a path."""
        while tree[0] in ("member", "index"):
            if tree[0] == "index":
                self._check_index(tree[2])
            tree = tree[1]

    def _check_index(self, tree: Tree) -> None:
        found = self._value(tree)
        if found != ANY and found not in INTEGERS:
            raise Nonsense(f"an index of type {spell(found)}")

    def _index(self, tree: Tree) -> Type:
        _, base, place = tree
        self._check_index(place)
        path = self._names.path(base)
        if path is not None and path not in self._assumed:
            self._indices(base)
            return self._names.of_free(f"{path}[]")
        t = self._held(base)
        if t == ANY:
            return ANY
        if is_vector(t):
            return t[2]
        if is_matrix(t):
            return ("vec", t[2], "f32")
        if t[0] == "array":
            return t[1]
        raise Nonsense(f"{spell(t)} has no elements")

    def _call(self, tree: Tree) -> Type:
        _, name, template, arguments = tree
        if name == self._inside:
            raise Nonsense(f"`{name}` calls itself")
        if name in self._functions:
            return self._call_own(name, [self._value(argument) for argument in arguments])
        given = [self._argument(name, k, argument) for k, argument in enumerate(arguments)]
        if name == "bitcast":
            if len(given) != 1:
                raise Nonsense(f"bitcast takes 1 argument, not {len(given)}")
            return named(template[0][1], template[0][2], self._types) if template and len(given) == 1 else ANY
        if name in self._types or name in ("f32", "i32", "u32", "bool", "f16") or _is_constructor(name):
            made = named(name, template, self._types)
            if name == "array" and given and template[1:] and template[1][0] == "size":
                _check_elements(template[1][1], len(given))
            if isinstance(made, tuple) and made[0] == "struct":
                return self._construct_struct(made, given)
            return construct(made, given)
        if name in self._known_calls and name not in FUNCTIONS:
            return ANY
        return builtins.call(name, given)

    def _argument(self, name: str, place: int, tree: Tree) -> Type:
        if place < builtins.leading_resources(name) and tree[0] == "name" and self._names.path(tree) is not None:
            # a texture, sampler or buffer that is declared elsewhere; anything else would be a value
            if name.startswith("texture") and not name.startswith("textureGather"):
                self._names.use_resource(tree[1], "a sampler" if place else "a texture")
            self._names.leave(tree[1])
            return ANY
        return self._value(tree)

    def _call_own(self, name: str, given: list[Type]) -> Type:
        parameters, result = self._functions[name]
        if len(given) != len(parameters):
            raise Nonsense(f"{name} takes {len(parameters)} arguments, not {len(given)}")
        for have, wanted in zip(given, parameters, strict=True):
            if not fits(have, wanted) and not (isinstance(wanted, tuple) and wanted[0] == "ptr"):
                raise Nonsense(f"{name} takes {spell(wanted)}, not {spell(have)}")
        return result

    def _construct_struct(self, made: Type, given: list[Type]) -> Type:
        members = list(self._members.get(made[1], {}).values())
        if given and len(given) != len(members):
            raise Nonsense(f"{made[1]} has {len(members)} members, not {len(given)}")
        for have, wanted in zip(given, members, strict=False):
            if not fits(have, wanted):
                raise Nonsense(f"{made[1]} takes {spell(wanted)}, not {spell(have)}")
        return made


def _check_elements(size: str, given: int) -> None:
    if is_number(size) and _integer(size) != given:
        raise Nonsense(f"{given} elements for an array of {size}")


def _integer(literal: str) -> int:
    """The value of an integer literal; 0 for any other."""
    digits = literal.rstrip("iu")
    if digits[:2].lower() == "0x":
        return int(digits, 16) if "." not in digits and "p" not in digits.lower() else 0
    return int(digits) if digits.isdigit() else 0


def _type_names(kind: Tree) -> list[str]:
    return [kind[1], *(name for row in kind[2] if row[0] == "type" for name in _type_names(row))]


def _is_constructor(name: str) -> bool:
    return (name[:3] in ("vec", "mat") and name[3:4] in ("2", "3", "4")) or name == "array"
