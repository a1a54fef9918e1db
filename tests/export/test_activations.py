"""The ranges of activations, which int8 products are scaled by."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from builders import small_model
from wgsl_export.activations import Range, observe
from wgsl_pipeline.dataset import Batch


@pytest.mark.parametrize(
    ("least", "most", "zero"), [(-1.0, 1.0, 128), (0.0, 5.1, 0), (0.5, 5.1, 0), (-4.0, -1.0, 255), (-0.51, 2.04, 51)]
)
def test_a_range_holds_what_was_seen_and_zero(least: float, most: float, zero: int) -> None:
    found = Range.of(least, most)
    assert found.zero == zero
    ends = [found.scale * (byte - found.zero) for byte in (0, 255)]
    assert ends[0] <= min(least, 0.0) + found.scale * 0.51
    assert ends[1] >= max(most, 0.0) - found.scale * 0.51
    assert found.scale == pytest.approx((max(most, 0.0) - min(least, 0.0)) / 255.0)


def test_what_is_always_zero_has_a_range() -> None:
    assert Range.of(0.0, 0.0) == Range(1.0, 0)


@pytest.mark.parametrize("norm", ["post", "pre"])
def test_every_linear_map_and_the_output_are_observed(norm: str) -> None:
    model = small_model(norm=norm, activation="relu", decoder_layers=2)
    wide, narrow = (Batch(torch.tensor([[5, 9, 3]]), torch.tensor([[1, k]]), torch.tensor([[k, 2]])) for k in (7, 8))
    found = observe(model, [wide, narrow])
    maps = {name for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    assert found.keys() == maps | {"output"}
    assert found["encoder.0.feedforward.down"].zero == 0  # behind a ReLU
    one = observe(model, [wide])
    assert all(one[name].scale <= found[name].scale for name in found) and one != found
    assert not any(module._forward_pre_hooks or module._forward_hooks for module in model.modules())
