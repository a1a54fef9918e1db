"""Greedy and beam search over any model that predicts the next token.

Legend: B rows (prompts, or hypotheses of one prompt), V vocabulary, A tokens of answers. Scores are sums of natural
log-probabilities, taken after the tokens that an answer may not hold have been masked out, so they are those of the
answers that can be given.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from .tokens import EOS, PAD, REFUSAL, SOS

if TYPE_CHECKING:  # it takes longer to import than all of this package
    from numpy.typing import NDArray

    Floats = NDArray[np.float32]
    Mask = NDArray[np.bool_]


_GROWS = 8  # tokens by which an open hypothesis may grow beyond twice its length
_HOPELESS = 12.0  # nats by which every open hypothesis is less probable than the best finished one
_SAMPLE = 4096  # values among which a bound for the largest of all is looked for
_LOOKED_AT = 16  # candidates for each hypothesis of a guided beam, at most, unless none of them is admitted


class StepModel(Protocol):
    """A decoder in the middle of a batch. Rows are advanced together, one token a step."""

    @property
    def columns(self) -> NDArray[np.int64]:
        """The token that each column of the logits is for, [A]; `<eos>` is one of them."""
        ...

    def step(self, tokens: NDArray[np.int64]) -> Floats:
        """Append one token to every row ([B]) and return the logits of the next, [B, A]."""
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
        margin: by how much the log-probability of its tokens lies above that of the best other token in their place, at
            the least; below 0 where another one was more probable.
        refusal: log-probability that the answer is `<unsupported>`, at the first token.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float
    complete: bool
    margin: float = math.inf
    refusal: float = -math.inf


def length_penalty(length: int, alpha: float) -> float:
    """What a log-probability is divided by, ((5 + length) / 6) ** alpha (Wu et al. 2016, equation 14)."""
    return float(((5.0 + length) / 6.0) ** alpha)


def masked_log_softmax(logits: Floats, mask: Mask) -> Floats:
    """Log-probabilities of what is allowed, minus infinity for the rest. [B, A] and [B, A] or [A] -> [B, A]."""
    allowed: Floats = np.where(mask, logits, np.float32(-np.inf))
    largest = allowed.max(axis=-1, keepdims=True)
    allowed -= largest + np.log(np.exp(allowed - largest).sum(axis=-1, keepdims=True))
    return allowed


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
    margins = np.full(count, np.inf)
    refusals: Floats | None = None
    rows = np.arange(count)
    tokens = np.full(count, SOS, dtype=np.int64)
    current = list(guides) if guides else []
    masks = masks[:, model.columns]
    for length in range(max_tokens + 1):
        log_probabilities = masked_log_softmax(model.step(tokens), masks)
        picks = log_probabilities.argmax(axis=-1)
        stuck = np.zeros(len(rows), dtype=np.bool_)
        for k, row in enumerate(rows if current else ()):
            found = _most_probable(log_probabilities[k], model.columns, current[row])
            if found is None:
                stuck[k] = True
            else:
                picks[k], current[row] = found
        tokens = model.columns[picks]
        ended = (tokens == EOS) & ~stuck
        still = ~(ended | stuck)
        # behind the last token that fits, only the end counts
        gains = log_probabilities[np.arange(len(rows)), picks]
        if refusals is None:
            refusals = _refusals(log_probabilities, model.columns)
        margins[rows] = np.minimum(margins[rows], gains - _best_others(log_probabilities, picks))
        totals[rows] += np.where(ended | (still & (length < max_tokens)), gains, 0.0)
        complete[rows[ended]] = True
        if length == max_tokens or not still.any():
            break
        if not still.all():
            model.select(np.flatnonzero(still))
            rows, tokens, masks = rows[still], tokens[still], masks[still]
        for row, token in zip(rows, tokens, strict=True):
            ids[row].append(int(token))
    assert refusals is not None
    penalties = [length_penalty(len(path) + int(done), alpha) for path, done in zip(ids, complete, strict=True)]
    return [
        Hypothesis(
            tuple(ids[k]),
            float(totals[k]),
            float(totals[k]) / penalties[k],
            bool(complete[k]),
            float(margins[k]),
            float(refusals[k]),
        )
        for k in range(count)
    ]


def _best_others(log_probabilities: Floats, picks: NDArray[np.int64]) -> Floats:
    """The largest value of each row but the one picked. [B, A] and [B] -> [B]."""
    rows = np.arange(len(picks))
    kept = log_probabilities[rows, picks]
    log_probabilities[rows, picks] = -np.inf
    found: Floats = log_probabilities.max(axis=-1)
    log_probabilities[rows, picks] = kept
    return found


def _refusals(log_probabilities: Floats, columns: NDArray[np.int64]) -> Floats:
    """Of the first step, how probable `<unsupported>` is in each row."""
    found: Floats = log_probabilities[:, columns == REFUSAL].max(axis=-1, initial=-np.inf)
    return found


def _most_probable(log_probabilities: Floats, columns: NDArray[np.int64], guide: Guide) -> tuple[int, Guide] | None:
    """The column of the most probable token that a guide admits; None if it admits none that is possible at all."""
    best = int(log_probabilities.argmax())
    if (found := guide.after(int(columns[best]))) is not None:  # nearly always, and cheaper than to sort them all
        return best, found
    for column in _largest(log_probabilities, len(columns)):
        found = guide.after(int(columns[column]))
        if found is not None:
            return int(column), found
    return None


def greedy_tokens(model: StepModel, mask: Mask, *, max_tokens: int, guide: Guide | None = None) -> Iterator[int]:
    """The tokens of one row's greedy answer as they are found, `<eos>` not among them.

    Args:
        model: at its start, with one row.
        mask: the tokens the answer may hold, [V].
        max_tokens: most tokens of the answer.
        guide: admits the tokens of the answer; None: all are admitted.
    """
    token, columns = SOS, model.columns
    for _ in range(max_tokens):
        log_probabilities = masked_log_softmax(model.step(np.array([token])), mask[columns])[0]
        pick = int(log_probabilities.argmax())
        if guide is not None:
            found = _most_probable(log_probabilities, columns, guide)
            if found is None:
                return
            pick, guide = found
        token = int(columns[pick])
        if token == EOS:
            return
        yield token


def beam(
    model: StepModel,
    mask: Mask,
    *,
    width: int,
    max_tokens: int,
    alpha: float = 1.0,
    guide: Guide | None = None,
    wanted: int | None = None,
) -> list[Hypothesis]:
    """The best complete answers to one prompt, best score first; at most `width` of them.

    The search ends when no open hypothesis can still beat the worst finished one that is wanted, even if it grew to the
    limit, or to twice its length and some, without losing probability. If none finishes within the limit, the best open
    one is returned, not complete.

    Args:
        model: at its start, with one row.
        mask: the tokens the answer may hold, [V].
        width: hypotheses kept after every step.
        max_tokens: most tokens of an answer, without `<sos>` and `<eos>`.
        alpha: exponent of the length penalty; 0 compares plain log-probabilities.
        guide: admits the tokens of an answer; None: all are admitted.
        wanted: how many answers, at most `width`, are to be the best that this search can find; None: all.
    """
    guides = [guide]
    wanted = width if wanted is None else wanted
    paths: list[tuple[int, ...]] = [()]
    totals = np.zeros(1)
    tokens = np.full(1, SOS, dtype=np.int64)
    finished: list[Hypothesis] = []
    margins, refusal = np.full(1, np.inf), -math.inf
    columns = model.columns
    mask, end = mask[columns], int(np.flatnonzero(columns == EOS)[0])
    for length in range(1, max_tokens + 2):
        log_probabilities = masked_log_softmax(model.step(tokens), mask)
        if length == 1:
            refusal = float(_refusals(log_probabilities, columns)[0])
        first = log_probabilities.argmax(axis=-1)
        tops = log_probabilities[np.arange(len(first)), first]
        seconds = _best_others(log_probabilities, first)
        for row in np.flatnonzero(log_probabilities[:, end] > -np.inf):
            if (here := guides[row]) is not None and here.after(EOS) is None:
                continue
            total = float(totals[row] + log_probabilities[row, end])
            apart = float(log_probabilities[row, end] - (seconds if first[row] == end else tops)[row])
            margin = min(float(margins[row]), apart)
            finished.append(Hypothesis(paths[row], total, total / length_penalty(length, alpha), True, margin, refusal))
        finished = sorted(finished, key=lambda h: -h.score)[:width]
        if length == max_tokens + 1:
            break
        candidates = log_probabilities + totals.astype(np.float32)[:, None]
        candidates[:, end] = -np.inf
        best, guides = _admitted(candidates, columns, width, guides)
        rows, picks = np.divmod(best, len(columns))
        tokens = columns[picks]
        others = np.where(picks == first[rows], seconds[rows], tops[rows])
        margins = np.minimum(margins[rows], log_probabilities[rows, picks] - others)
        totals = totals[rows] + log_probabilities[rows, picks]
        paths = [(*paths[row], int(token)) for row, token in zip(rows, tokens, strict=True)]
        if not len(best):
            break
        if finished and totals[0] < finished[0].log_probability - _HOPELESS:
            break
        # to the limit, anything might still grow into something better: length penalties reward it without end
        attainable = float(totals[0]) / length_penalty(min(max_tokens, 2 * length + _GROWS) + 1, alpha)
        if len(finished) >= wanted and finished[wanted - 1].score >= attainable:
            break
        model.select(rows)
    if finished or not paths:
        return finished
    total, penalty = float(totals[0]), length_penalty(len(paths[0]), alpha)
    return [Hypothesis(paths[0], total, total / penalty, False, float(margins[0]), refusal)]


def _admitted(
    candidates: Floats, columns: NDArray[np.int64], width: int, guides: Sequence[Guide | None]
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
            row, column = divmod(int(place), len(columns))
            here = guides[row]
            behind = here.after(int(columns[column])) if here is not None else None
            if behind is not None:
                found.append((int(place), behind))
                if len(found) == width:
                    break
        # a few good ones are worth more than all that can stand there, which takes a look at every token
        if len(found) == width or len(order) < looked_at or (found and looked_at >= _LOOKED_AT * width):
            return np.array([place for place, _ in found], dtype=np.int64), [behind for _, behind in found]


def _largest(values: NDArray[np.floating[Any]], count: int) -> NDArray[np.int64]:
    """Indices of the `count` largest values above minus infinity, largest first; ties by index."""
    # what is below the `count`-th largest of some is not among the `count` largest of all; the best row comes first
    some = values[: max(count, _SAMPLE)]
    place = max(len(some) - count, 0)
    picked = np.flatnonzero(values >= np.partition(some, place)[place])
    ordered = picked[np.lexsort((picked, -values[picked]))][:count]
    return ordered[values[ordered] > -np.inf].astype(np.int64)


def pad(rows: Sequence[Sequence[int]]) -> NDArray[np.int64]:
    """Rows of token ids as one array padded to the longest, [B, S]."""
    longest = max(len(row) for row in rows)
    return np.array([[*row, *[PAD] * (longest - len(row))] for row in rows], dtype=np.int64)
