"""Small training runs for the tests: made, broken off, and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from builders import same_weights, small_config, weights
from wgsl_pipeline import train as module
from wgsl_pipeline.checkpoint import CheckpointFolder, read_state
from wgsl_pipeline.config import Config
from wgsl_pipeline.preprocess import preprocess

ALL = {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0}
BROKEN = ALL | {"training.num_epochs": 6, "training.batch_size": 3, "training.save_every": 2}


def prepared(folder: Path, changes: Mapping[str, Any] | None = None, *, name: str = "small") -> Config:
    config = small_config(folder, changes, name=name)
    preprocess(config)
    return config


def checkpoints(config: Config) -> CheckpointFolder:
    return CheckpointFolder(config.checkpoint_folder)


def last_and_best(config: Config) -> list[dict[str, torch.Tensor]]:
    return [weights(checkpoints(config).find(which)) for which in ("last", "best")]


def figures(config: Config) -> list[dict[str, Any]]:
    """The history of a run without what depends on the clock."""
    rows = read_state(checkpoints(config).find("last")).history or []
    return [{k: v for k, v in row.items() if k not in ("seconds", "pairs_per_second")} for row in rows]


def assert_same_run(one: Config, other: Config) -> None:
    for a, b in zip(last_and_best(one), last_and_best(other), strict=True):
        assert same_weights(a, b)
    assert figures(one) == figures(other)
    states = [read_state(checkpoints(config).find("last")) for config in (one, other)]
    assert [(s.epoch, s.step, s.best_epoch, s.best_loss) for s in states[:1]] == [
        (s.epoch, s.step, s.best_epoch, s.best_loss) for s in states[1:]
    ]
    optimizers = [load_file(checkpoints(config).find("last") / "optimizer.safetensors") for config in (one, other)]
    assert same_weights(*optimizers)


def call_at(monkeypatch: pytest.MonkeyPatch, name: str, count: int, action: Callable[..., object]) -> None:
    """Do something before the `count`-th call of a function of the training module."""
    really = getattr(module, name)
    calls = iter(range(1, 1_000_000))

    def wrapped(*arguments: Any, **more: Any) -> Any:
        if next(calls) == count:
            action(*arguments)
        return really(*arguments, **more)

    monkeypatch.setattr(module, name, wrapped)


# ---------------------------------------------------------------- learning
