"""Draws pairs from recipes: a synchronous grammar whose phrases and codes grow together, type-correct by construction.

The operation is drawn first and evenly, its phrasing second, so one with many phrasings is not seen more often.
"""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, replace

from . import words
from .grammar import HOLE, Cookbook, Operand, Phrase, Recipe
from .literals import draw_literal, draw_range, unsigned
from .noise import third_person
from .pieces import Piece, Stuck, bracketed, part_of, reads_well, write
from .types import ENGLISH, TYPED_MENTION, VARIABLES, is_plain, spellings, usual_type

_TRIES = 40
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


class Expander:
    """Draws pieces from a cookbook."""

    def __init__(self, book: Cookbook, draw: random.Random) -> None:
        self.book, self.draw = book, draw
        self.values = [r for r in book.recipes if r.result not in ("statement", "function", "shader")]
        self._makers: dict[str, list[Recipe]] = {}
        self._weights: dict[str, list[float]] = {}

    def makers(self, full: str) -> list[Recipe]:
        """The recipes with noun phrases whose value can have this type."""
        if full not in self._makers:
            self._makers[full] = [
                r
                for r in self.values
                if r.phrases["nouns"] and (r.result == full or full in VARIABLES.get(r.result, {}))
            ]
        return self._makers[full]

    def _weighted_makers(self, full: str) -> tuple[list[Recipe], list[float]]:
        """The makers of a type, each with how often it is drawn: common operations have more phrasings."""
        if full not in self._weights:
            self._weights[full] = [float(len(r.phrases["nouns"])) for r in self.makers(full)]
        return self.makers(full), self._weights[full]

    def followers(self, full: str) -> list[Recipe]:
        """The recipes that can go on from a value of this type."""
        key = f"after {full}"
        if key not in self._makers:
            self._makers[key] = [
                r
                for r in self.values
                if any(
                    o.kind == "typed" and (o.type == full or full in VARIABLES.get(o.type, {}))
                    for o in r.operands.values()
                )
            ]
        return self._makers[key]

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
        names = set(taken) | {key for key in recipe.operands if key not in phrase.holes} | _declared(recipe.code)
        for key, operand in recipe.operands.items():
            if key == left_out:
                assert given is not None
                filling = given if phrase.kind == "after" else replace(given, text=self.draw.choice(_PRONOUNS))
            elif key in fillings:
                filling = fillings[key]
            elif key in phrase.holes:
                filling = self._fill(recipe, operand, phrase, bound, depth, around, names)
            else:
                filling = self._default(recipe, operand, bound, around)
            if filling.recipe is recipe:
                piece.take_names(filling)
            else:
                piece.absorb(filling)
            fillings[key] = filling
            names |= set(filling.names) | set(re.findall(r"[A-Za-z_]\w*", filling.code))
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

    def _fill(
        self, recipe: Recipe, operand: Operand, phrase: Phrase, bound: dict[str, str], depth: int,
        around: Surroundings, names: set[str],
    ) -> Piece:  # fmt: skip
        if operand.kind == "typed":
            full = bound.get(operand.type, operand.type)
            return self._fill_typed(recipe, operand, phrase, full, depth, around, names)
        if operand.kind in ("value", "field", "element"):
            return self._fill_value(operand, phrase, depth, names)
        text, code, copied = draw_literal(self.draw, self.book, recipe, operand, names)
        return Piece(text, code, "", recipe, copied=set(copied))

    def _fill_typed(
        self, recipe: Recipe, operand: Operand, phrase: Phrase, full: str, depth: int,
        around: Surroundings, names: set[str],
    ) -> Piece:  # fmt: skip
        first = operand.key == next(iter(recipe.operands))
        nest = 0.75 if depth > 1 else 0.0
        if nest and self.draw.random() < nest and _can_hold(phrase, operand.key) and self.makers(full):
            for _ in range(4):
                inner = self.draw.choices(*self._weighted_makers(full))[0]
                try:
                    piece = self.draw_piece(
                        inner, ("nouns",), depth - 1, wanted=full, around=around, taken=frozenset(names)
                    )
                except Stuck:
                    continue
                if inner is recipe or not reads_well(phrase, operand.key, piece.text):
                    continue
                before, after = phrase.text.split(f"{{{operand.key}}}")
                return replace(piece, text=bracketed(piece, before, after))
        if full in ("f32", "i32", "u32") and not first and self.draw.random() < 0.35:
            if re.search(rf"\[\{{{operand.key}\}}\]", recipe.code):
                raise Stuck("an index is a name")
            return Piece(*self._number(recipe, full), full, recipe)
        if around.kind:
            return self._shader_leaf(recipe, full, around)
        made = words.name(self.draw, full, names)
        text = made
        matters = around.say_types or any(f"{{{variable}}}" in recipe.code for variable in VARIABLES)
        open_type = operand.type in VARIABLES and full != usual_type(operand.type)
        if matters and open_type and full in ENGLISH and self.draw.random() < 0.9:
            text = self.draw.choice(TYPED_MENTION).format(type=self.draw.choice(ENGLISH[full]), name=made)
        return Piece(text, made, full, recipe, {made: full}, {made})

    def _number(self, recipe: Recipe, full: str) -> tuple[str, str]:
        if full == "f32":
            return words.number(self.draw)
        text, code, _ = unsigned(self.draw, recipe)
        return text, code if full == "u32" else code.removesuffix("u")

    def _shader_leaf(self, recipe: Recipe, full: str, around: Surroundings) -> Piece:
        if around.kind == "element":
            if full != "f32":
                raise Stuck("element")
            return Piece(self.draw.choice(_ELEMENT), "data[i]", full, recipe)
        if full not in _FIELD:
            raise Stuck(full)
        text, code = self.draw.choice(_FIELD[full])
        return Piece(text, code, full, recipe, {code.split(".")[0]: full})

    def _fill_value(self, operand: Operand, phrase: Phrase, depth: int, names: set[str]) -> Piece:
        around = Surroundings(
            "" if operand.kind == "value" else operand.kind,
            say_types="typed" not in phrase.text and "params" not in phrase.text,
        )
        wants = [
            part for key, _, part in HOLE.findall(phrase.text) if key == operand.key and part in ("", "verb", "verbs")
        ]
        kinds = ("nouns",) if "" in wants or not wants else ("verbs",)
        wanted = "" if operand.kind == "value" else "f32"
        for _ in range(_TRIES):
            inner = self.draw.choice(self.values)
            deep = self.draw.choice([1, 1, 2]) if depth > 1 else 1
            try:
                piece = self.draw_piece(inner, kinds, deep, wanted=wanted, around=around, taken=frozenset(names))
            except Stuck:
                continue
            if operand.kind == "element" and not _works_on_elements(piece.code):
                continue
            if operand.kind == "field" and not re.search(r"\b(uv|time)\b", piece.code):
                continue
            if operand.kind == "value" and not all(map(is_plain, piece.names.values())):
                continue
            return piece
        raise Stuck(operand.key)

    def _default(self, recipe: Recipe, operand: Operand, bound: dict[str, str], around: Surroundings) -> Piece:
        if operand.default is not None:
            return Piece("", operand.default, "", recipe)
        full = bound.get(operand.type, operand.type)
        if around.kind:
            return self._shader_leaf(recipe, full, around)
        if operand.type in VARIABLES and full != usual_type(operand.type) and around.say_types:
            raise Stuck("an operand that is not named has the usual type")
        return Piece("", operand.key, full, recipe, {operand.key: full})

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


def _works_on_elements(code: str) -> bool:
    """Whether it reads one element, once, and does nothing that only fragment shaders can."""
    return code.count("data[i]") == 1 and not re.search(r"\b(dpd[xy]|fwidth|texture)", code)


def _left_out(recipe: Recipe, phrase: Phrase, bound: dict[str, str], given: Piece) -> str:
    """The operand that stands for `given`: the one an `after` phrase leaves out, the first hole of any other."""
    keys = [key for key in recipe.operands if key not in phrase.holes] if phrase.kind == "after" else phrase.holes[:1]
    for key in keys:
        operand = recipe.operands[key]
        if operand.kind == "value" or bound.get(operand.type, operand.type) == given.type:
            return key
    raise Stuck("nothing to put what came before into")


def _can_hold(phrase: Phrase, key: str) -> bool:
    return phrase.text.count(f"{{{key}}}") == 1
