"""A word that is one slip of the keys away from a known one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

SHORTEST = 5  # letters; shorter words have too many neighbours
LONGEST = 30  # letters; what is longer is no English word, and has thousands of neighbours

_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def nearest(word: str, vocabulary: Mapping[str, int]) -> str | None:
    """The known word of `SHORTEST` letters or more that is one edit away from `word`, or None.

    An edit inserts, drops or replaces a letter or swaps two neighbours (Damerau 1964). Only words all in lower case are
    looked at: anything else is a name. Of several neighbours the one with the smallest rank in `vocabulary` wins.
    """
    if not SHORTEST <= len(word) <= LONGEST or not word.isalpha() or not word.isascii() or not word.islower():
        return None
    known = {w for w in _edits(word) if len(w) >= SHORTEST and w in vocabulary}
    return min(known, key=lambda w: vocabulary[w], default=None)


def _edits(word: str) -> Iterator[str]:
    for k in range(len(word) + 1):
        head, tail = word[:k], word[k:]
        if tail:
            yield head + tail[1:]
        if len(tail) > 1:
            yield head + tail[1] + tail[0] + tail[2:]
        for letter in _LETTERS:
            yield head + letter + tail
            if tail:
                yield head + letter + tail[1:]
