"""The recipes of values by type: which can fill an operand, and which can go on from a value."""

from __future__ import annotations

import random
from itertools import accumulate

from .grammar import Recipe
from .pieces import Stuck
from .types import VARIABLES


class Weighted:
    """Recipes of which the common ones, which have more phrasings, are drawn more often."""

    def __init__(self, recipes: list[Recipe], kind: str = "") -> None:
        self.recipes = recipes
        self._weights = list(accumulate(len(r.phrases[kind]) if kind else r.phrasings for r in recipes))

    def draw(self, draw: random.Random) -> Recipe:
        """One of them.

        Raises:
            Stuck: there are none.
        """
        if not self.recipes:
            raise Stuck("no recipe fits")
        return draw.choices(self.recipes, cum_weights=self._weights)[0]


class Shelf:
    """The recipes that give values, looked up by type."""

    def __init__(self, values: list[Recipe]) -> None:
        self.values = values
        self._makers: dict[str, Weighted] = {}
        self._followers: dict[str, Weighted] = {}

    def makers(self, full: str) -> Weighted:
        """The recipes with noun phrases whose value can have this type."""
        if full not in self._makers:
            fitting = [r for r in self.values if r.phrases["nouns"] and _can_be(r.result, full)]
            self._makers[full] = Weighted(fitting, "nouns")
        return self._makers[full]

    def followers(self, full: str) -> Weighted:
        """The recipes that can go on from a value of this type."""
        if full not in self._followers:
            fitting = [r for r in self.values if any(_can_be(o.type, full) for o in r.operands.values())]
            self._followers[full] = Weighted(fitting)
        return self._followers[full]


def _can_be(declared: str, full: str) -> bool:
    """Whether what is declared as a type or type variable can be of this type."""
    return declared == full or full in VARIABLES.get(declared, {})
