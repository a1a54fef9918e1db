"""Greedy and beam search over any model that predicts the next token.

Legend: B rows (prompts, or hypotheses of one prompt), V vocabulary. Scores are sums of natural log-probabilities, taken
after the tokens that an answer may not hold have been masked out, so they are those of the answers that can be given.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from .tokenizer import EOS, PAD, SOS

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]


class StepModel(Protocol):
    """A decoder in the middle of a batch. Rows are advanced together, one token a step."""

    def step(self, tokens: NDArray[np.int64]) -> Floats:
        """Append one token to every row ([B]) and return the logits of the next, [B, V]."""
        ...

    def select(self, rows: NDArray[np.int64]) -> None:
        """Go on with these rows, in this order; a row may be left out or taken more than once."""
        ...


class Guide(Protocol):
    """What an answer may become: asked about single tokens, most probable first."""

    def after(self, token: int) -> Guide | None:
        """The guide of the answer with one more token; None if that token cannot stand there."""
        ...


@dataclass(frozen=True)
class Hypothesis:
    """One answer as token ids without `<sos>` and `<eos>`.

    Attributes:
        ids: the tokens.
        log_probability: of the whole answer, `<eos>` included where it is complete.
        score: the log-probability over the length penalty.
        complete: whether `<eos>` was reached within the limit.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float
    complete: bool


def length_penalty(length: int, alpha: float) -> float:
    """What a log-probability is divided by, ((5 + length) / 6) ** alpha (Wu et al. 2016, equation 14)."""
    return float(((5.0 + length) / 6.0) ** alpha)


def masked_log_softmax(logits: Floats, mask: Mask) -> NDArray[np.float64]:
    """Log-probabilities over the allowed tokens, minus infinity for the others. [B, V] and [B, V] or [V] -> [B, V]."""
    allowed = np.where(mask, logits.astype(np.float64), -np.inf)
    shifted = allowed - allowed.max(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        normalised: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normalised


def greedy(
    model: StepModel, masks: Mask, *, max_tokens: int, alpha: float = 1.0, guides: Sequence[Guide] | None = None
) -> list[Hypothesis]:
    """The most probable next token, step by step, for every row at once.

    Rows that are done leave the batch, so a long answer does not make the short ones wait.

    Args:
        model: at its start, with as many rows as `masks`.
        masks: the tokens each row's answer may hold, [B, V].
        max_tokens: most tokens of an answer, without `<sos>` and `<eos>`.
        alpha: exponent of the length penalty, for the scores alone.
        guides: of each row; the most probable token that they admit is taken, and a row of which they admit none
            ends there, not complete. None: any token is admitted.
    """
    count = masks.shape[0]
    ids: list[list[int]] = [[] for _ in range(count)]
    totals = np.zeros(count)
    complete = np.zeros(count, dtype=np.bool_)
    rows = np.arange(count)
    tokens = np.full(count, SOS, dtype=np.int64)
    current = list(guides) if guides else []
    for length in range(max_tokens + 1):
        log_probabilities = masked_log_softmax(model.step(tokens), masks[rows])
        tokens = log_probabilities.argmax(axis=-1)
        stuck = np.zeros(len(rows), dtype=np.bool_)
        for k, row in enumerate(rows if current else ()):
            found = _most_probable(log_probabilities[k], current[row])
            if found is None:
                stuck[k] = True
            else:
                tokens[k], current[row] = found
        ended = (tokens == EOS) & ~stuck
        open_ = ~(ended | stuck)
        # behind the last token that fits, only the end counts
        gains = log_probabilities[np.arange(len(rows)), tokens]
        totals[rows] += np.where(ended | (open_ & (length < max_tokens)), gains, 0.0)
        complete[rows[ended]] = True
        rows, tokens = rows[open_], tokens[open_]
        if not len(rows) or length == max_tokens:
            break
        if not open_.all():
            model.select(np.flatnonzero(open_))
        for row, token in zip(rows, tokens, strict=True):
            ids[row].append(int(token))
    return [
        Hypothesis(tuple(path), float(total), float(total) / length_penalty(len(path) + int(done), alpha), bool(done))
        for path, total, done in zip(ids, totals, complete, strict=True)
    ]


def _most_probable(log_probabilities: NDArray[np.float64], guide: Guide) -> tuple[int, Guide] | None:
    """The most probable token that a guide admits; None if it admits none that is possible at all."""
    for token in _largest(log_probabilities, len(log_probabilities)):
        found = guide.after(int(token))
        if found is not None:
            return int(token), found
    return None


def greedy_tokens(model: StepModel, mask: Mask, *, max_tokens: int, guide: Guide | None = None) -> Iterator[int]:
    """The tokens of one row's greedy answer as they are found, `<eos>` not among them.

    Args:
        model: at its start, with one row.
        mask: the tokens the answer may hold, [V].
        max_tokens: most tokens of the answer.
        guide: admits the tokens of the answer; None: all are admitted.
    """
    token = SOS
    for _ in range(max_tokens):
        log_probabilities = masked_log_softmax(model.step(np.array([token])), mask)[0]
        if guide is None:
            token = int(log_probabilities.argmax())
        else:
            found = _most_probable(log_probabilities, guide)
            if found is None:
                return
            token, guide = found
        if token == EOS:
            return
        yield token


def beam(
    model: StepModel, mask: Mask, *, width: int, max_tokens: int, alpha: float = 1.0, guide: Guide | None = None
) -> list[Hypothesis]:
    """The best complete answers to one prompt, best score first; at most `width` of them.

    The search ends when no open hypothesis can still beat the worst of `width` finished ones, even if it grew to the
    limit without losing probability. If none finishes within the limit, the best open one is returned, not complete.

    Args:
        model: at its start, with one row.
        mask: the tokens the answer may hold, [V].
        width: hypotheses kept after every step.
        max_tokens: most tokens of an answer, without `<sos>` and `<eos>`.
        alpha: exponent of the length penalty; 0 compares plain log-probabilities.
        guide: admits the tokens of an answer; None: all are admitted.
    """
    guides = [guide]
    paths: list[tuple[int, ...]] = [()]
    totals = np.zeros(1)
    tokens = np.full(1, SOS, dtype=np.int64)
    finished: list[Hypothesis] = []
    for length in range(1, max_tokens + 2):
        candidates = totals[:, None] + masked_log_softmax(model.step(tokens), mask)
        for row in np.flatnonzero(candidates[:, EOS] > -np.inf):
            if (here := guides[row]) is not None and here.after(EOS) is None:
                continue
            total = float(candidates[row, EOS])
            finished.append(Hypothesis(paths[row], total, total / length_penalty(length, alpha), True))
        finished = sorted(finished, key=lambda h: -h.score)[:width]
        candidates[:, EOS] = -np.inf
        if length == max_tokens + 1:
            break
        best, guides = _admitted(candidates, width, guides)
        rows, tokens = np.divmod(best, candidates.shape[1])
        totals = candidates.ravel()[best]
        paths = [(*paths[row], int(token)) for row, token in zip(rows, tokens, strict=True)]
        if not len(best):
            break
        attainable = float(totals[0]) / length_penalty(max_tokens + 1, alpha)
        if len(finished) == width and finished[-1].score >= attainable:
            break
        model.select(rows)
    if finished or not paths:
        return finished
    return [Hypothesis(paths[0], float(totals[0]), float(totals[0]) / length_penalty(len(paths[0]), alpha), False)]


def _admitted(
    candidates: NDArray[np.float64], width: int, guides: Sequence[Guide | None]
) -> tuple[NDArray[np.int64], list[Guide | None]]:
    """Places of the `width` largest candidates that their rows' guides admit, and the guides behind them."""
    if guides[0] is None:
        best = _largest(candidates.ravel(), width)
        return best, [None] * len(best)
    looked_at = width
    while True:
        looked_at *= 4
        order = _largest(candidates.ravel(), looked_at)
        found: list[tuple[int, Guide]] = []
        for place in order:
            row, token = divmod(int(place), candidates.shape[1])
            here = guides[row]
            behind = here.after(token) if here is not None else None
            if behind is not None:
                found.append((int(place), behind))
                if len(found) == width:
                    break
        if len(found) == width or len(order) < looked_at:
            return np.array([place for place, _ in found], dtype=np.int64), [behind for _, behind in found]


def _largest(values: NDArray[np.float64], count: int) -> NDArray[np.int64]:
    """Indices of the `count` largest values above minus infinity, largest first; ties by index."""
    count = min(count, len(values))
    picked = np.argpartition(-values, count - 1)[:count]
    ordered = picked[np.lexsort((picked, -values[picked]))]
    return ordered[values[ordered] > -np.inf].astype(np.int64)


def pad(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Rows of token ids as one array padded to the longest, [B, S]."""
    longest = max(len(row) for row in rows)
    return np.array([[*row, *[PAD] * (longest - len(row))] for row in rows], dtype=np.int64)
