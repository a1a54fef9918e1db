"""Pairs drawn from recipes in the mix of forms that people ask for."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from .expand import Expander
from .grammar import FORMS, VALUES, Cookbook, Recipe
from .noise import dressed, opened, slipped
from .pieces import Piece, Stuck, is_held_out
from .signature import signed

# how often each form of request is drawn
_FORMS = {"value": 0.3, "composition": 0.24, "statement": 0.16, "function": 0.16, "shader": 0.14}
_WRAPPING = {"statement": 0.5, "function": 0.5, "shader": 0.3}  # of these, how many hold a value of another recipe
_OPENED, _SLIPPED, _SIGNED = 0.12, 0.1, 0.35
_LONGEST = 320  # characters of a prompt
_LONGEST_COMPOSITION = 140


@dataclass(frozen=True)
class Sample:
    """One pair drawn from recipes."""

    prompt: str
    code: str
    category: str
    piece: Piece
    held_out: bool
    misspelt: bool


class Sampler:
    """Draws pairs, without end.

    Args:
        book: the recipes.
        seed: the same seed gives the same pairs.
        held_out: share of the phrasings, and of the combinations of two operations, that is kept for validation.
    """

    def __init__(self, book: Cookbook, seed: int, held_out: float = 0.0) -> None:
        self.book, self.share = book, held_out
        self.draw = random.Random(seed)
        self.expander = Expander(book, self.draw)
        values = self.expander.shelf.values
        self.groups: dict[str, list[Recipe]] = {"value": values, "composition": values}
        for form in FORMS:
            rows = [r for r in book.recipes if r.result == form]
            wraps = [r for r in rows if any(o.kind in VALUES for o in r.operands.values())]
            self.groups[f"{form}+"] = wraps
            self.groups[form] = [r for r in rows if r not in wraps]
        # alone every operation comes up alike; inside others the common ones, which have more phrasings
        self.weights = {form: [row.weight for row in rows] for form, rows in self.groups.items()}
        self.weights["composition"] = [row.weight * row.phrasings for row in values]

    def __iter__(self) -> Iterator[Sample]:
        while True:
            try:
                sample = self._sample()
            except Stuck:
                continue
            if len(sample.prompt) <= (_LONGEST_COMPOSITION if sample.category == "composition" else _LONGEST):
                yield sample

    def _sample(self) -> Sample:
        draw = self.draw
        form = draw.choices(list(_FORMS), list(_FORMS.values()))[0]
        if form in _WRAPPING and draw.random() < _WRAPPING[form] and self.groups[f"{form}+"]:
            form += "+"
        rows = self.groups[form]
        if not rows:
            raise Stuck(form)
        recipe = draw.choices(rows, self.weights[form])[0]
        piece = self._composed(recipe) if form == "composition" else self._plain(recipe, form)
        held_out = bool(self.share) and is_held_out(piece, self.share)
        if form == "function" and draw.random() < _SIGNED:
            request = signed(draw, piece.text, piece.code, piece.copied)
            piece = replace(piece, text=request.text, code=request.code, copied=piece.copied | request.names)
        text = piece.text
        if draw.random() < _OPENED:
            text = opened(draw, text, self.book.openers.get(piece.kind, []))
        misspelt = draw.random() < _SLIPPED
        if misspelt:
            text = slipped(draw, text, piece.copied)
        category = {"composition": "composition", "function+": "functions", "statement+": "statements"}.get(form)
        return Sample(
            dressed(draw, text, piece.copied), piece.code, category or recipe.category, piece, held_out, misspelt
        )

    def _plain(self, recipe: Recipe, form: str) -> Piece:
        depth = 1
        if form.endswith("+"):
            depth = self.draw.choice([1, 1, 2])
        elif form == "statement":
            depth = self.draw.choice([1, 1, 1, 2])
        if form.endswith("+") and recipe.phrases["after"] and self.draw.random() < 0.3:
            return self._into(recipe)
        kind = self._kind(recipe, "questions")
        return replace(self.expander.draw_piece(recipe, (kind,), depth), kind=kind)

    def _into(self, recipe: Recipe) -> Piece:
        """A value, and behind it what to do with it: "normalize v, then store it in dir"."""
        value = self.draw.choice(self.expander.shelf.values)
        kind = self._kind(value)
        given = self.expander.draw_piece(value, (kind,), self.draw.choice([1, 1, 2]))
        whole = self.expander.draw_piece(recipe, ("after",), 1, taken=frozenset(given.names), given=given)
        joint = self.draw.choice([", ", " "])
        return replace(whole, text=f"{given.text}{joint}{whole.text}", kind=kind)

    def _kind(self, recipe: Recipe, *further: str) -> str:
        kinds = [kind for kind in ("nouns", "verbs", *further) if recipe.phrases[kind]]
        return self.draw.choices(kinds, [max(len(recipe.phrases[kind]), 5) for kind in kinds])[0]

    def _composed(self, recipe: Recipe) -> Piece:
        """Two or three operations: nested, or one after the other."""
        draw = self.draw
        kind = self._kind(recipe)
        style = draw.random()
        depth = draw.choice([2, 2, 2, 3])
        if style < 0.55:
            piece = self.expander.draw_piece(recipe, (kind,), depth)
            if piece.depth < 2:
                raise Stuck("nothing nested")
            return replace(piece, kind=kind)
        piece = self.expander.draw_piece(recipe, (kind,), draw.choice([1, 1, 2]))
        for turn in range(draw.choice([1, 1, 2])):
            piece = self._continued(piece, kind, turn)
        return replace(piece, kind=kind)

    def _continued(self, piece: Piece, kind: str, turn: int) -> Piece:
        """The piece with another operation behind it."""
        draw = self.draw
        followers = self.expander.shelf.followers(piece.type)
        for _ in range(8):
            recipe = followers.draw(draw)
            if recipe is piece.recipe:
                continue
            said_after = recipe.phrases["after"] and draw.random() < 0.6
            kinds = ("after",) if said_after else ("verbs",) if recipe.phrases["verbs"] else ("nouns",)
            taken = frozenset(piece.names)
            try:
                whole = self.expander.draw_piece(recipe, kinds, 1, taken=taken, given=piece)
            except Stuck:
                continue
            if said_after:
                if whole.text[0] in "+-*/%^<>=":  # a sign binds what stands next to it
                    piece = replace(piece, text=piece.text if piece.text.isalnum() else f"({piece.text})")
                    return replace(whole, text=f"{piece.text} {whole.text}")
                comma = len(piece.names) > 1 or turn or draw.random() < 0.4
                joint = ", " if comma else " "
            elif kinds == ("nouns",):
                joint = draw.choice([", then take ", ", and then ", "; of that, "])
            else:
                joint = draw.choice([" then ", ", then ", " and then ", " and ", ", and "])
            first = draw.choice(["", "", "", "first "]) if not turn and kind == "verbs" else ""
            return replace(whole, text=f"{first}{piece.text}{joint}{whole.text}")
        raise Stuck("nothing follows")
