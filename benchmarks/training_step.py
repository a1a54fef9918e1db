"""How much faster a CPU training step of the bundled model's size is with the project's dropout and attention.

    python benchmarks/training_step.py

Random pairs of the lengths of config/wgsl_tiny.toml's corpus; each variant in turn, several rounds, medians. Prints the
time of a step and its ratio to the first row, torch's own dropout and attention.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import torch
from torch import nn

from wgsl_pipeline import model as model_module
from wgsl_pipeline.config import load_config
from wgsl_pipeline.devices import autocast, choose_precision
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.optimisation import make_optimizer, summed_loss

VOCABULARY, ANSWERS = 7000, 2700
SOURCE, TARGET = 16, 13  # mean lengths
ROUNDS, STEPS = 5, 12
CPU = torch.device("cpu")


@contextmanager
def variant(fused_attention: bool, torch_dropout: bool, all_columns: bool) -> Iterator[Callable[[], None]]:
    """A training step with some of torch's own parts in place."""
    settings = load_config(Path(__file__).parents[1] / "config" / "wgsl_tiny.toml")
    with ExitStack() as stack:
        if fused_attention:
            fused = nn.functional.scaled_dot_product_attention
            stack.enter_context(
                mock.patch.object(
                    model_module, "attention", lambda q, k, v, m, c: fused(q, k, v, attn_mask=m, is_causal=c)
                )
            )
        if torch_dropout:
            stack.enter_context(mock.patch.object(model_module, "Dropout", nn.Dropout))
        torch.manual_seed(0)
        model = Transformer(settings.model, VOCABULARY, torch.Generator().manual_seed(0)).train()
        optimizer = make_optimizer(model, settings.training, CPU)
        columns = None if all_columns else torch.arange(ANSWERS)
        precision = choose_precision("auto", CPU)

        def step() -> None:
            source = torch.randint(4, VOCABULARY, (settings.training.batch_size, SOURCE))
            target = torch.randint(4, ANSWERS, (settings.training.batch_size, TARGET))
            with autocast(CPU, precision):
                logits = model(source, target, columns)
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(summed_loss(logits, target, 0.1) / target.numel())
            nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            optimizer.step()

        yield step


def seconds(step: Callable[[], None]) -> float:
    """Of one step, over STEPS of them."""
    step()
    began = time.perf_counter()
    for _ in range(STEPS):
        step()
    return (time.perf_counter() - began) / STEPS


def main() -> None:
    """Print the table."""
    variants = {
        "torch's dropout and attention, all logits": (True, True, True),
        "own attention": (False, True, True),
        "own dropout": (True, False, True),
        "own attention and dropout": (False, False, True),
        "the same, logits of answer tokens": (False, False, False),
    }
    times: dict[str, list[float]] = {name: [] for name in variants}
    for _ in range(ROUNDS):
        for name, parts in variants.items():
            with variant(*parts) as step:
                times[name].append(seconds(step))
    first = statistics.median(next(iter(times.values())))
    for name, found in times.items():
        middle = statistics.median(found)
        print(f"{name:44s} {1000 * middle:7.1f} ms   {first / middle:.2f} times as fast")


if __name__ == "__main__":
    main()
