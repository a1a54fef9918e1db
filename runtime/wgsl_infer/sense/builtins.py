"""What the built-in functions take and give."""

from __future__ import annotations

from collections.abc import Callable

from ..wgsl_words import FUNCTIONS
from .expressions import Nonsense
from .textures import TEXTURE_FUNCTIONS, VEC4, texture_call
from .types import (
    ANY,
    BOOL,
    F32,
    FLOATS,
    I32,
    INTEGERS,
    NUMBERS,
    U32,
    Type,
    common,
    concrete,
    element,
    fits,
    is_matrix,
    is_vector,
    spell,
    with_element,
)  # fmt: skip

Rule = Callable[[str, list[Type]], Type]

_PACK = {
    "pack4x8snorm": VEC4, "pack4x8unorm": VEC4, "pack2x16snorm": ("vec", 2, F32), "pack2x16unorm": ("vec", 2, F32),
    "pack2x16float": ("vec", 2, F32), "pack4xI8": ("vec", 4, I32), "pack4xI8Clamp": ("vec", 4, I32),
    "pack4xU8": ("vec", 4, U32), "pack4xU8Clamp": ("vec", 4, U32),
}  # fmt: skip


def call(name: str, given: list[Type]) -> Type:
    """The type of a call; None for a function that returns nothing.

    Raises:
        Nonsense: there is no such function, or it does not take these arguments.
    """
    if name not in FUNCTIONS:
        raise Nonsense(f"there is no function `{name}`")
    rule = RULES.get(name)
    return rule(name, given) if rule else ANY


def leading_resources(name: str) -> int:
    """How many of the first arguments may be textures, samplers or buffers, which an answer need not declare."""
    if name.startswith("textureGather"):
        return 3  # the component, the texture and the sampler
    if name.startswith("textureSample"):
        return 2
    return int(name.startswith(("texture", "atomic")) or name in ("arrayLength", "workgroupUniformLoad"))


def _count(name: str, given: list[Type], count: int) -> None:
    if len(given) != count:
        raise Nonsense(f"{name} takes {count} arguments, not {len(given)}")


def _wrong(name: str, given: list[Type]) -> Nonsense:
    return Nonsense(f"{name} of {', '.join(map(spell, given))}")


def _alike(count: int, scalars: tuple[str, ...]) -> Rule:
    """All arguments of one type, scalar or vector, which is also the result's."""

    def rule(name: str, given: list[Type]) -> Type:
        _count(name, given, count)
        found = common(*given)
        if found != ANY and element(found) not in scalars:
            raise _wrong(name, given)
        # a float function makes a float of an integer literal
        return with_element(found, "float") if scalars is FLOAT_ARGUMENTS and element(found) == "int" else found

    return rule


FLOAT_ARGUMENTS = (*FLOATS, "int")


def _vectors(count: int, to_scalar: bool, size: int = 0, scalars: tuple[str, ...] = FLOAT_ARGUMENTS) -> Rule:
    """Vectors of one type, to their scalar or to such a vector."""

    def rule(name: str, given: list[Type]) -> Type:
        _count(name, given, count)
        found = common(*given)
        if found == ANY:
            return ANY
        if not is_vector(found) or element(found) not in scalars or (size and found[1] != size):
            raise _wrong(name, given)
        return element(found) if to_scalar else found

    return rule


def _fixed(result: Type, *wanted: Type) -> Rule:
    def rule(name: str, given: list[Type]) -> Type:
        _count(name, given, len(wanted))
        if not all(fits(g, w) for g, w in zip(given, wanted, strict=True)):
            raise _wrong(name, given)
        return result

    return rule


def _length(name: str, given: list[Type]) -> Type:
    _count(name, given, 2 if name == "distance" else 1)
    found = common(*given)
    if found != ANY and element(found) not in FLOAT_ARGUMENTS:
        raise _wrong(name, given)
    return F32


def _mix(name: str, given: list[Type]) -> Type:
    _count(name, given, 3)
    found = common(*given[:2])
    if found != ANY and element(found) not in FLOAT_ARGUMENTS:
        raise _wrong(name, given)
    if found == ANY or (is_vector(found) and fits(given[2], F32)):
        return found
    return common(found, given[2])


def _select(name: str, given: list[Type]) -> Type:
    _count(name, given, 3)
    found = common(*given[:2])
    # a scalar condition chooses whole vectors, one of vectors their components
    alike = is_vector(found) and is_vector(given[2]) and found[1] == given[2][1] and element(given[2]) == BOOL
    if is_matrix(found) or not (found == ANY or given[2] in (ANY, BOOL) or alike):
        raise _wrong(name, given)
    return found


def _any_or_all(name: str, given: list[Type]) -> Type:
    _count(name, given, 1)
    if given[0] != ANY and element(given[0]) != BOOL:
        raise _wrong(name, given)
    return BOOL


def _refract(name: str, given: list[Type]) -> Type:
    _count(name, given, 3)
    found = common(*given[:2])
    if not (found == ANY or (is_vector(found) and element(found) in FLOAT_ARGUMENTS)) or not fits(given[2], F32):
        raise _wrong(name, given)
    return found


def _ldexp(name: str, given: list[Type]) -> Type:
    _count(name, given, 2)
    exponent = element(given[1])
    if ANY not in given and (element(given[0]) not in FLOAT_ARGUMENTS or exponent not in ("i32", "int")):
        raise _wrong(name, given)
    if is_vector(given[0]) != is_vector(given[1]) and ANY not in given:
        raise _wrong(name, given)
    return given[0]


def _parts(name: str, given: list[Type]) -> Type:
    _count(name, given, 1)
    if given[0] != ANY and element(given[0]) not in FLOAT_ARGUMENTS:
        raise _wrong(name, given)
    return ("parts", name, concrete(given[0]))


def _bits(count: int) -> Rule:
    """extractBits and insertBits: integers of one type, then an offset and a count."""

    def rule(name: str, given: list[Type]) -> Type:
        _count(name, given, count)
        found = common(*given[: count - 2])
        if (found != ANY and element(found) not in INTEGERS) or not all(fits(g, U32) for g in given[-2:]):
            raise _wrong(name, given)
        return found

    return rule


def _matrix(name: str, given: list[Type]) -> Type:
    _count(name, given, 1)
    t = given[0]
    if t == ANY:
        return ANY if name == "transpose" else F32
    if not is_matrix(t) or (name == "determinant" and t[1] != t[2]):
        raise _wrong(name, given)
    return ("mat", t[2], t[1]) if name == "transpose" else F32


def _atomic(name: str, given: list[Type]) -> Type:
    count = {"atomicLoad": 1, "atomicCompareExchangeWeak": 3}.get(name, 2)
    _count(name, given, count)
    inner = given[0][1] if isinstance(given[0], tuple) and given[0][0] == "ptr" else None
    if inner is None:
        if given[0] == ANY:
            return ANY
        raise _wrong(name, given)
    if isinstance(inner, tuple) and inner[0] == "atomic":
        if not all(fits(g, inner[1]) for g in given[1:]):
            raise _wrong(name, given)
        kind: Type = inner[1]
    else:
        kind = common(I32, *given[1:]) if all(fits(g, I32) for g in given[1:]) else common(U32, *given[1:])
        kind = ANY if len(given) == 1 else kind
    if name == "atomicStore":
        return None
    return ("parts", name, kind) if name == "atomicCompareExchangeWeak" else kind


def _each(names: str, rule: Rule) -> dict[str, Rule]:
    return dict.fromkeys(names.split(), rule)


RULES: dict[str, Rule] = {
    **_each(
        "acos acosh asin asinh atan atanh ceil cos cosh degrees exp exp2 floor fract inverseSqrt log log2 quantizeToF16"
        " radians round saturate sin sinh sqrt tan tanh trunc dpdx dpdxCoarse dpdxFine dpdy dpdyCoarse dpdyFine fwidth"
        " fwidthCoarse fwidthFine",
        _alike(1, FLOAT_ARGUMENTS),
    ),
    **_each("atan2 pow step", _alike(2, FLOAT_ARGUMENTS)),
    **_each("fma smoothstep", _alike(3, FLOAT_ARGUMENTS)),
    "abs": _alike(1, NUMBERS),
    "sign": _alike(1, (*FLOATS, "i32", "int")),
    **_each("min max", _alike(2, NUMBERS)),
    "clamp": _alike(3, NUMBERS),
    **_each("countLeadingZeros countOneBits countTrailingZeros firstLeadingBit firstTrailingBit reverseBits",
            _alike(1, INTEGERS)),
    "extractBits": _bits(3),
    "insertBits": _bits(4),
    "dot": _vectors(2, True, scalars=NUMBERS),
    "cross": _vectors(2, False, 3),
    "normalize": _vectors(1, False),
    "reflect": _vectors(2, False),
    "faceForward": _vectors(3, False),
    "refract": _refract,
    **_each("length distance", _length),
    "mix": _mix,
    "select": _select,
    **_each("all any", _any_or_all),
    **_each("modf frexp", _parts),
    "ldexp": _ldexp,
    **_each("transpose determinant", _matrix),
    "dot4U8Packed": _fixed(U32, U32, U32),
    "dot4I8Packed": _fixed(I32, U32, U32),
    **{name: _fixed(U32, wanted) for name, wanted in _PACK.items()},
    **{f"un{name}": _fixed(given, U32) for name, given in _PACK.items() if not name.endswith("Clamp")},
    **dict.fromkeys(TEXTURE_FUNCTIONS, texture_call),
    **{name: _atomic for name in FUNCTIONS if name.startswith("atomic")},
    **_each("workgroupBarrier storageBarrier textureBarrier", _fixed(None)),
    "arrayLength": _fixed(U32, ANY),
}  # fmt: skip


def part(t: Type, member: str) -> Type:
    """The type of `modf(x).fract` and its like.

    Raises:
        Nonsense: there is no such part.
    """
    _, name, inner = t
    if name == "modf" and member in ("fract", "whole"):
        return inner
    if name == "frexp" and member in ("fract", "exp"):
        return inner if member == "fract" else with_element(inner, I32)
    if name == "atomicCompareExchangeWeak" and member in ("old_value", "exchanged"):
        return inner if member == "old_value" else BOOL
    raise Nonsense(f"{name} has no .{member}")
