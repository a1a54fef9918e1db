"""What the built-in functions that read and write textures take and give."""

from __future__ import annotations

from .expressions import Nonsense
from .types import ANY, F32, INTEGERS, SCALARS, U32, Type, fits, is_vector, spell

VEC4 = ("vec", 4, F32)
# of texture functions: how many arguments there may be, and what comes back
TEXTURE_FUNCTIONS = {
    "textureDimensions": (1, 2, ANY), "textureGather": (3, 6, ANY), "textureGatherCompare": (4, 6, VEC4),
    "textureLoad": (2, 4, ANY), "textureNumLayers": (1, 1, U32), "textureNumLevels": (1, 1, U32),
    "textureNumSamples": (1, 1, U32), "textureSample": (3, 5, ANY), "textureSampleBias": (4, 6, VEC4),
    "textureSampleCompare": (4, 6, F32), "textureSampleCompareLevel": (4, 6, F32), "textureSampleGrad": (5, 7, VEC4),
    "textureSampleLevel": (4, 6, ANY), "textureSampleBaseClampToEdge": (3, 3, VEC4), "textureStore": (3, 4, None),
}  # fmt: skip


def _samples(name: str) -> bool:
    return name.startswith(("textureSample", "textureGather"))


def texture_call(name: str, given: list[Type]) -> Type:
    """The type of a call; None for a function that returns nothing.

    Raises:
        Nonsense: it does not take these arguments.
    """
    low, high, result = TEXTURE_FUNCTIONS[name]
    if not low <= len(given) <= high:
        raise Nonsense(f"{name} takes {low} to {high} arguments, not {len(given)}")
    first = int(name == "textureGather" and given[0] in INTEGERS)
    for place, role in enumerate(("texture", "sampler") if _samples(name) else ("texture",), first):
        if given[place] != ANY and given[place][0] != role:
            raise Nonsense(f"{name} takes a {role}, not {spell(given[place])}")
    kind = given[first][1] if given[first] != ANY else ""
    stored = kind.startswith("texture_storage")
    if stored and (_samples(name) or (name == "textureLoad" and len(given) != 2 + ("array" in kind))):
        raise Nonsense(f"{name} does not take a texture that is written to in this way")
    if kind and not stored and name == "textureStore":
        raise Nonsense("textureStore takes a storage texture")
    if name == "textureDimensions":
        sizes = {"1d": U32, "3d": ("vec", 3, U32)}
        return sizes.get(kind.rsplit("_", 1)[-1], ("vec", 2, U32)) if kind else ("vec", 2, U32)
    flat = name.startswith("textureSample") and kind.endswith("_2d")
    layered = name == "textureSample" and len(given) == 4 and given[3] in SCALARS
    if flat and (layered or not fits(given[2], ("vec", 2, F32))):
        raise Nonsense(f"{name} of {', '.join(map(spell, given))}")
    if name == "textureStore" and not (given[-1] == ANY or (is_vector(given[-1]) and given[-1][1] == 4)):
        raise Nonsense(f"{name} writes four components, not {spell(given[-1])}")
    if result != ANY or name == "textureGather":
        return VEC4 if result == ANY else result
    if kind.startswith("texture_depth"):
        return F32
    scalar = given[first][2] if kind and given[first][2] in ("i32", "u32") else F32
    return ("vec", 4, scalar)
