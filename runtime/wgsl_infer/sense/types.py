"""The types of WGSL values and how operators and constructors combine them.

A type is a string for scalars ("f32", "i32", "u32", "bool", "f16", and "int" and "float" for literals that may still
become several types), and a tuple for the rest: ("vec", n, element), ("mat", columns, rows), ("array", element),
("struct", name), ("ptr", type), ("atomic", element), ("texture", name, element), ("sampler",), and ("any",) for what is
not known.
"""

from __future__ import annotations

import re
from typing import Any

from .expressions import Nonsense, Tree

Type = Any
ANY = ("any",)
F32, I32, U32, BOOL = "f32", "i32", "u32", "bool"
FLOATS, INTEGERS = ("f32", "f16", "float"), ("i32", "u32", "int")
NUMBERS = (*FLOATS, *INTEGERS)
SCALARS = (*NUMBERS, "bool")

# what a literal's type may become, itself included
_BECOMES = {"int": {"int", "float", "i32", "u32", "f32", "f16"}, "float": {"float", "f32", "f16"}}
_ALIAS = re.compile(r"(vec[234]|mat[234]x[234])([fiuh])\Z")
_LETTERS = {"f": "f32", "i": "i32", "u": "u32", "h": "f16"}
_SWIZZLE = re.compile(r"(?:[xyzw]{1,4}|[rgba]{1,4})\Z")
_PLACES = {letter: k for row in ("xyzw", "rgba") for k, letter in enumerate(row)}


def is_vector(t: Type) -> bool:
    """Whether it is a vector."""
    return isinstance(t, tuple) and t[0] == "vec"


def is_matrix(t: Type) -> bool:
    """Whether it is a matrix."""
    return isinstance(t, tuple) and t[0] == "mat"


def element(t: Type) -> str:
    """The scalar a scalar or vector is made of; "" for anything else."""
    if isinstance(t, str):
        return t
    return str(t[2]) if is_vector(t) else ""


def common(*types: Type) -> Type:
    """The one type that all of these can become.

    Raises:
        Nonsense: there is none.
    """
    found = types[0]
    for other in types[1:]:
        if found == ANY:
            found = other
        elif other != ANY and other != found:
            found = _meet(found, other)
    return found


def _meet(a: Type, b: Type) -> Type:
    if is_vector(a) and is_vector(b) and a[1] == b[1]:
        return ("vec", a[1], _meet(a[2], b[2]) if a[2] != b[2] else a[2])
    if isinstance(a, str) and isinstance(b, str):
        if b in _BECOMES.get(a, ()):
            return b
        if a in _BECOMES.get(b, ()):
            return a
    if isinstance(a, tuple) and isinstance(b, tuple) and a[0] == b[0] == "array" and ANY in (a[1], b[1]):
        return a
    raise Nonsense(f"{spell(a)} and {spell(b)} do not go together")


def fits(given: Type, wanted: Type) -> bool:
    """Whether a value may be used where a type is wanted."""
    try:
        return bool(wanted == ANY or given == ANY or common(given, wanted) == wanted)
    except Nonsense:
        return False


def concrete(t: Type) -> Type:
    """The type that a variable takes from its value."""
    if isinstance(t, str):
        return {"int": I32, "float": F32}.get(t, t)
    return ("vec", t[1], concrete(t[2])) if is_vector(t) else t


def with_element(t: Type, scalar: str) -> Type:
    """The same shape of another scalar."""
    return ("vec", t[1], scalar) if is_vector(t) else scalar


def spell(t: Type) -> str:
    """A type for a message."""
    if isinstance(t, str):
        return {"int": "an integer literal", "float": "a float literal"}.get(t, t)
    if t[0] == "vec":
        return f"vec{t[1]}<{t[2]}>"
    if t[0] == "mat":
        return f"mat{t[1]}x{t[2]}<f32>"
    return str(t[1]) if t[0] == "struct" else str(t[0])


# ---------------------------------------------------------------- operators


def arithmetic(operator: str, a: Type, b: Type) -> Type:
    """The type of `a + b` and the like."""
    if ANY in (a, b):
        return ANY
    if is_matrix(a) or is_matrix(b):
        return _matrix_arithmetic(operator, a, b)
    if element(a) not in NUMBERS or element(b) not in NUMBERS:
        raise Nonsense(f"{spell(a)} {operator} {spell(b)}")
    if is_vector(a) != is_vector(b):
        scalar = common(element(a), element(b))
        return with_element(a if is_vector(a) else b, scalar)
    return common(a, b)


def _matrix_arithmetic(operator: str, a: Type, b: Type) -> Type:
    if operator == "*":
        if is_matrix(a) and is_matrix(b) and a[1] == b[2]:
            return ("mat", b[1], a[2])
        if is_matrix(a) and is_vector(b) and b[1] == a[1] and fits(b[2], F32):
            return ("vec", a[2], F32)
        if is_vector(a) and is_matrix(b) and a[1] == b[2] and fits(a[2], F32):
            return ("vec", b[1], F32)
        if is_matrix(a) and isinstance(b, str) and fits(b, F32):
            return a
        if is_matrix(b) and isinstance(a, str) and fits(a, F32):
            return b
    if operator in ("+", "-") and a == b:
        return a
    raise Nonsense(f"{spell(a)} {operator} {spell(b)}")


def comparison(operator: str, a: Type, b: Type) -> Type:
    """The type of `a < b` and the like."""
    found = common(a, b)
    if found == ANY:
        return BOOL
    if element(found) not in (SCALARS if operator in ("==", "!=") else NUMBERS):
        raise Nonsense(f"{spell(a)} {operator} {spell(b)}")
    return with_element(found, BOOL)


def logical(operator: str, a: Type, b: Type) -> Type:
    """The type of `a && b`, `a | b`, `a ^ b`."""
    found = common(a, b)
    scalar = element(found)
    if found == ANY:
        return found
    if operator in ("&&", "||"):
        if found == BOOL:
            return BOOL
    elif scalar in INTEGERS or (scalar == BOOL and operator != "^"):
        return found
    raise Nonsense(f"{spell(a)} {operator} {spell(b)}")


def shift(operator: str, a: Type, b: Type) -> Type:
    """The type of `a << b`."""
    if ANY in (a, b):
        return a
    alike = is_vector(a) == is_vector(b) and (not is_vector(a) or a[1] == b[1])
    if alike and element(a) in INTEGERS and element(b) in ("u32", "int"):
        return a
    raise Nonsense(f"{spell(a)} {operator} {spell(b)}")


def unary(operator: str, t: Type) -> Type:
    """The type of `-a`, `!a`, `~a`, `&a`, `*a`."""
    if operator == "&":
        return ("ptr", t)
    if t == ANY:
        return t
    if operator == "*":
        if isinstance(t, tuple) and t[0] == "ptr":
            return t[1]
    elif operator == "-":
        if element(t) in NUMBERS and element(t) != U32:
            return t
        if is_matrix(t):
            raise Nonsense("a matrix has no negative")
    elif (operator == "!" and element(t) == BOOL) or (operator == "~" and element(t) in INTEGERS):
        return t
    raise Nonsense(f"{operator} of {spell(t)}")


def swizzle(t: Type, member: str) -> Type:
    """The type of components of a vector."""
    if not _SWIZZLE.match(member) or max(_PLACES[letter] for letter in member) >= t[1]:
        raise Nonsense(f"{spell(t)} has no .{member}")
    return t[2] if len(member) == 1 else ("vec", len(member), t[2])


def is_swizzle_of(member: str) -> bool:
    """Whether a member could be components of some vector."""
    return _SWIZZLE.match(member) is not None


# ---------------------------------------------------------------- types by name


def named(name: str, template: tuple[Tree, ...], known: dict[str, Type]) -> Type:
    """The type that a name with its template list means; `known` are the structs and aliases of the code.

    Raises:
        Nonsense: it is none.
    """
    if name in known:
        return known[name]
    if name in SCALARS and name not in ("int", "float"):
        return name
    if alias := _ALIAS.match(name):
        name, template = alias[1], (("type", _LETTERS[alias[2]], ()),)
    inner = [named(row[1], row[2], known) for row in template if row[0] == "type" and not _is_enumerant(row[1])]
    if name.startswith("vec") and len(name) == 4 and name[3] in "234":
        return ("vec", int(name[3]), inner[0] if inner else ANY)
    if matrix := re.fullmatch(r"mat([234])x([234])", name):
        return ("mat", int(matrix[1]), int(matrix[2]))
    if name == "array":
        return ("array", inner[0] if inner else ANY)
    if name == "ptr" and inner:
        return ("ptr", inner[-1])
    if name == "atomic" and inner:
        return ("atomic", inner[0])
    if name.startswith("sampler"):
        return ("sampler",)
    if name.startswith("texture"):
        return ("texture", name, inner[0] if inner else F32)
    raise Nonsense(f"there is no type `{name}`")


def _is_enumerant(name: str) -> bool:
    return name in ("function", "private", "workgroup", "storage", "uniform", "read", "write", "read_write") or bool(
        re.match(r"(rgba|bgra|rg|r)\d+\w*(unorm|snorm|uint|sint|float)\Z", name)
    )


def construct(t: Type, given: list[Type]) -> Type:
    """The type of `vec3<f32>(...)` and the like, its arguments checked.

    Raises:
        Nonsense: these arguments make no such value.
    """
    if not given or t == ANY:
        return t
    if ANY in given:
        _check_count(t, len(given))
        return t
    if isinstance(t, str):
        if len(given) == 1 and isinstance(given[0], str):
            return t
    elif t[0] == "vec":
        return _vector(t, given)
    elif t[0] == "mat":
        if len(given) == 1 and given[0] == t:
            return t
        columns = len(given) == t[1] and all(is_vector(g) and g[1] == t[2] for g in given)
        scalars = len(given) == t[1] * t[2] and all(isinstance(g, str) and fits(g, F32) for g in given)
        if columns or scalars:
            return t
    elif t[0] == "array":
        found = common(*given) if t[1] == ANY else t[1]
        if all(fits(g, found) for g in given):
            return ("array", found)
    else:
        return t
    raise Nonsense(f"{spell(t)} of {', '.join(map(spell, given))}")


def _check_count(t: Type, count: int) -> None:
    """Whether so many arguments of whatever type could make this value."""
    fine = True
    if isinstance(t, str):
        fine = count == 1
    elif t[0] == "vec":
        fine = count <= t[1]
    elif t[0] == "mat":
        fine = count in (1, t[1], t[1] * t[2])
    if not fine:
        raise Nonsense(f"{spell(t)} of {count} values")


def _vector(t: Type, given: list[Type]) -> Type:
    if not all(isinstance(g, str) or is_vector(g) for g in given):
        raise Nonsense(f"{spell(t)} of {', '.join(map(spell, given))}")
    count = sum(g[1] if is_vector(g) else 1 for g in given)
    scalar = t[2]
    if len(given) == 1:
        # a splat, or a conversion of a vector of the same size
        if isinstance(given[0], str):
            if scalar == ANY or fits(given[0], scalar):
                return ("vec", t[1], given[0] if scalar == ANY else scalar)
        elif given[0][1] == t[1]:
            return ("vec", t[1], given[0][2] if scalar == ANY else scalar)
    elif count == t[1]:
        found = common(*(element(g) for g in given)) if scalar == ANY else scalar
        if all(fits(element(g), found) for g in given):
            return ("vec", t[1], found)
    raise Nonsense(f"{spell(t)} of {', '.join(map(spell, given))}")
