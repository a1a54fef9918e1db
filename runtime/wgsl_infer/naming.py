"""Names of functions that nobody named: where the model's own is no English, one made of the prompt's words."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Collection, Sequence

from .english import pieces
from .wgsl_words import RESERVED, is_predeclared

_SEGMENT = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_SHORTEST = 3  # letters of a segment that has to be a word; shorter ones are abbreviations such as `sd` or `uv`
_MOST_WORDS = 4
# words that say that a function is wanted, or hold the sentence together
_EMPTY = frozenset(
    """
    a an the function functions fn func method that which for of me i my we you need want please write make create
    give get implement define declare build code show how do does can could would should like is are in wgsl shader
    returns return returning gives giving takes take taking with and or from by on at as it its this these two three
    using use called named whether if when so just some helper routine calculates calculating computes computing
    """.split()
)


def with_names(
    lexemes: Sequence[str], prompt: str, is_word: Callable[[str], bool], is_known: Callable[[str], bool]
) -> list[str]:
    """An answer whose functions have names that can be read.

    Args:
        lexemes: of the answer.
        prompt: what it answers.
        is_word: whether a word in lower case is one of prompts.
        is_known: whether a lexeme is one that answers often hold, which the model does not spell.
    """
    said = set(re.findall(r"\w+", prompt))
    taken = set(lexemes)
    new: dict[str, str] = {}
    for before, name in itertools.pairwise(lexemes):
        if before == "fn" and name not in said and not is_known(name) and not _can_be_read(name, is_word):
            found = _from_prompt(prompt, is_word, taken)
            if found and found not in taken:
                new[name] = found
                taken.add(found)
    return [new.get(lexeme, lexeme) for lexeme in lexemes]


def _can_be_read(name: str, is_word: Callable[[str], bool]) -> bool:
    segments = [segment.lower() for segment in _SEGMENT.findall(name)]
    return all(len(segment) < _SHORTEST or segment.isdigit() or is_word(segment) for segment in segments)


def _from_prompt(prompt: str, is_word: Callable[[str], bool], used: Collection[str]) -> str:
    """The first telling words of a prompt in one, `celsiusToFahrenheit`; nothing if that is no free name.

    Args:
        used: lexemes of the answer: what names a parameter tells nothing of the function.
    """
    words = [piece.text.lower() for piece in pieces(prompt) if piece.kind == "word" and piece.text.isalnum()]
    telling = [w for w in words if w not in _EMPTY and w not in used and (is_word(w) or len(w) > _SHORTEST)]
    while telling and (telling[0] == "to" or not telling[0][0].isalpha()):
        telling.pop(0)
    telling = telling[:_MOST_WORDS]
    while telling and telling[-1] == "to":
        telling.pop()
    name = "".join([*telling[:1], *(word.capitalize() for word in telling[1:])])
    usable = re.fullmatch(r"[a-z][a-zA-Z0-9]*", name) and name not in RESERVED and not is_predeclared(name)
    return name if usable else ""
