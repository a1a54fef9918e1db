"""Greedy and beam search find what they promise, checked against scripts, a textbook and an exhaustive search."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from wgsl_infer.search import Hypothesis, beam, greedy, greedy_tokens, length_penalty, masked_log_softmax, pad
from wgsl_infer.tokens import EOS, PAD, SOS, UNK

A, B, C = 4, 5, 6
VOCABULARY = 7
MASK = np.array([False, False, False, True, True, True, True])


class Scripted:
    """Rows that want to say what their script says; remembers how many rows each step had."""

    columns = np.arange(VOCABULARY)

    def __init__(self, scripts: Sequence[Sequence[int]]) -> None:
        self.scripts = [list(script) for script in scripts]
        self.said: list[list[int]] = [[] for _ in scripts]
        self.sizes: list[int] = []

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        assert len(tokens) == len(self.scripts)
        self.sizes.append(len(tokens))
        logits = np.zeros((len(tokens), VOCABULARY), dtype=np.float32)
        for row, token in enumerate(tokens):
            self.said[row].append(int(token))
            logits[row, self.scripts[row].pop(0)] = 5.0
        return logits

    def select(self, rows: NDArray[np.int64]) -> None:
        self.scripts = [list(self.scripts[k]) for k in rows]
        self.said = [list(self.said[k]) for k in rows]


class Random:
    """A tiny model whose next token depends on all tokens before it, and on nothing else."""

    columns = np.arange(VOCABULARY)

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.prefixes: list[tuple[int, ...]] = [()]
        self.steps = 0

    def logits(self, prefix: tuple[int, ...]) -> NDArray[np.float32]:
        return np.random.default_rng([self.seed, *prefix]).normal(0.0, 1.5, VOCABULARY).astype(np.float32)

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        assert len(tokens) == len(self.prefixes)
        self.steps += 1
        self.prefixes = [(*p, int(token)) for p, token in zip(self.prefixes, tokens, strict=True)]
        return np.stack([self.logits(prefix) for prefix in self.prefixes])

    def select(self, rows: NDArray[np.int64]) -> None:
        self.prefixes = [self.prefixes[k] for k in rows]

    def log_probability(self, ids: Sequence[int]) -> float:
        """Of a whole answer, its end included."""
        answer = (SOS, *ids, EOS)
        return sum(
            float(masked_log_softmax(self.logits(answer[:k])[None], MASK)[0, answer[k]]) for k in range(1, len(answer))
        )


def exhaustive(model: Random, max_tokens: int, alpha: float) -> list[Hypothesis]:
    """Every answer there is, best first."""
    found = []
    for length in range(max_tokens + 1):
        for ids in itertools.product((A, B, C), repeat=length):
            total = model.log_probability(ids)
            found.append(Hypothesis(ids, total, total / length_penalty(length + 1, alpha), True))
    return sorted(found, key=lambda h: -h.score)


def textbook(model: Random, width: int, max_tokens: int, alpha: float) -> list[Hypothesis]:
    """Beam search without any stopping early: the open hypotheses are the `width` most probable of each length."""
    opened: list[tuple[float, tuple[int, ...]]] = [(0.0, ())]
    found = []
    for length in range(max_tokens + 1):
        grown = []
        for total, ids in opened:
            row = masked_log_softmax(model.logits((SOS, *ids))[None], MASK)[0]
            ended = total + float(row[EOS])
            found.append(Hypothesis(ids, ended, ended / length_penalty(length + 1, alpha), True))
            grown += [(total + float(row[token]), (*ids, token)) for token in (A, B, C)]
        opened = sorted(grown, reverse=True)[:width]
    return sorted(found, key=lambda h: -h.score)[:width]


def assert_same(found: Sequence[Hypothesis], wanted: Sequence[Hypothesis]) -> None:
    assert [h.ids for h in found] == [h.ids for h in wanted]
    assert [h.complete for h in found] == [h.complete for h in wanted]
    assert [h.log_probability for h in found] == pytest.approx([h.log_probability for h in wanted])
    assert [h.score for h in found] == pytest.approx([h.score for h in wanted])


class Shuffled:
    """A model whose logits come in another order, and not for all tokens."""

    columns = np.array([C, EOS, A, B])

    def __init__(self, model: Scripted | Random) -> None:
        self.model = model
        self.select = model.select

    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        return self.model.step(tokens)[:, self.columns]


# ---------------------------------------------------------------- greedy


def test_greedy_follows_the_most_probable_tokens_of_each_row() -> None:
    model = Scripted([[A, B, EOS], [C, EOS], [EOS]])
    found = greedy(model, np.tile(MASK, (3, 1)), max_tokens=9)
    assert [h.ids for h in found] == [(A, B), (C,), ()]
    assert all(h.complete for h in found)


def test_logits_may_come_in_any_order_of_tokens() -> None:
    scripts = [[A, B, EOS], [C, EOS], [EOS]]
    found = greedy(Shuffled(Scripted(scripts)), np.tile(MASK, (3, 1)), max_tokens=9)
    assert [h.ids for h in found] == [(A, B), (C,), ()]
    assert list(greedy_tokens(Shuffled(Scripted([[B, A, EOS]])), MASK, max_tokens=9)) == [B, A]
    mask = MASK.copy()
    mask[UNK] = False
    for seed in range(5):
        settings = {"width": 3, "max_tokens": 4}
        assert_same(beam(Shuffled(Random(seed)), mask, **settings), beam(Random(seed), mask, **settings))


def test_rows_leave_the_batch_when_they_are_done() -> None:
    model = Scripted([[EOS], [A, B, C, EOS], [B, EOS], [C, C, C, EOS]])
    found = greedy(model, np.tile(MASK, (4, 1)), max_tokens=9)
    assert model.sizes == [4, 3, 2, 2]
    assert [h.ids for h in found] == [(), (A, B, C), (B,), (C, C, C)]


def test_every_row_is_fed_its_own_tokens() -> None:
    model = Scripted([[EOS], [A, B, A], [B, C, C]])
    greedy(model, np.tile(MASK, (3, 1)), max_tokens=2)
    assert model.said == [[SOS, A, B], [SOS, B, C]]


def test_greedy_takes_allowed_tokens_only() -> None:
    masks = np.tile(MASK, (2, 1))
    masks[1, A] = False
    found = greedy(Scripted([[A, EOS], [A, EOS]]), masks, max_tokens=5)
    assert found[0].ids == (A,)
    assert A not in found[1].ids


class Only:
    """Admits some tokens, and behind each of them what its guide admits."""

    def __init__(self, admitted: dict[int, Only]) -> None:
        self.admitted = admitted

    def after(self, token: int) -> Only | None:
        return self.admitted.get(token)


def test_greedy_takes_what_its_guides_admit_and_ends_where_they_admit_nothing() -> None:
    end = Only({})
    guides = [Only({B: Only({EOS: end})}), Only({A: end}), end, Only({PAD: end})]
    found = greedy(Scripted([[A, EOS]] * 4), np.tile(MASK, (4, 1)), max_tokens=5, guides=guides)
    assert [(h.ids, h.complete) for h in found] == [((B,), True), ((A,), False), ((), False), ((), False)]
    assert found[2].log_probability == 0.0
    assert all(np.isfinite(h.log_probability) for h in found)


def test_an_answer_of_just_the_limit_is_complete() -> None:
    (found,) = greedy(Scripted([[A, B, EOS]]), MASK[None], max_tokens=2)
    assert found.complete
    assert found.ids == (A, B)


def test_an_answer_beyond_the_limit_is_not_complete() -> None:
    model = Scripted([[A, B, C, EOS], [C, EOS]])
    found = greedy(model, np.tile(MASK, (2, 1)), max_tokens=2)
    assert [(h.ids, h.complete) for h in found] == [((A, B), False), ((C,), True)]
    one_token = float(masked_log_softmax(np.eye(VOCABULARY, dtype=np.float32)[A] * 5, MASK)[A])
    assert [h.log_probability for h in found] == pytest.approx([2 * one_token] * 2)
    assert [h.score for h in found] == pytest.approx([2 * one_token / length_penalty(2, 1.0)] * 2)


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_the_scores_of_greedy_are_those_of_its_answers(alpha: float) -> None:
    for seed in range(20):
        model = Random(seed)
        (found,) = greedy(model, MASK[None], max_tokens=20, alpha=alpha)
        if found.complete:
            assert found.log_probability == pytest.approx(model.log_probability(found.ids))
            assert found.score == pytest.approx(found.log_probability / length_penalty(len(found.ids) + 1, alpha))


# ---------------------------------------------------------------- beam


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("seed", range(4))
def test_a_beam_wide_enough_finds_what_an_exhaustive_search_does(seed: int, alpha: float) -> None:
    everything = exhaustive(Random(seed), 3, alpha)
    assert len(everything) == 1 + 3 + 9 + 27
    assert_same(beam(Random(seed), MASK, width=40, max_tokens=3, alpha=alpha), everything)
    assert_same(beam(Random(seed), MASK, width=100, max_tokens=3, alpha=alpha), everything)
    assert_same(beam(Random(seed), MASK, width=27, max_tokens=3, alpha=alpha), everything[:27])


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0, 2.0])
@pytest.mark.parametrize("width", [1, 2, 3, 5, 8])
def test_a_narrow_beam_is_the_textbooks(width: int, alpha: float) -> None:
    for seed in range(12):
        found = beam(Random(seed), MASK, width=width, max_tokens=6, alpha=alpha)
        assert_same(found, textbook(Random(seed), width, 6, alpha))
        assert len(found) <= width


def test_the_search_stops_when_nothing_open_can_win_any_more() -> None:
    model = Random(0)
    found = beam(model, MASK, width=2, max_tokens=1000, alpha=0.0)
    assert_same(found, textbook(Random(0), 2, 30, 0.0))
    assert model.steps < 30


@pytest.mark.parametrize("alpha", [0.0, 0.6, 1.0])
def test_fewer_answers_are_found_sooner_and_are_the_same(alpha: float) -> None:
    steps = dict.fromkeys((1, 2, 4), 0)
    for seed in range(12):
        for wanted in steps:
            model = Random(seed)
            found = beam(model, MASK, width=4, max_tokens=30, alpha=alpha, wanted=wanted)
            assert_same(found[:wanted], textbook(Random(seed), 4, 30, alpha)[:wanted])
            steps[wanted] += model.steps
    assert steps[1] < steps[2] < steps[4]


def test_a_beam_holds_allowed_tokens_only() -> None:
    mask = MASK.copy()
    mask[B] = False
    found = beam(Random(1), mask, width=30, max_tokens=3)
    assert len(found) == 1 + 2 + 4 + 8
    assert {token for h in found for token in h.ids} == {A, C}


def test_a_beam_that_never_ends_gives_its_best_open_answer() -> None:
    mask = MASK.copy()
    mask[EOS] = False

    def open_log_probability(ids: Sequence[int]) -> float:
        prefix = (SOS, *ids)
        model = Random(2)
        return sum(masked_log_softmax(model.logits(prefix[:k])[None], mask)[0, prefix[k]] for k in range(1, 5))

    (found,) = beam(Random(2), mask, width=3, max_tokens=4, alpha=1.0)
    assert not found.complete
    assert len(found.ids) == 4
    assert found.score == pytest.approx(found.log_probability / length_penalty(4, 1.0))
    (best,) = beam(Random(2), mask, width=100, max_tokens=4)
    probabilities = {ids: open_log_probability(ids) for ids in itertools.product((A, B, C), repeat=4)}
    assert best.ids == max(probabilities, key=lambda ids: probabilities[ids])
    assert best.log_probability == pytest.approx(probabilities[best.ids])


def test_a_beam_where_only_the_end_is_allowed_gives_the_empty_answer() -> None:
    mask = np.zeros(VOCABULARY, dtype=np.bool_)
    mask[EOS] = True
    assert beam(Random(3), mask, width=3, max_tokens=4) == [Hypothesis((), 0.0, 0.0, True)]


# ---------------------------------------------------------------- parts


def test_probabilities_are_shared_out_among_the_allowed_tokens() -> None:
    logits = np.array([[1.0, 2.0, 3.0, 4.0], [1e4, -1e4, 0.0, 0.0]], dtype=np.float32)
    mask = np.array([[True, False, True, False], [True, True, False, False]])
    found = np.exp(masked_log_softmax(logits, mask))
    assert found.sum(axis=-1) == pytest.approx([1.0, 1.0])
    assert (found[~mask] == 0.0).all()
    assert found[0, 2] / found[0, 0] == pytest.approx(np.exp(2.0))
    assert found[1].tolist() == [1.0, 0.0, 0.0, 0.0]


def test_the_length_penalty_is_that_of_the_paper() -> None:
    assert length_penalty(1, 1.0) == 1.0
    assert length_penalty(7, 1.0) == 2.0
    assert length_penalty(7, 0.5) == pytest.approx(2.0**0.5)
    assert length_penalty(7, 0.0) == 1.0


def test_rows_are_padded_to_the_longest() -> None:
    padded = pad([[A], [A, UNK, EOS], [B, EOS]])
    assert padded.dtype == np.int64
    assert padded.tolist() == [[A, PAD, PAD], [A, UNK, EOS], [B, EOS, PAD]]
