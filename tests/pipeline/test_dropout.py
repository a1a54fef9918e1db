"""Dropout and attention as a CPU computes them: the same function as torch's own, at less cost."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from builders import small_model
from wgsl_pipeline import model as module
from wgsl_pipeline.dropout import Dropout


def test_the_share_asked_for_is_dropped_and_the_rest_scaled_up() -> None:
    torch.manual_seed(0)
    x = torch.ones(400, 500)
    out = Dropout(0.25).train()(x)
    assert out.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float((out == 0).float().mean()) == pytest.approx(0.25, abs=0.005)
    assert float(out.mean()) == pytest.approx(1.0, abs=0.01)


def test_every_activation_is_as_likely_to_go() -> None:
    torch.manual_seed(0)
    layer, x = Dropout(0.5).train(), torch.ones(13)  # no multiple of the bytes in a number
    kept = torch.stack([layer(x) != 0 for _ in range(4000)]).float().mean(0)
    assert kept.tolist() == pytest.approx([0.5] * 13, abs=0.04)


def test_the_seed_decides_what_goes() -> None:
    layer, x = Dropout(0.3).train(), torch.ones(50)
    drawn = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        drawn.append(layer(x))
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])


@pytest.mark.parametrize("share", [0.0, 0.4])
def test_nothing_is_dropped_outside_training(share: float) -> None:
    x = torch.randn(5)
    assert torch.equal(Dropout(share).eval()(x), x)
    assert torch.equal(Dropout(0.0).train()(x), x)


def test_the_gradient_flows_through_what_is_kept() -> None:
    torch.manual_seed(0)
    x = torch.ones(64, requires_grad=True)
    out = Dropout(0.5).train()(x)
    torch.autograd.backward(out.sum())
    assert x.grad is not None and torch.equal(x.grad, out.detach())


@pytest.mark.parametrize(("causal", "masked"), [(False, None), (True, None), (False, "places"), (False, "biases")])
def test_attention_written_out_is_torchs(causal: bool, masked: str | None) -> None:
    torch.manual_seed(0)
    query, key, value = (torch.randn(2, 3, 5, 8) for _ in range(3))
    mask = None
    if masked == "places":
        mask = torch.tensor([[1, 1, 1, 1, 1], [1, 1, 1, 0, 0]], dtype=torch.bool)[:, None, None]
    elif masked == "biases":
        mask = torch.randn(1, 3, 5, 5)
    wanted = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, is_causal=causal)
    torch.testing.assert_close(module.attention(query, key, value, mask, causal), wanted)


def test_training_and_evaluation_compute_the_same() -> None:
    model = small_model(dropout=0.0)
    source, target = torch.tensor([[5, 9, 3, 0]]), torch.tensor([[2, 7, 8]])
    with torch.no_grad():
        evaluated = model(source, target)
    torch.testing.assert_close(model.train()(source, target), evaluated)
