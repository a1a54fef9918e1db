"""AdamW with decay groups, the learning-rate schedule, and the loss in training and in evaluation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgsl_infer.tokens import PAD

from .dataset import Pairs
from .devices import autocast
from .settings import Training


def make_optimizer(model: nn.Module, settings: Training, device: torch.device) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) that decays weight matrices alone: no biases, norms or embeddings."""
    decayed: list[nn.Parameter] = []
    kept: list[nn.Parameter] = []
    for name, parameter in model.named_parameters():
        is_matrix = parameter.ndim > 1 and "embedding" not in name and not name.endswith("_bias.weight")
        (decayed if is_matrix else kept).append(parameter)
    groups = [{"params": decayed, "weight_decay": settings.weight_decay}, {"params": kept, "weight_decay": 0.0}]
    return torch.optim.AdamW(
        groups, lr=settings.learning_rate, betas=(settings.beta1, settings.beta2), fused=device.type in ("cpu", "cuda")
    )


def learning_rate(settings: Training, step: int, total: int) -> float:
    """The rate of the update numbered `step` (from 0) of `total`: a linear warm-up, then the schedule."""
    warmup = min(settings.warmup_steps, total)
    if step < warmup:
        return settings.learning_rate * (step + 1) / warmup
    if settings.schedule == "inverse_sqrt":
        return settings.learning_rate * math.sqrt(max(warmup, 1) / max(step + 1, 1))
    if settings.schedule == "constant":
        return settings.learning_rate
    done = (step - warmup) / max(total - warmup, 1)
    left = 1.0 - done if settings.schedule == "linear" else 0.5 * (1.0 + math.cos(math.pi * done))
    return settings.learning_rate * (settings.min_learning_rate + (1.0 - settings.min_learning_rate) * left)


class Answers:
    """The tokens that answers are made of, A of the V: the network need not learn to rule out words of prompts.

    The runtime masks those out too, so its probabilities are the ones that are trained.

    Args:
        ids: the tokenizer's `target_ids`; the first is padding.
        vocabulary: V.
        device: where the batches are.
    """

    def __init__(self, ids: Sequence[int], vocabulary: int, device: torch.device) -> None:
        self.columns = torch.tensor(ids, device=device)
        self._places = torch.full((vocabulary,), PAD, device=device)
        self._places[self.columns] = torch.arange(len(self.columns), device=device)

    def wanted(self, tokens: Tensor) -> Tensor:
        """Tokens as columns; padding stays padding. [B, T] -> [B, T]."""
        return self._places[tokens]


def summed_loss(logits: Tensor, wanted: Tensor, label_smoothing: float = 0.0) -> Tensor:
    """Cross-entropy summed over all target tokens, padding left out; [B, T, V] and [B, T] -> scalar, in float32."""
    return F.cross_entropy(
        logits.flatten(0, 1).float(),
        wanted.flatten(),
        ignore_index=PAD,
        reduction="sum",
        label_smoothing=label_smoothing,
    )


@torch.no_grad()
def evaluate_loss(
    model: nn.Module, pairs: Pairs, answers: Answers, device: torch.device, precision: str, batch_size: int
) -> float | None:
    """Cross-entropy per target token without dropout or smoothing, in nats; None without pairs."""
    if not len(pairs):
        return None
    model.eval()
    total, tokens = 0.0, 0
    for batch in pairs.in_order(batch_size):
        batch = batch.to(device)
        with autocast(device, precision):
            logits = model(batch.source, batch.given, answers.columns)
        total += float(summed_loss(logits, answers.wanted(batch.wanted)))
        tokens += int((batch.wanted != PAD).sum())
    return total / tokens
