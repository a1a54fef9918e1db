"""What people add to a request: an opener, a capital letter, a full stop, a slip of the keys."""

from __future__ import annotations

import random
import re
from collections.abc import Set

_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SHORTEST_SLIP = 5  # letters of a word that may be misspelt: shorter ones have too many neighbours
_PLURALS = ("s", "x", "z", "ch", "sh", "o")


def opened(draw: random.Random, text: str, openers: list[str]) -> str:
    """The request inside an opener such as "how do i {}"."""
    return draw.choice(openers).replace("{}", text) if openers else text


def dressed(draw: random.Random, text: str, names: Set[str]) -> str:
    """Now and then a capital at the start, unless a name stands there, or a full stop."""
    first = re.match(r"[a-z]\w+", text)
    if draw.random() < 0.06 and first and first.group() not in names:
        text = text[0].upper() + text[1:]
    return text + "." if draw.random() < 0.03 and text[-1].isalnum() else text


def slipped(draw: random.Random, text: str, names: Set[str]) -> str:
    """The text with one letter of one word dropped, doubled, replaced or swapped with the next; never in a name."""
    words = [
        match
        for match in re.finditer(r"(?<![\w.#])[a-z]+(?![\w.(])", text)
        if len(match.group()) >= _SHORTEST_SLIP and match.group() not in names
    ]
    if not words:
        return text
    place = draw.choice(words)
    word = place.group()
    k = draw.randrange(len(word) - 1) if draw.random() < 0.9 else len(word) - 1
    kind = draw.randrange(4)
    if kind == 0:
        word = word[:k] + word[k + 1 :]
    elif kind == 1:
        word = word[:k] + word[k] + word[k:]
    elif kind == 2:
        word = word[:k] + draw.choice(_LETTERS) + word[k + 1 :]
    else:
        word = word[:k] + word[k + 1 : k + 2] + word[k] + word[k + 2 :]
    return text[: place.start()] + word + text[place.end() :]


def third_person(command: str) -> str:
    """A command as what somebody does: "scale v, then clamp it" -> "scales v, then clamps it"."""
    text = re.sub(r"\A([a-z]+)", lambda m: _conjugated(m[1]), command)
    return re.sub(r"\b((?:and |, )?then )([a-z]+)", lambda m: m[1] + _conjugated(m[2]), text)


def _conjugated(verb: str) -> str:
    if verb in ("is", "does", "the", "it", "by", "to", "from") or verb.endswith("ed"):
        return verb
    if verb in ("have", "be", "do", "go"):
        return {"have": "has", "be": "is", "do": "does", "go": "goes"}[verb]
    if verb.endswith("y") and verb[-2:-1] not in "aeiou":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(_PLURALS) else "s")
