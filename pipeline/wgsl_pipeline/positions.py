"""Where a token stands: sinusoids added to the embeddings, or biases of the attention by distance.

Legend: H heads.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .settings import Model as ModelSettings


class RelativeBias(nn.Module):
    """Learned attention biases by distance, the same for all layers (Raffel et al. 2020, section 2.1).

    Distances share buckets: one for each short distance, wider and wider ones up to `FARTHEST`.
    """

    BUCKETS, FARTHEST = 32, 128

    def __init__(self, settings: ModelSettings, *, causal: bool) -> None:
        super().__init__()
        self.causal = causal
        self.weight = nn.Parameter(torch.zeros(self.BUCKETS, settings.nhead))

    def forward(self, queries: int, keys: int) -> Tensor:
        """Biases of the last `queries` of `keys` positions, [H, queries, keys]; minus infinity ahead if causal."""
        device = self.weight.device
        distance = torch.arange(keys, device=device) - torch.arange(keys - queries, keys, device=device)[:, None]
        bias = self.weight[self.bucket(distance)].permute(2, 0, 1)
        return bias.masked_fill(distance > 0, -math.inf) if self.causal else bias

    def bucket(self, distance: Tensor) -> Tensor:
        """The bucket of each distance (key position minus query position)."""
        buckets = self.BUCKETS if self.causal else self.BUCKETS // 2
        first = torch.zeros_like(distance) if self.causal else (distance > 0) * buckets
        near = buckets // 2
        steps = (-distance).clamp(min=0) if self.causal else distance.abs()
        ratio = torch.log(steps.clamp(min=1).float() / near) / math.log(self.FARTHEST / near)
        far = (near + (ratio * (buckets - near)).long()).clamp(max=buckets - 1)
        return first + torch.where(steps < near, steps, far)


def sinusoids(length: int, width: int) -> Tensor:
    """Position vectors [length, width], sines and cosines in turn (Vaswani et al. 2017, section 3.5)."""
    rates = torch.exp(torch.arange(0, width, 2, dtype=torch.float64) * (-math.log(10000.0) / width))
    angles = torch.arange(length, dtype=torch.float64)[:, None] * rates
    return torch.stack([angles.sin(), angles.cos()], dim=-1).flatten(1).float()
