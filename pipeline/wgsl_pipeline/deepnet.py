"""DeepNet's residual factors and initial weights (Wang et al. 2022, "DeepNet: Scaling Transformers to 1,000 Layers").

They let twelve post-norm layers learn from the first step, and add no parameter.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from .settings import Model as ModelSettings


class ResidualScaling:
    """Residual factors (alpha) and initial gains (beta) of encoder and decoder, by their depths (table 2)."""

    def __init__(self, settings: ModelSettings) -> None:
        deepnet = settings.residual_scaling == "deepnet" and settings.norm == "post"
        n, m = settings.encoder_depth, settings.decoder_depth
        self.encoder = 0.81 * (n**4 * m) ** (1 / 16) if deepnet else 1.0
        self.encoder_gain = 0.87 * (n**4 * m) ** (-1 / 16) if deepnet else 1.0
        self.decoder = (3 * m) ** (1 / 4) if deepnet else 1.0
        self.decoder_gain = (12 * m) ** (-1 / 4) if deepnet else 1.0


def initialise_layer(layer: Any, gain: float, generator: torch.Generator) -> None:
    """Xavier-normal matrices, values, output projections and feed-forwards times `gain`; zero biases.

    Args:
        layer: an encoder or decoder layer.
        gain: beta; 1 is plain Xavier.
        generator: source of the weights.
    """
    gains = [(layer.attention.qkv, (1.0, 1.0, gain)), (layer.attention.out, (gain,))]
    gains += [(layer.feedforward.up, (gain,)), (layer.feedforward.down, (gain,))]
    if hasattr(layer, "cross"):
        gains += [(layer.cross.query, (1.0,)), (layer.cross.kv, (1.0, gain)), (layer.cross.out, (gain,))]
    for linear, parts in gains:
        for block, part in zip(linear.weight.chunk(len(parts)), parts, strict=True):
            nn.init.xavier_normal_(block, part, generator=generator)
        nn.init.zeros_(linear.bias)
