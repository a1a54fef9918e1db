"""Merged tokens stand for their parts, and joining and expanding undo each other."""

from __future__ import annotations

import pytest

from wgsl_infer.phrases import Phrases, merge

# 10 = (1, 2), 11 = (10, 3), 12 = (4, 4)
PHRASES = Phrases(10, [(1, 2), (10, 3), (4, 4)])


def test_a_phrase_expands_to_all_its_parts() -> None:
    assert PHRASES.expand(10) == (1, 2)
    assert PHRASES.expand(11) == (1, 2, 3)
    assert PHRASES.expand(12) == (4, 4)


def test_other_tokens_stand_for_themselves() -> None:
    assert PHRASES.expand(9) == (9,)


@pytest.mark.parametrize(
    ("ids", "joined"),
    [
        ([], []),
        ([1], [1]),
        ([1, 2], [10]),
        ([1, 2, 3], [11]),
        ([2, 1, 2, 3, 1, 2], [2, 11, 10]),
        ([4, 4, 4], [12, 4]),
        ([4, 4, 4, 4], [12, 12]),
        ([5, 6, 7], [5, 6, 7]),
    ],
)
def test_joining(ids: list[int], joined: list[int]) -> None:
    assert PHRASES.join(ids) == joined
    assert [part for token in joined for part in PHRASES.expand(token)] == ids


def test_earlier_merges_go_first() -> None:
    assert Phrases(10, [(1, 2), (2, 3)]).join([1, 2, 3]) == [10, 3]
    assert Phrases(10, [(2, 3), (1, 2)]).join([1, 2, 3]) == [1, 10]


def test_without_merges_nothing_is_joined() -> None:
    assert Phrases(10, []).join([1, 2, 3]) == [1, 2, 3]


def test_merge_goes_from_the_left() -> None:
    assert merge([1, 1, 1, 2], (1, 1), 9) == [9, 1, 2]
