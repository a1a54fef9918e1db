"""One slip of the keys is forgiven in words that have few neighbours."""

from __future__ import annotations

import pytest

from wgsl_infer.typos import LONGEST, nearest

WORDS = {"vector": 0, "normalize": 1, "shader": 2, "shades": 3, "color": 4, "blend": 5, "mix": 6, "a" * LONGEST: 7}


@pytest.mark.parametrize(
    ("slip", "word"),
    [
        ("vctor", "vector"),
        ("vecttor", "vector"),
        ("vecror", "vector"),
        ("vcetor", "vector"),
        ("vectr", "vector"),
        ("avector", "vector"),
        ("vectorx", "vector"),
        ("normalise", "normalize"),
        ("colour", "color"),
    ],
)
def test_one_edit_is_forgiven(slip: str, word: str) -> None:
    assert nearest(slip, WORDS) == word


@pytest.mark.parametrize(
    "word",
    [
        "vcetro",  # two edits
        "vektro",
        "miy",  # too short
        "blen",
        "mixx",
        "Vctor",  # names, by their looks
        "vctoR",
        "vect0r",
        "vec_tor",
        "vectör",
        "",
        "a" * (LONGEST + 1),
    ],
)
def test_other_words_are_left_alone(word: str) -> None:
    assert nearest(word, WORDS) is None


def test_no_short_word_is_put_in_place_of_a_long_one() -> None:
    assert nearest("mixes", {"mixe": 0}) is None


def test_of_several_neighbours_the_most_frequent_wins() -> None:
    assert nearest("shadex", WORDS) == "shader"
    assert nearest("shadex", {"shader": 3, "shades": 2}) == "shades"
