"""Phrases: runs of lexemes that answers keep using (`vec3<f32>(`, `-> @location(0) vec4<f32> {`) as single tokens.

They are byte-pair merges (Sennrich et al. 2016) over lexemes instead of characters: an answer of 60 lexemes takes 20
steps to decode. Slots, numbers spelled out and special tokens are never part of one.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

Merge = tuple[int, int]


class Phrases:
    """Merges in the order in which they were learned; the k-th makes the token `first + k` out of two earlier ones."""

    def __init__(self, first: int, merges: Sequence[Merge]) -> None:
        self.first = first
        self.merges = [(int(a), int(b)) for a, b in merges]
        self._ranks = {merge: k for k, merge in enumerate(self.merges)}
        self._expansions: list[tuple[int, ...]] = []
        for left, right in self.merges:
            self._expansions.append((*self.expand(left), *self.expand(right)))

    def expand(self, token: int) -> tuple[int, ...]:
        """The lexeme tokens that a token stands for; most stand for themselves."""
        return self._expansions[token - self.first] if token >= self.first else (token,)

    def join(self, ids: Sequence[int]) -> list[int]:
        """The same answer with phrases in place of what they stand for, earliest learned merges first."""
        joined = list(ids)
        while len(joined) > 1 and self._ranks:
            rank = min(self._ranks.get(pair, len(self.merges)) for pair in itertools.pairwise(joined))
            if rank == len(self.merges):
                break
            joined = merge(joined, self.merges[rank], self.first + rank)
        return joined


def merge(ids: Sequence[int], pair: Merge, token: int) -> list[int]:
    """`ids` with every occurrence of `pair` replaced by `token`, from the left."""
    out: list[int] = []
    k = 0
    while k < len(ids):
        if k + 1 < len(ids) and ids[k] == pair[0] and ids[k + 1] == pair[1]:
            out.append(token)
            k += 2
        else:
            out.append(ids[k])
            k += 1
    return out
