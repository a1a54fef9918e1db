"""The loss, the schedule and the optimizer do what their settings say."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pyarrow as pa
import pytest
import torch
from torch.nn import functional as F

from builders import small_model
from wgsl_infer.tokens import PAD
from wgsl_pipeline.dataset import Pairs, Rows
from wgsl_pipeline.optimisation import Answers, evaluate_loss, learning_rate, make_optimizer, summed_loss
from wgsl_pipeline.settings import Training

CPU = torch.device("cpu")
ALL = Answers(range(40), 40, CPU)


def logits_and_wanted() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(3, 5, 11, generator=generator)
    wanted = torch.randint(1, 11, (3, 5), generator=generator)
    wanted[0, 3:] = PAD
    wanted[2, 1:] = PAD
    return logits, wanted


# ---------------------------------------------------------------- loss


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_the_loss_is_torchs_mean_times_the_count(smoothing: float) -> None:
    logits, wanted = logits_and_wanted()
    mean = F.cross_entropy(logits.transpose(1, 2), wanted, ignore_index=PAD, label_smoothing=smoothing)
    torch.testing.assert_close(summed_loss(logits, wanted, smoothing), mean * (wanted != PAD).sum())


def test_the_loss_is_the_negative_log_probability_of_what_is_wanted() -> None:
    logits, wanted = logits_and_wanted()
    log_probabilities = logits.log_softmax(-1)
    total = -sum(float(log_probabilities[b, t, wanted[b, t]]) for b in range(3) for t in range(5) if wanted[b, t])
    assert float(summed_loss(logits, wanted)) == pytest.approx(total, rel=1e-5)


def test_the_loss_does_not_depend_on_what_is_predicted_for_padding() -> None:
    logits, wanted = logits_and_wanted()
    before = summed_loss(logits, wanted, 0.1)
    logits[wanted == PAD] = 1000.0
    assert torch.equal(summed_loss(logits, wanted, 0.1), before)


def test_label_smoothing_spreads_its_share_evenly() -> None:
    logits, wanted = logits_and_wanted()
    there = wanted != PAD
    uniform = -logits.log_softmax(-1).mean(-1)[there].sum()
    mixed = 0.8 * summed_loss(logits, wanted) + 0.2 * uniform
    torch.testing.assert_close(summed_loss(logits, wanted, 0.2), mixed)


def test_the_loss_of_bfloat16_logits_is_summed_in_float32() -> None:
    logits, wanted = logits_and_wanted()
    found = summed_loss(logits.bfloat16(), wanted)
    assert found.dtype == torch.float32
    torch.testing.assert_close(found, summed_loss(logits.bfloat16().float(), wanted))


def test_evaluation_is_the_mean_over_tokens_whatever_the_batch_size() -> None:
    generator = np.random.default_rng(0)
    columns = [
        pa.chunked_array([[generator.integers(4, 40, n).tolist() for n in lengths]], pa.list_(pa.int32()))
        for lengths in ([3, 9, 5, 2, 7], [4, 12, 3, 8, 5])
    ]
    pairs = Pairs(Rows(columns[0]), Rows(columns[1]))
    model = small_model(dropout=0.5).train()
    losses = [evaluate_loss(model, pairs, ALL, CPU, "float32", size) for size in (1, 2, 5)]
    assert not model.training
    total, count = 0.0, 0
    for source, target in zip(*(column.to_pylist() for column in columns), strict=True):
        given, wanted = torch.tensor([target[:-1]]), torch.tensor([target[1:]])
        with torch.no_grad():
            total += float(summed_loss(model(torch.tensor([source]), given), wanted))
        count += wanted.numel()
    assert losses == [pytest.approx(total / count, rel=1e-5)] * 3


def test_there_is_no_loss_without_pairs() -> None:
    empty = Rows(pa.chunked_array([], pa.list_(pa.int32())))
    assert evaluate_loss(small_model(), Pairs(empty, empty), ALL, CPU, "float32", 4) is None


# ---------------------------------------------------------------- optimizer


@pytest.mark.parametrize("kind", [{}, {"norm": "pre", "positions": "relative"}, {"tie_output": True}])
def test_weight_matrices_alone_are_decayed(kind: dict[str, object]) -> None:
    model = small_model(**kind)
    optimizer = make_optimizer(model, Training(weight_decay=0.3), CPU)
    decay = {id(p): group["weight_decay"] for group in optimizer.param_groups for p in group["params"]}
    decayed = {name for name, parameter in model.named_parameters() if decay[id(parameter)]}
    assert set(decay.values()) == {0.0, 0.3}
    assert len(decay) == len(list(model.parameters()))
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)}
    assert decayed == linear | ({"output_weight"} if "tie_output" not in kind else set())


def test_the_optimizer_takes_rate_and_betas_from_the_settings() -> None:
    settings = Training(learning_rate=0.02, beta1=0.8, beta2=0.95)
    optimizer = make_optimizer(small_model(), settings, CPU)
    assert {(group["lr"], group["betas"], group["fused"]) for group in optimizer.param_groups} == {
        (0.02, (0.8, 0.95), True)
    }


def test_an_update_is_the_one_of_the_paper() -> None:
    """Loshchilov and Hutter 2019, algorithm 2: the first AdamW update, decay and all."""
    model = small_model()
    settings = Training(learning_rate=0.1, weight_decay=0.3)
    optimizer = make_optimizer(model, settings, CPU)
    before = {name: parameter.detach().clone() for name, parameter in model.named_parameters()}
    gradients = {name: torch.full_like(value, 0.5) for name, value in before.items()}
    for name, parameter in model.named_parameters():
        parameter.grad = gradients[name]
    optimizer.step()
    matrix, bias = "encoder.0.feedforward.up.weight", "encoder.0.feedforward.up.bias"
    now = dict(model.named_parameters())
    torch.testing.assert_close(now[matrix].detach(), before[matrix] * (1 - 0.1 * 0.3) - 0.1)
    torch.testing.assert_close(now[bias].detach(), before[bias] - 0.1)


# ---------------------------------------------------------------- schedule

SETTINGS = Training(learning_rate=1.0, warmup_steps=10, schedule="linear")


def rates(total: int, **changes: object) -> list[float]:
    settings = dataclasses.replace(SETTINGS, **changes)  # type: ignore[arg-type]
    return [learning_rate(settings, step, total) for step in range(total)]


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "inverse_sqrt"])
def test_every_schedule_begins_with_the_warm_up_and_never_exceeds_the_rate(schedule: str) -> None:
    found = rates(100, schedule=schedule)
    assert found[:10] == pytest.approx([0.1 * k for k in range(1, 11)])
    assert max(found) == pytest.approx(1.0)
    assert all(a >= b - 1e-12 for a, b in itertools.pairwise(found[9:]))
    assert min(found) > 0


def test_a_constant_rate_stays() -> None:
    assert rates(50, schedule="constant")[10:] == [1.0] * 40


def test_a_linear_rate_falls_by_the_same_amount_to_nothing() -> None:
    found = rates(110, schedule="linear")
    assert found[10] == 1.0
    assert found[60] == pytest.approx(0.5)
    assert learning_rate(SETTINGS, 110, 110) == pytest.approx(0.0)


def test_a_cosine_rate_is_half_way_down_in_the_middle() -> None:
    found = rates(110, schedule="cosine")
    assert found[60] == pytest.approx(0.5)
    assert found[35] == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


@pytest.mark.parametrize("schedule", ["linear", "cosine"])
def test_a_rate_ends_at_the_share_it_is_told(schedule: str) -> None:
    settings = dataclasses.replace(SETTINGS, schedule=schedule, min_learning_rate=0.2)
    assert learning_rate(settings, 110, 110) == pytest.approx(0.2)
    assert learning_rate(settings, 60, 110) == pytest.approx(0.6)


def test_an_inverse_square_root_rate_halves_when_the_steps_are_fourfold() -> None:
    found = rates(200, schedule="inverse_sqrt")
    assert found[39] == pytest.approx(found[9] / 2)
    assert found[159] == pytest.approx(found[9] / 4)


@pytest.mark.parametrize("schedule", ["constant", "linear", "cosine", "inverse_sqrt"])
def test_a_schedule_works_without_warm_up_and_with_nothing_else(schedule: str) -> None:
    assert rates(5, schedule=schedule, warmup_steps=0)[0] == pytest.approx(1.0)
    assert rates(5, schedule=schedule, warmup_steps=50) == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


def test_the_loss_over_answer_tokens_leaves_words_of_prompts_out() -> None:
    answers = Answers([0, 2, 3, 7, 9], 12, CPU)
    tokens = torch.tensor([[7, 9, 3, 0]])
    assert answers.wanted(tokens).tolist() == [[3, 4, 2, 0]]
    logits = torch.randn(1, 4, 12, generator=torch.Generator().manual_seed(0))
    masked = torch.full_like(logits, -torch.inf)
    masked[..., answers.columns] = logits[..., answers.columns]
    found = summed_loss(logits[..., answers.columns], answers.wanted(tokens))
    torch.testing.assert_close(found, summed_loss(masked, tokens))


def test_logits_of_some_tokens_are_those_of_all() -> None:
    model, source, target = small_model(), torch.tensor([[5, 9, 3]]), torch.tensor([[2, 7]])
    columns = torch.tensor([0, 3, 30])
    some = model(source, target, columns)
    torch.testing.assert_close(some, model(source, target)[..., columns])
