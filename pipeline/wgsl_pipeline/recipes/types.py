"""The types of operands and results, their short names in recipes and their names in English."""

from __future__ import annotations

import re

SCALARS = ("f32", "i32", "u32", "bool")
_ELEMENTS = {"": "f32", "f": "f32", "i": "i32", "u": "u32", "b": "bool"}
_MATRIX = re.compile(r"mat([234])(?:x([234]))?f?")
_VECTOR = re.compile(r"vec([234])([fiub]?)")

# type variables, and how often each choice is drawn: what people mean when they do not say
VARIABLES: dict[str, dict[str, float]] = {
    "T": {"f32": 0.6, "vec3<f32>": 0.28, "vec2<f32>": 0.08, "vec4<f32>": 0.04},
    "V": {"vec3<f32>": 0.72, "vec2<f32>": 0.2, "vec4<f32>": 0.08},
    "I": {"i32": 0.5, "u32": 0.5},
}

# how people say a type with a name
TYPED_MENTION = [
    "the {type} {name}",
    "{type} {name}",
    "{type} {name}",
    "a {type} {name}",
    "{name} (a {type})",
    "{name} ({type})",
]

# how people say a type in front of a name
ENGLISH = {
    "f32": ["float", "scalar", "f32", "number"],
    "i32": ["integer", "int", "i32", "signed integer"],
    "u32": ["unsigned integer", "uint", "u32", "unsigned"],
    "bool": ["bool", "boolean"],
    "vec2<f32>": ["2d vector", "vec2", "vec2f", "two component vector", "float2"],
    "vec3<f32>": ["3d vector", "vec3", "vec3f", "vector", "float3"],
    "vec4<f32>": ["4d vector", "vec4", "vec4f", "four component vector", "float4"],
    "vec2<i32>": ["integer vec2", "vec2i", "2d integer vector"],
    "vec3<i32>": ["integer vec3", "vec3i"],
    "vec4<i32>": ["integer vec4", "vec4i"],
    "vec2<u32>": ["unsigned vec2", "vec2u"],
    "vec3<u32>": ["unsigned vec3", "vec3u"],
    "vec4<u32>": ["unsigned vec4", "vec4u"],
    "vec2<bool>": ["boolean vec2"],
    "vec3<bool>": ["boolean vec3", "boolean vector"],
    "vec4<bool>": ["boolean vec4"],
    "mat2x2<f32>": ["2x2 matrix", "mat2", "mat2x2"],
    "mat3x3<f32>": ["3x3 matrix", "mat3", "mat3x3"],
    "mat4x4<f32>": ["4x4 matrix", "mat4", "mat4x4", "matrix"],
}


def usual_type(variable: str) -> str:
    """What a type variable stands for when the prompt does not say."""
    choices = VARIABLES[variable]
    return max(choices, key=lambda full: choices[full])


def is_plain(full: str) -> bool:
    """Whether a value of this type can be a parameter: no texture, sampler, buffer or atomic."""
    return full in SCALARS or full.startswith(("vec", "mat"))


def full_type(short: str) -> str | None:
    """The type in full that a short name of a recipe stands for (`vec3i` -> `vec3<i32>`); None if it is none."""
    if short in SCALARS:
        return short
    if vector := _VECTOR.fullmatch(short):
        return f"vec{vector[1]}<{_ELEMENTS[vector[2]]}>"
    if matrix := _MATRIX.fullmatch(short):
        return f"mat{matrix[1]}x{matrix[2] or matrix[1]}<f32>"
    if re.fullmatch(r"(array|atomic|ptr|vec[234]|mat[234]x[234]|texture\w*)<.+>|sampler\w*|texture_depth\w*", short):
        return short
    return None


def spellings(full: str) -> list[str]:
    """How people write a type that is a name in code: in full, with the alias, without its element."""
    out = [full]
    if vector := re.fullmatch(r"vec([234])<(f32|i32|u32)>", full):
        out += [f"vec{vector[1]}{vector[2][0]}"] * 2 + ([f"vec{vector[1]}"] * 2 if vector[2] == "f32" else [])
    if matrix := re.fullmatch(r"mat([234])x([234])<f32>", full):
        out += [f"mat{matrix[1]}x{matrix[2]}f", f"mat{matrix[1]}x{matrix[2]}"]
        out += [f"mat{matrix[1]}"] if matrix[1] == matrix[2] else []
    if full in ("f32", "i32", "u32"):
        out += {"f32": ["f32", "float"], "i32": ["i32", "int"], "u32": ["u32", "uint"]}[full]
    return out
