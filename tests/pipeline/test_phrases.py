"""Learning merges with running counts finds what counting everything anew after each merge would find."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from wgsl_infer.phrases import Merge, Phrases, merge
from wgsl_pipeline.phrases import RAREST, learn_merges


def recounted(answers: list[list[int]], mergeable: set[int], first: int, limit: int) -> list[Merge]:
    """The same by counting all pairs of all answers again after every merge."""
    rows = [list(answer) for answer in answers]
    merges: list[Merge] = []
    while len(merges) < limit:
        allowed = mergeable | set(range(first, first + len(merges)))
        counts = Counter(p for row in rows for p in itertools.pairwise(row) if allowed.issuperset(p))
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < RAREST:
            break
        rows = [merge(row, best, first + len(merges)) for row in rows]
        merges.append(best)
    return merges


@pytest.mark.parametrize("seed", range(20))
def test_running_counts_find_the_merges_that_a_recount_finds(seed: int) -> None:
    generator = random.Random(seed)
    tokens = range(10, 10 + generator.randint(2, 6))
    pool = [[generator.choice(tokens) for _ in range(generator.randint(1, 25))] for _ in range(8)]
    answers = [generator.choice(pool) for _ in range(30)]
    mergeable = set(tokens) - ({12} if seed % 2 else set())
    limit = generator.choice([3, 12, 1000])
    found = learn_merges(iter(answers), mergeable, 100, limit)
    assert found == recounted(answers, mergeable, 100, limit)
    assert found


def test_a_run_of_one_token_is_merged_from_the_left() -> None:
    answers = [[7, 7, 7]] * RAREST
    assert learn_merges(answers, {7}, 100, 10) == recounted(answers, {7}, 100, 10) == [(7, 7), (100, 7)]


def test_the_most_frequent_pair_comes_first_and_ties_go_by_token() -> None:
    answers = [[1, 2, 9, 3, 4]] * 5 + [[5, 6]] * 9
    assert learn_merges(answers, {1, 2, 3, 4, 5, 6}, 100, 10) == [(5, 6), (1, 2), (3, 4)]


def test_tokens_that_may_not_be_part_of_a_phrase_are_left_alone() -> None:
    answers = [[1, 2, 3]] * 50
    assert learn_merges(answers, {1, 3}, 100, 10) == []
    assert learn_merges(answers, {1, 2}, 100, 10) == [(1, 2)]


@pytest.mark.parametrize(("uses", "merges"), [(RAREST - 1, []), (RAREST, [(1, 2)])])
def test_a_pair_that_is_too_rare_makes_no_phrase(uses: int, merges: list[Merge]) -> None:
    assert learn_merges([[1, 2]] * uses, {1, 2}, 100, 10) == merges


def test_no_more_merges_are_learned_than_asked_for() -> None:
    answers = [[1, 2, 3, 4, 5, 6, 7, 8]] * 10
    assert learn_merges(answers, set(range(9)), 100, 0) == []
    assert len(learn_merges(answers, set(range(9)), 100, 3)) == 3


def test_what_the_runtime_joins_is_what_was_learned() -> None:
    answers = [[1, 2, 3, 4], [2, 3, 1, 2, 3], [4, 1, 2]] * 4
    merges = learn_merges(answers, {1, 2, 3, 4}, 100, 10)
    phrases = Phrases(100, merges)
    for answer in answers:
        joined = phrases.join(answer)
        assert len(joined) < len(answer)
        assert [part for token in joined for part in phrases.expand(token)] == answer
