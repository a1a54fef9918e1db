"""Learns which runs of lexemes become tokens of their own (see `wgsl_infer.phrases`)."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable

from wgsl_infer.phrases import Merge, merge

RAREST = 4  # a merge that fewer training answers would use is not worth a token


def learn_merges(answers: Iterable[list[int]], mergeable: set[int], first: int, limit: int) -> list[Merge]:
    """The `limit` most frequent merges, most frequent first (ties by token), each counted after the ones before it.

    Args:
        answers: token ids of training answers.
        mergeable: the tokens that may be part of a phrase.
        first: the id of the first phrase.
        limit: most merges wanted.
    """
    sequences = Counter(tuple(answer) for answer in answers)
    rows = [list(ids) for ids in sequences]
    weights = list(sequences.values())
    counts: Counter[Merge] = Counter()
    places: defaultdict[Merge, set[int]] = defaultdict(set)
    for k, row in enumerate(rows):
        for pair in _pairs(row, mergeable):
            counts[pair] += weights[k]
            places[pair].add(k)
    merges: list[Merge] = []
    while len(merges) < limit and counts:
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        if counts[best] < RAREST:
            break
        token = first + len(merges)
        mergeable = mergeable | {token}
        merges.append(best)
        for k in sorted(places.pop(best)):
            for pair in _pairs(rows[k], mergeable):
                counts[pair] -= weights[k]
            rows[k] = merge(rows[k], best, token)
            for pair in _pairs(rows[k], mergeable):
                counts[pair] += weights[k]
                places[pair].add(k)
        counts.pop(best, None)
    return merges


def _pairs(row: list[int], mergeable: set[int]) -> list[Merge]:
    return [(a, b) for a, b in itertools.pairwise(row) if a in mergeable and b in mergeable]
