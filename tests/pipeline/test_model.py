"""The network has the promised size, and computes the same token by token as over whole sequences."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch.nn import functional as F

from builders import small_model
from wgsl_infer.tokens import PAD
from wgsl_pipeline.deepnet import ResidualScaling
from wgsl_pipeline.model import Transformer, count_parameters
from wgsl_pipeline.positions import RelativeBias, sinusoids
from wgsl_pipeline.settings import Model

KINDS = [
    {"norm": norm, "positions": positions, "activation": activation, "tie_output": tied}
    for norm, positions, activation, tied in itertools.product(
        ("post", "pre"), ("sinusoidal", "relative"), ("relu", "gelu"), (False, True)
    )
]


def name(kind: dict[str, object]) -> str:
    return "-".join("tied" if value is True else "untied" if value is False else str(value) for value in kind.values())


each_kind = pytest.mark.parametrize("kind", KINDS, ids=name)


def tokens(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randint(4, 40, shape, generator=torch.Generator().manual_seed(seed))


def stepped(model: Transformer, source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Logits of every step, each token decoded with the keys and values kept from the ones before."""
    memory, mask = model.encode(source)
    keys_values = model.keys_values(memory)
    settings = model.settings
    empty = torch.zeros(len(source), settings.nhead, 0, settings.d_model // settings.nhead)
    past = [(empty, empty) for _ in model.decoder]
    logits = []
    for k in range(target.shape[1]):
        found, past = model.step(target[:, k], keys_values, mask, past)
        logits.append(found)
    return torch.stack(logits, dim=1)


# ---------------------------------------------------------------- size


@pytest.mark.parametrize(("vocabulary", "parameters"), [(290, 44_435_746), (4, 44_142_596)])
def test_the_seeds_model_has_the_seeds_number_of_parameters(vocabulary: int, parameters: int) -> None:
    assert count_parameters(Model(), vocabulary) == parameters


def test_counting_agrees_with_a_model_that_was_made() -> None:
    for kind in KINDS:
        model = small_model(40, **kind)
        assert count_parameters(model.settings, 40) == sum(p.numel() for p in model.parameters())


def test_a_tied_output_saves_one_matrix_and_relative_positions_cost_two_tables() -> None:
    plain = count_parameters(Model(), 290)
    assert plain - count_parameters(Model(tie_output=True), 290) == 290 * 512
    assert count_parameters(Model(positions="relative"), 290) - plain == 2 * 32 * 8
    assert count_parameters(Model(norm="pre"), 290) - plain == 2 * 2 * 512


def test_depths_of_encoder_and_decoder_can_differ() -> None:
    model = small_model(encoder_layers=3, decoder_layers=1, num_layers=2)
    assert (len(model.encoder), len(model.decoder)) == (3, 1)
    model = small_model(num_layers=2)
    assert (len(model.encoder), len(model.decoder)) == (2, 2)


# ---------------------------------------------------------------- what it computes


@each_kind
@torch.no_grad()
def test_step_by_step_with_a_cache_equals_teacher_forcing(kind: dict[str, object]) -> None:
    model = small_model(num_layers=2, **kind)
    source, target = tokens(3, 9), tokens(3, 12, seed=1)
    source[1, 5:] = PAD
    source[2, 2:] = PAD
    whole = model(source, target)
    assert whole.std() > 0.1
    torch.testing.assert_close(stepped(model, source, target), whole, rtol=1e-4, atol=1e-5)


@each_kind
@torch.no_grad()
def test_padding_does_not_change_the_outputs(kind: dict[str, object]) -> None:
    model = small_model(**kind)
    source, target = tokens(1, 6), tokens(1, 5, seed=1)
    alone = model(source, target)
    longer = F.pad(torch.cat([source, tokens(1, 6, seed=2)]), (0, 7), value=PAD)
    longer[1] = tokens(1, 13, seed=3)
    padded_target = F.pad(target.repeat(2, 1), (0, 4), value=PAD)
    beside = model(longer, padded_target)[:1, :5]
    torch.testing.assert_close(beside, alone, rtol=1e-4, atol=1e-5)


@each_kind
@torch.no_grad()
def test_a_token_sees_nothing_of_those_behind_it(kind: dict[str, object]) -> None:
    model = small_model(**kind)
    source, target = tokens(2, 6), tokens(2, 8, seed=1)
    changed = target.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 36 + 4
    before, after = model(source, target), model(source, changed)
    torch.testing.assert_close(before[:, :5], after[:, :5])
    assert (before[:, 5:] - after[:, 5:]).abs().max() > 0.01


@each_kind
@torch.no_grad()
def test_every_position_of_prompt_and_answer_matters(kind: dict[str, object]) -> None:
    model = small_model(**kind)
    source, target = tokens(1, 6), tokens(1, 6, seed=1)
    last = model(source, target)[:, -1]
    for given in (source, target):
        for k in range(6):
            kept = int(given[0, k])
            given[0, k] = 4 if kept != 4 else 5
            assert (model(source, target)[:, -1] - last).abs().max() > 1e-4
            given[0, k] = kept


@each_kind
@torch.no_grad()
def test_the_order_of_a_prompt_matters(kind: dict[str, object]) -> None:
    model = small_model(**kind)
    source, target = tokens(1, 6), tokens(1, 3, seed=1)
    assert (model(source, target) - model(source.flip(1), target)).abs().max() > 1e-3


@pytest.mark.parametrize("changes", [{}, {"dropout": 0.0, "attention_dropout": 0.5}])
def test_dropout_acts_in_training_alone(changes: dict[str, float]) -> None:
    model = small_model(**changes)
    source, target = tokens(2, 6), tokens(2, 6, seed=1)
    with torch.no_grad():
        assert torch.equal(model(source, target), model(source, target))
        model.train()
        assert not torch.equal(model(source, target), model(source, target))


def test_every_parameter_gets_a_gradient() -> None:
    for kind in KINDS:
        model = small_model(**kind)
        model(tokens(3, 12), tokens(3, 12, seed=1)).logsumexp(-1).sum().backward()
        without = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().max() > 0]
        assert without == []


@torch.no_grad()
def test_attention_is_the_textbooks() -> None:
    """One self-attention of the model, beside softmax(Q K' / sqrt(K)) V written with loops over heads."""
    model = small_model()
    attention = model.encoder[0].attention
    x = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(0))
    query, key, value = attention.qkv(x).split(16, dim=-1)
    heads = []
    for h in range(2):
        part = slice(8 * h, 8 * h + 8)
        scores = query[..., part] @ key[..., part].transpose(1, 2) / math.sqrt(8)
        heads.append(scores.softmax(-1) @ value[..., part])
    wanted = attention.out(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(x, None)[0], wanted)


# ---------------------------------------------------------------- initial weights


def test_the_same_generator_gives_the_same_weights() -> None:
    one, other, third = (
        Transformer(Model(d_model=16, nhead=2, num_layers=1), 40, torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    same = [torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(one.embedding.weight, third.embedding.weight)
    assert not torch.equal(one.encoder[0].feedforward.up.weight, third.encoder[0].feedforward.up.weight)


def test_deepnet_factors_of_six_and_six_layers_are_those_of_the_paper() -> None:
    """Wang et al. 2022, table 2, with N = M = 6."""
    scaling = ResidualScaling(Model(num_layers=6))
    assert scaling.encoder == pytest.approx(0.81 * (6**4 * 6) ** (1 / 16))
    assert scaling.encoder == pytest.approx(1.4179, abs=1e-4)
    assert scaling.encoder_gain == pytest.approx(0.4970, abs=1e-4)
    assert scaling.decoder == pytest.approx(18 ** (1 / 4)) == pytest.approx(2.0598, abs=1e-4)
    assert scaling.decoder_gain == pytest.approx(72 ** (-1 / 4)) == pytest.approx(0.3433, abs=1e-4)


def test_deepnet_factors_depend_on_both_depths() -> None:
    scaling = ResidualScaling(Model(encoder_layers=12, decoder_layers=2))
    assert scaling.encoder == pytest.approx(0.81 * (12**4 * 2) ** (1 / 16))
    assert scaling.decoder == pytest.approx(6 ** (1 / 4))


@pytest.mark.parametrize("changes", [{"residual_scaling": "none"}, {"norm": "pre"}])
def test_without_deepnet_every_factor_is_one(changes: dict[str, str]) -> None:
    scaling = ResidualScaling(Model(**changes))  # type: ignore[arg-type]
    assert (scaling.encoder, scaling.encoder_gain, scaling.decoder, scaling.decoder_gain) == (1, 1, 1, 1)


@torch.no_grad()
def test_gains_reach_the_weights_they_belong_to() -> None:
    model = Transformer(Model(d_model=128, nhead=2, num_layers=2), 40, torch.Generator().manual_seed(0))
    scaling = ResidualScaling(model.settings)
    for layers, gain in ((model.encoder, scaling.encoder_gain), (model.decoder, scaling.decoder_gain)):
        for layer in layers:
            query, key, value = layer.attention.qkv.weight.chunk(3)
            xavier = (2 / 256) ** 0.5
            assert float(query.std()) == pytest.approx(xavier, rel=0.05)
            assert float(key.std()) == pytest.approx(xavier, rel=0.05)
            for weight in (value, layer.attention.out.weight):
                assert float(weight.std()) == pytest.approx(gain * xavier, rel=0.05)
            up = layer.feedforward.up.weight
            assert float(up.std()) == pytest.approx(gain * (2 / sum(up.shape)) ** 0.5, rel=0.05)
            assert not layer.feedforward.up.bias.any()


@torch.no_grad()
def test_the_residual_factor_is_used() -> None:
    model = small_model(num_layers=2)
    scaling = ResidualScaling(model.settings)
    x, y = torch.randn(2, 1, 3, 16, generator=torch.Generator().manual_seed(0))
    for layers, factor in ((model.encoder, scaling.encoder), (model.decoder, scaling.decoder)):
        after = layers[0].after_attention
        torch.testing.assert_close(after.leave(x, y), after.norm(x * factor + y))


# ---------------------------------------------------------------- positions


def test_sinusoids_are_the_papers() -> None:
    table = sinusoids(50, 8)
    for position, k in ((0, 0), (1, 0), (7, 2), (49, 3)):
        angle = position / 10000 ** (2 * k / 8)
        assert float(table[position, 2 * k]) == pytest.approx(math.sin(angle), abs=1e-6)
        assert float(table[position, 2 * k + 1]) == pytest.approx(math.cos(angle), abs=1e-6)


@pytest.mark.parametrize("causal", [False, True])
def test_near_distances_have_a_bucket_each_and_far_ones_share(causal: bool) -> None:
    bias = RelativeBias(Model(d_model=16, nhead=2), causal=causal)
    behind = bias.bucket(-torch.arange(500))
    near = 16 if causal else 8
    assert behind[:near].tolist() == list(range(near))
    assert (behind.diff() >= 0).all()
    assert int(behind.max()) == (31 if causal else 15)
    assert int(behind[128]) == int(behind[499])
    if not causal:
        ahead = bias.bucket(torch.arange(1, 500))
        assert torch.equal(ahead, behind[1:] + 16)


def test_relative_biases_of_the_last_position_are_the_last_row_of_all() -> None:
    model = small_model(positions="relative")
    whole = model.decoder_bias(7, 7)
    torch.testing.assert_close(model.decoder_bias(1, 7), whole[:, -1:])
    assert torch.isinf(whole[:, 0, 1:]).all()
    assert torch.isfinite(model.encoder_bias(7, 7)).all()
