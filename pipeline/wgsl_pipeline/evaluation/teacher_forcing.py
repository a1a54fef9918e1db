"""The loss of single pairs: cross-entropy of the right answer's tokens, each given the right ones before it.

Legend: B batch, T target length, N pairs.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from wgsl_infer.tokens import PAD

from ..dataset import Pairs
from ..model import Transformer
from ..optimisation import Answers

_BATCH = 32


@torch.no_grad()
def token_losses(
    model: Transformer, pairs: Pairs, answers: Answers, rows: NDArray[np.int64], device: torch.device
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """For each of `rows` the loss in nats summed over its target tokens, and how many those are, [N] each.

    There is no dropout and no smoothing, and products are made in float32.
    """
    model.eval()
    losses, counts = np.zeros(len(rows)), np.zeros(len(rows), dtype=np.int64)
    order = np.lexsort((pairs.source.lengths[rows], pairs.target.lengths[rows]))  # like lengths together: less padding
    for start in range(0, len(rows), _BATCH):
        places = order[start : start + _BATCH]
        batch = pairs.batch(rows[places]).to(device)
        logits = model(batch.source, batch.given, answers.columns).float()
        each = F.cross_entropy(
            logits.transpose(1, 2), answers.wanted(batch.wanted), ignore_index=PAD, reduction="none"
        )  # [B, T]
        losses[places] = each.sum(1).double().cpu().numpy()
        counts[places] = (batch.wanted != PAD).sum(1).cpu().numpy()
    return losses, counts
