"""The range of what each product of the network reads, observed on pairs of the corpus.

With it the activations of an int8 product have a scale that is fixed when the model is exported (post-training static
quantisation; Jacob et al. 2018, "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
Inference"): what an answer reads then depends on nothing that is computed beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import nn

from wgsl_pipeline.dataset import Batch
from wgsl_pipeline.model import Transformer


@dataclass(frozen=True)
class Range:
    """The bytes that stand for activations: `scale * (byte - zero)` is the value."""

    scale: float
    zero: int

    @classmethod
    def of(cls, least: float, most: float) -> Range:
        """The finest that holds `least`, `most` and 0."""
        least, most = min(least, 0.0), max(most, 0.0)
        scale = (most - least) / 255.0 or 1.0
        return cls(scale, round(-least / scale))


def observe(model: Transformer, pairs: Iterable[Batch]) -> dict[str, Range]:
    """What each linear map of the model reads, by the map's name, and what its output projection does ("output").

    Args:
        model: the trained model, on the CPU.
        pairs: of the training part of the corpus, one in a batch: what is read behind the end of a padded row means
            nothing.
    """
    extremes: dict[str, list[float]] = {}

    def note(name: str) -> Callable[[nn.Module, tuple[torch.Tensor]], None]:
        def hook(module: nn.Module, inputs: tuple[torch.Tensor]) -> None:
            seen = extremes.setdefault(name, [0.0, 0.0])
            seen[0] = min(seen[0], float(inputs[0].min()))
            seen[1] = max(seen[1], float(inputs[0].max()))

        return hook

    watched: Mapping[str, nn.Module] = {
        name: module for name, module in model.named_modules() if isinstance(module, nn.Linear)
    }
    hooks = [module.register_forward_pre_hook(note(name)) for name, module in watched.items()]
    hooks.append(
        model.decoder_norm.register_forward_hook(lambda module, inputs, found: note("output")(module, (found,)))
    )
    try:
        with torch.inference_mode():
            for pair in pairs:
                model(pair.source, pair.given)
    finally:
        for handle in hooks:
            handle.remove()
    return {name: Range.of(*seen) for name, seen in extremes.items()}
