"""Are recipes right? What they give is compiled and, where it is a value, run; equal phrasings mean equal values."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

from wgsl_infer.validation import Validator

from ..evaluation.execution import NOT_RUN, Runner
from .check import compile_piece
from .expand import Expander
from .grammar import FORMS, HOLE, Cookbook, Operand, Phrase, Recipe
from .pieces import Piece, Stuck
from .types import VARIABLES

_DRAWS = 12  # of every recipe
_TRIES = 4  # to fill the slots of one draw: its operands may take one name twice
_NUMBERS = ("number", "unit", "positive", "low", "high")


class Fault(NamedTuple):
    """What is wrong with a recipe, and with which of its pairs."""

    recipe: Recipe
    prompt: str
    reason: str

    def __str__(self) -> str:
        return f"{self.recipe.place}: {self.recipe.name}: {self.prompt!r}: {self.reason}"


def verify(book: Cookbook, validator: Validator, draws: int = _DRAWS) -> Iterator[Fault]:
    """What is wrong with the recipes: pairs that do not compile or are never a number, and phrasings at odds."""
    runner = Runner(validator)
    expander = Expander(book, random.Random(0))
    for recipe in book.recipes:
        pieces = list(_drawn(expander, recipe, draws))
        if not pieces:
            yield Fault(recipe, "", "gives nothing")
        diagnostics = ((piece, compile_piece(validator, piece)) for piece in pieces)
        wrong = next(((piece, found) for piece, found in diagnostics if found), None)
        if wrong:
            yield Fault(recipe, wrong[0].text, wrong[1] or "")
        elif pieces and _is_never_a_number(runner, pieces):
            yield Fault(recipe, pieces[0].text, "none of its values is ever a number")
    yield from _at_odds(book, runner)
    yield from _of_two_forms(book)


def _drawn(expander: Expander, recipe: Recipe, draws: int) -> Iterator[Piece]:
    kinds = tuple(kind for kind in ("nouns", "verbs", "questions") if recipe.phrases[kind])
    for _ in range(draws):
        for _ in range(_TRIES):
            try:
                yield expander.draw_piece(recipe, kinds, 1)
                break
            except Stuck:
                continue


def _is_never_a_number(runner: Runner, pieces: list[Piece]) -> bool:
    """Whether the values of all pieces that can be run are infinite or no number, whatever their operands."""
    ran = False
    for piece in pieces[:4]:
        if piece.recipe.result in FORMS:
            return False
        runner.use(piece.code)
        ran |= runner.has_values
        if runner.has_values and runner.outcome(piece.code) != NOT_RUN:
            return False
    return ran


def _at_odds(book: Cookbook, runner: Runner) -> Iterator[Fault]:
    """Phrasings that stand in two recipes and mean different values there."""
    meanings: dict[str, tuple[Recipe, str]] = {}
    for recipe in book.recipes:
        for phrase in (phrase for rows in recipe.phrases.values() for phrase in rows):
            text, code = _numbered(recipe, phrase)
            other, before = meanings.setdefault(text, (recipe, code))
            if code == before or recipe.result in FORMS or HOLE.search(code + before):
                continue
            runner.use(before)
            if runner.outcome(code) != NOT_RUN and runner.outcome(code) != "equal values":
                yield Fault(recipe, phrase.text, f"means {recipe.code} here and {other.code} at {other.place}")


def _of_two_forms(book: Cookbook) -> Iterator[Fault]:
    """Phrasings that ask for a value in one recipe and for a statement, a function or a shader in another."""
    forms: dict[str, Recipe] = {}
    for recipe in book.recipes:
        for phrase in (phrase for kind in ("nouns", "verbs", "questions") for phrase in recipe.phrases[kind]):
            for text in _readings(recipe, phrase):
                other = forms.setdefault(text, recipe)
                if recipe.result != other.result and {recipe.result, other.result} & set(FORMS):
                    form = other.result if other.result in FORMS else "value"
                    yield Fault(recipe, phrase.text, f"asks for a {form} at {other.place}")
                    break


def _readings(recipe: Recipe, phrase: Phrase) -> Iterator[str]:
    """The phrase with each hole said as what may stand there."""
    first = next(iter(recipe.operands), None)
    holes = [(key, _said_as(recipe.operands[key], key == first)) for key in phrase.holes]
    for kinds in product(*(kinds for _, kinds in holes)):
        text = phrase.text.lower()
        for (key, _), kind in zip(holes, kinds, strict=True):
            text = text.replace(f"{{{key.lower()}}}", f"<{kind}>")
        yield text


def _said_as(operand: Operand, first: bool) -> tuple[str, ...]:
    if operand.kind == "value" or (
        operand.kind == "typed" and not first and operand.type in ("f32", "i32", "u32", "I")
    ):
        return ("name", "number")
    if operand.kind in ("typed", "name"):
        return ("name",)
    return ("number",) if operand.kind in _NUMBERS else (operand.kind + operand.type,)


def _numbered(recipe: Recipe, phrase: Phrase) -> tuple[str, str]:
    """A phrase and its code, holes numbered in the order of the phrase and marked with what may fill them."""
    text, code = phrase.text, recipe.code
    for number, key in enumerate(phrase.holes):
        text = text.replace(f"{{{key}}}", f"<{number} {_filling(recipe.operands[key])}>")
        code = code.replace(f"{{{key}}}", f"o{number}")
    for key, operand in recipe.operands.items():
        code = code.replace(f"{{{key}}}", operand.default or ("before" if phrase.kind == "after" else key))
    return f"{phrase.kind} {text.lower()}", code


def _filling(operand: Operand) -> str:
    if operand.kind == "typed" and (operand.type in ("f32", "T") or operand.type not in VARIABLES):
        return "f32" if operand.type == "T" else operand.type
    return {"typed": "vector", "choice": operand.type}.get(
        operand.kind, "f32" if operand.kind in _NUMBERS else operand.kind
    )
