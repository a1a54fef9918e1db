"""Draws pairs from recipes: a synchronous grammar whose phrases and codes grow together, type-correct by construction.

The operation is drawn first and evenly, its phrasing second, so one with many phrasings is not seen more often.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from . import words
from .grammar import FORMS, HOLE, VALUES, Cookbook, Operand, Phrase, Recipe
from .literals import draw_literal, draw_range, unsigned
from .noise import third_person
from .pieces import Piece, Stuck, bracketed, part_of, reads_well, write
from .shelf import Shelf
from .types import ENGLISH, TYPED_MENTION, VARIABLES, is_plain, spellings, usual_type

_TRIES = 40  # draws of a value for a statement, function or shader
_NESTING_TRIES = 4
_NESTED = 0.75  # how often an operand is another operation where nesting is wanted
_NUMBERS = 0.35  # how often a scalar behind the first operand is a number
_TYPE_SAID = 0.9  # how often an unusual type that matters is said
_PRONOUNS = ["it", "that", "the result", "it", "this"]
_FIELD = {
    "f32": [
        ("uv.x", "uv.x"), ("uv.y", "uv.y"), ("time", "time"), ("uv x", "uv.x"), ("the x coordinate", "uv.x"),
        ("the y coordinate", "uv.y"), ("the time", "time"), ("uv.x", "uv.x"), ("uv.y", "uv.y"),
    ],
    "vec2<f32>": [("uv", "uv"), ("uv", "uv"), ("the texture coordinates", "uv"), ("the uv coordinates", "uv")],
}  # fmt: skip
_ELEMENT = [
    "each element", "every element", "every value", "each value", "all elements", "each entry", "all values",
    "each number", "each value of data", "every data element", "each element of data", "data[i]",
]  # fmt: skip


@dataclass(frozen=True)
class Surroundings:
    """What free operands may be: any name, or only what a shader offers (`field`, `element`)."""

    kind: str = ""
    say_types: bool = False


@dataclass(frozen=True)
class _Frame:
    """One filling of a recipe under way: what its operands are filled for."""

    recipe: Recipe
    phrase: Phrase
    bound: dict[str, str]  # the types of its type variables
    depth: int
    around: Surroundings
    taken: set[str]

    def type_of(self, operand: Operand) -> str:
        return self.bound.get(operand.type, operand.type)


class Expander:
    """Draws pieces from a cookbook."""

    def __init__(self, book: Cookbook, draw: random.Random) -> None:
        self.draw = draw
        self.shelf = Shelf([r for r in book.recipes if r.result not in FORMS])

    def draw_piece(
        self,
        recipe: Recipe,
        kinds: tuple[str, ...],
        depth: int,
        *,
        wanted: str = "",
        around: Surroundings = Surroundings(),
        taken: frozenset[str] = frozenset(),
        given: Piece | None = None,
    ) -> Piece:
        """One filling of a recipe.

        Args:
            kinds: which of its phrases may be drawn.
            depth: how many operations may be nested, this one included.
            wanted: the type its value must have, if any.
            taken: names that may not be used again.
            given: what an `after` phrase leaves out.

        Raises:
            Stuck: nothing fits.
        """
        bound = self._bind(recipe, wanted, given)
        phrases = [phrase for kind in kinds for phrase in recipe.phrases[kind]]
        if not phrases:
            raise Stuck(recipe.name)
        phrase = self.draw.choice(phrases)
        piece = Piece("", "", bound.get(recipe.result, recipe.result), recipe, used=[f"{recipe.name}|{phrase.text}"])
        piece.opens = phrase.text.startswith("{") and not phrase.text.endswith("}")
        piece.opens = piece.opens or (phrase.text.startswith("{") and phrase.text.count("{") > 1)
        fillings = self._ranges(recipe)
        left_out = _left_out(recipe, phrase, bound, given) if given else None
        frame = _Frame(recipe, phrase, bound, depth, around, set(taken))
        frame.taken.update(key for key in recipe.operands if key not in phrase.holes)
        frame.taken.update(_declared(recipe.code))
        for key, operand in recipe.operands.items():
            if key == left_out:
                assert given is not None
                filling = given if phrase.kind == "after" else replace(given, text=self.draw.choice(_PRONOUNS))
            elif key in fillings:
                filling = fillings[key]
            elif key in phrase.holes:
                filling = self._fill(frame, operand)
            else:
                filling = self._default(frame, operand)
            if filling.recipe is recipe:
                piece.take_names(filling)
            else:
                piece.absorb(filling)
            fillings[key] = filling
            frame.taken.update(filling.names, re.findall(r"[A-Za-z_]\w*", filling.code))
        piece.text = self._say(phrase, fillings)
        piece.code = write(recipe.code, fillings, bound)
        return piece

    def _ranges(self, recipe: Recipe) -> dict[str, Piece]:
        """The operands that are the two ends of a range, drawn together."""
        ends = {operand.kind: key for key, operand in recipe.operands.items() if operand.kind in ("low", "high")}
        if not ends:
            return {}
        low, high = draw_range(self.draw)
        drawn = {"low": low, "high": high}
        return {key: Piece(drawn[kind].text, drawn[kind].code, "", recipe) for kind, key in ends.items()}

    # ------------------------------------------------------------ types

    def _bind(self, recipe: Recipe, wanted: str, given: Piece | None) -> dict[str, str]:
        bound: dict[str, str] = {}
        if wanted and recipe.result in VARIABLES:
            if wanted not in VARIABLES[recipe.result]:
                raise Stuck(recipe.name)
            bound[recipe.result] = wanted
        elif wanted and recipe.result != wanted:
            raise Stuck(recipe.name)
        for operand in recipe.operands.values():
            if operand.type in VARIABLES and operand.type not in bound:
                fits = given is not None and given.type in VARIABLES[operand.type]
                choices = VARIABLES[operand.type]
                bound[operand.type] = given.type if given and fits else self._weighted(choices)
        return bound

    def _weighted(self, choices: dict[str, float]) -> str:
        return self.draw.choices(list(choices), list(choices.values()))[0]

    # ------------------------------------------------------------ fillings

    def _fill(self, frame: _Frame, operand: Operand) -> Piece:
        if operand.kind == "typed":
            return self._nested(frame, operand) or self._leaf(frame, operand)
        if operand.kind in VALUES:
            return self._fill_value(frame, operand)
        text, code, copied = draw_literal(self.draw, frame.recipe, operand, frame.taken)
        return Piece(text, code, "", frame.recipe, copied=set(copied))

    def _nested(self, frame: _Frame, operand: Operand) -> Piece | None:
        """A noun phrase of another recipe, if there shall be one and one reads well there."""
        full, phrase = frame.type_of(operand), frame.phrase
        if frame.depth < 2 or self.draw.random() >= _NESTED or phrase.text.count(f"{{{operand.key}}}") != 1:
            return None
        before, after = phrase.text.split(f"{{{operand.key}}}")
        for _ in range(_NESTING_TRIES):
            try:
                inner = self.shelf.makers(full).draw(self.draw)
                piece = self.draw_piece(
                    inner, ("nouns",), frame.depth - 1, wanted=full, around=frame.around, taken=frozenset(frame.taken)
                )
            except Stuck:
                continue
            if inner is not frame.recipe and reads_well(after, piece.text):
                return replace(piece, text=bracketed(piece, before, after))
        return None

    def _leaf(self, frame: _Frame, operand: Operand) -> Piece:
        """A number or a name."""
        full, recipe, draw = frame.type_of(operand), frame.recipe, self.draw
        first = operand.key == next(iter(recipe.operands))
        if full in ("f32", "i32", "u32") and not first and draw.random() < _NUMBERS:
            if re.search(rf"\[\{{{operand.key}\}}\]", recipe.code):
                raise Stuck("an index is a name")
            return Piece(*self._number(recipe, full), full, recipe)
        if frame.around.kind:
            return self._shader_leaf(frame, full)
        made = text = words.name(draw, full, frame.taken)
        matters = frame.around.say_types or any(f"{{{variable}}}" in recipe.code for variable in VARIABLES)
        unusual = operand.type in VARIABLES and full != usual_type(operand.type)
        if matters and unusual and full in ENGLISH and draw.random() < _TYPE_SAID:
            text = draw.choice(TYPED_MENTION).format(type=draw.choice(ENGLISH[full]), name=made)
        return Piece(text, made, full, recipe, {made: full}, {made})

    def _number(self, recipe: Recipe, full: str) -> tuple[str, str]:
        if full == "f32":
            return words.number(self.draw)
        text, code, _ = unsigned(self.draw, recipe)
        return text, code if full == "u32" else code.removesuffix("u")

    def _shader_leaf(self, frame: _Frame, full: str) -> Piece:
        if frame.around.kind == "element":
            if full != "f32":
                raise Stuck("element")
            return Piece(self.draw.choice(_ELEMENT), "data[i]", full, frame.recipe)
        if full not in _FIELD:
            raise Stuck(full)
        text, code = self.draw.choice(_FIELD[full])
        return Piece(text, code, full, frame.recipe, {code.split(".")[0]: full})

    def _fill_value(self, frame: _Frame, operand: Operand) -> Piece:
        parts = [part for key, _, part in HOLE.findall(frame.phrase.text) if key == operand.key]
        kinds = ("verbs",) if {"verb", "verbs"} & set(parts) and "" not in parts else ("nouns",)
        says_types = not {"typed", "params"} & set(parts)  # the types then stand in the prompt
        is_any = operand.kind == "value"
        around = Surroundings("" if is_any else operand.kind, say_types=says_types)
        for _ in range(_TRIES):
            inner = self.draw.choice(self.shelf.values)
            depth = self.draw.choice([1, 1, 2]) if frame.depth > 1 else 1
            try:
                piece = self.draw_piece(
                    inner, kinds, depth, wanted="" if is_any else "f32", around=around, taken=frozenset(frame.taken)
                )
            except Stuck:
                continue
            if _SUITS[operand.kind](piece):
                return piece
        raise Stuck(operand.key)

    def _default(self, frame: _Frame, operand: Operand) -> Piece:
        if operand.default is not None:
            return Piece("", operand.default, "", frame.recipe)
        full = frame.type_of(operand)
        if frame.around.kind:
            return self._shader_leaf(frame, full)
        if operand.type in VARIABLES and full != usual_type(operand.type) and frame.around.say_types:
            raise Stuck("an operand that is not named has the usual type")
        return Piece("", operand.key, full, frame.recipe, {operand.key: full})

    # ------------------------------------------------------------ text and code

    def _say(self, phrase: Phrase, fillings: dict[str, Piece]) -> str:
        def put(hole: re.Match[str]) -> str:
            piece, part = fillings[hole[1]], hole[3]
            if part == "verbs":
                return third_person(piece.text)
            if part in (None, "verb"):
                return piece.text
            said = part_of(piece, part)
            if not said:
                raise Stuck(part)
            return self.draw.choice(spellings(said)) if part == "type" else said

        return HOLE.sub(put, phrase.text)


def _declared(code: str) -> set[str]:
    """The names that a code declares itself."""
    return set(re.findall(r"\b(?:let|var|const|fn|struct)\s+([A-Za-z_]\w*)", code))


def _reads_one_element(piece: Piece) -> bool:
    """Whether it reads one element, once, and does nothing that only fragment shaders can."""
    return piece.code.count("data[i]") == 1 and not re.search(r"\b(dpd[xy]|fwidth|texture)", piece.code)


# what a piece has to be to fill an operand of each kind of value
_SUITS: dict[str, Callable[[Piece], bool]] = {
    "value": lambda piece: all(map(is_plain, piece.names.values())),
    "field": lambda piece: bool(re.search(r"\b(uv|time)\b", piece.code)),
    "element": _reads_one_element,
}


def _left_out(recipe: Recipe, phrase: Phrase, bound: dict[str, str], given: Piece) -> str:
    """The operand that stands for `given`: the one an `after` phrase leaves out, the first hole of any other."""
    keys = [key for key in recipe.operands if key not in phrase.holes] if phrase.kind == "after" else phrase.holes[:1]
    for key in keys:
        operand = recipe.operands[key]
        if operand.kind == "value" or bound.get(operand.type, operand.type) == given.type:
            return key
    raise Stuck("nothing to put what came before into")
