"""Literals, new names and types: what fills the holes that no recipe can fill."""

from __future__ import annotations

import random
import re
from typing import NamedTuple

from . import words
from .grammar import HEX, Operand, Recipe
from .pieces import Stuck, converted
from .types import spellings

_TYPES = ["f32", "f32", "vec3<f32>", "vec3<f32>", "vec2<f32>", "vec4<f32>", "u32", "i32", "mat4x4<f32>", "bool"]


class Literal(NamedTuple):
    """How people write it, its code, and the names in it."""

    text: str
    code: str
    copied: frozenset[str] = frozenset()


def draw_literal(draw: random.Random, recipe: Recipe, operand: Operand, taken: set[str]) -> Literal:
    """A filling for an operand that is neither typed nor a value of another recipe.

    Raises:
        Stuck: the name drawn is taken.
    """
    if operand.kind == "choice":
        return Literal(*draw.choice(list(operand.words.items())))
    if operand.kind == "name":
        return _new_name(draw, recipe, operand, taken)
    if operand.kind == "type":
        shared = "<uniform>" in recipe.code or "<storage" in recipe.code  # buffers hold no bool
        full = draw.choice(_TYPES[:-1] if shared else _TYPES)
        return Literal(draw.choice(spellings(full)), full)
    if operand.kind in HEX:
        return Literal(words.hex_digits(draw, HEX[operand.kind]), "")
    if operand.kind == "integer" and re.search(rf"@(group|binding|location|id)\(\{{{operand.key}\}}", recipe.code):
        text = str(draw.randint(0, draw.choice([1, 3, 7])))
        return Literal(text, text)
    if operand.kind == "integer" and f"[{{{operand.key}}}]" in recipe.code:
        return Literal(*words.small_integer(draw))
    if operand.kind == "unsigned":
        return unsigned(draw, recipe)
    return Literal(*_LITERALS[operand.kind](draw))


def unsigned(draw: random.Random, recipe: Recipe) -> Literal:
    """An unsigned number; below 32 where the recipe shifts."""
    shifts = "<<" in recipe.code or ">>" in recipe.code
    text, digits = words.small_integer(draw) if shifts else words.integer(draw)
    return Literal(text, digits + "u")


def draw_range(draw: random.Random) -> tuple[Literal, Literal]:
    """Two different numbers above 0, the smaller one first."""
    first, second = Literal(*words.positive(draw)), Literal(*words.positive(draw))
    while float(first.code) == float(second.code):
        second = Literal(*words.positive(draw))
    return (first, second) if float(first.code) < float(second.code) else (second, first)


def _new_name(draw: random.Random, recipe: Recipe, operand: Operand, taken: set[str]) -> Literal:
    made = words.function_name(draw) if recipe.result == "function" else words.made_name(draw)
    if operand.key[0].isupper() or operand.key.startswith(("struct", "type")):
        made = words.struct_name(draw)
    if made in taken or not words.is_free(made):
        raise Stuck(made)
    return Literal(made, made, frozenset([made]))


def _byte(draw: random.Random) -> tuple[str, str]:
    value = draw.choice([0, 255, 128, 64, 32, 16, 192, 200, 100, draw.randint(0, 255), draw.randint(5, 255)])
    return str(value), converted("int", str(value), "byte")


def _percent(draw: random.Random) -> tuple[str, str]:
    value = draw.choice([10, 20, 25, 30, 40, 50, 60, 70, 75, 80, 90, draw.randint(1, 99)])
    return draw.choice([f"{value}%", f"{value}%", f"{value} percent"]), converted("percent", str(value), "percent")


_LITERALS = {
    "number": words.number,
    "positive": words.positive,
    "unit": words.unit,
    "integer": words.integer,
    "byte": _byte,
    "percent": _percent,
}
