"""The recipes of this repository: there are enough, they cover what they should, and all of them are right."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from wgsl_infer.validation import Validator
from wgsl_infer.wgsl_words import FUNCTIONS
from wgsl_pipeline.recipes.grammar import Cookbook
from wgsl_pipeline.recipes.read import read_cookbook
from wgsl_pipeline.recipes.verify import verify

RECIPES = Path(__file__).parents[2] / "data" / "recipes"
# behind an extension or newer than the browsers: not asked for
RARE = re.compile(r"subgroup|quad[A-Z]|buffer[A-Z]")


@pytest.fixture(scope="module")
def book() -> Cookbook:
    return read_cookbook(RECIPES)


def test_there_are_thousands_of_phrasings_each_written_once(book: Cookbook) -> None:
    assert book.count_phrases() > 30_000
    for recipe in book.recipes:
        for phrases in recipe.phrases.values():
            counts = Counter(phrase.text for phrase in phrases)
            assert not [text for text, count in counts.items() if count > 1], recipe.place


def test_every_built_in_function_has_fifteen_phrasings(book: Cookbook) -> None:
    counts: Counter[str] = Counter()
    for recipe in book.recipes:
        for word in set(re.findall(r"\w+", recipe.code)):
            counts[word] += sum(map(len, recipe.phrases.values()))
    asked = [name for name in FUNCTIONS if not RARE.match(name)]
    assert len(asked) == 121
    assert {name: counts[name] for name in asked if counts[name] < 15} == {}


def test_every_css_color_has_its_value(book: Cookbook) -> None:
    colors = next(table for (_, name), table in book.choices.items() if name == "css")
    # a few of each kind: the corners of the cube, the grays, and values that are easily mixed up
    wanted = {
        "green": (0, 255, 0),
        "lime": (0, 255, 0),
        "gray": (128, 128, 128),
        "dark gray": (169, 169, 169),
        "orange": (255, 165, 0),
        "rebeccapurple": (102, 51, 153),
        "cornflowerblue": (100, 149, 237),
        "teal": (0, 128, 128),
        "navy": (0, 0, 128),
        "light goldenrod yellow": (250, 250, 210),
    }
    for name, channels in wanted.items():
        assert [float(text) for text in colors[name].split(", ")] == pytest.approx(
            [c / 255 for c in channels], abs=6e-4
        )
    assert len(set(colors.values())) >= 138  # of 148 names, some share a value


def test_no_recipe_is_wrong(book: Cookbook, validator: Validator) -> None:
    assert [str(fault) for fault in verify(book, validator, draws=3)] == []
