"""A run whose loss is no number stops, and leaves what was good."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import small_config
from training_runs import BROKEN, call_at, checkpoints, figures, last_and_best, prepared
from wgsl_pipeline import train as module
from wgsl_pipeline.checkpoint import read_state
from wgsl_pipeline.errors import ArtefactError, TrainingDiverged
from wgsl_pipeline.train import train


def test_training_without_data_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match=r"corpus\.json: missing .*run `pipeline preprocess`"):
        train(small_config(tmp_path))


# ---------------------------------------------------------------- diverging


def poison(run: Any, *_: object) -> None:
    with torch.no_grad():
        run.model.encoder[0].feedforward.up.weight[0, 0] = math.nan


def test_a_loss_that_is_no_number_stops_the_run_with_the_step_and_the_last_good_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(tmp_path, BROKEN)
    with monkeypatch.context() as patch:
        call_at(patch, "_update", 10, poison)
        with pytest.raises(TrainingDiverged) as caught:
            train(config)
    last = checkpoints(config).find("last")
    assert str(caught.value).startswith("step 10 (epoch 3): the loss is nan")
    assert f"the last good checkpoint is {last};" in str(caught.value)
    assert "learning_rate" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert read_state(last).step == 8
    assert all(torch.isfinite(value).all() for held in last_and_best(config) for value in held.values())
    assert not any("new" in path.name for path in config.checkpoint_folder.iterdir())
    train(config, resume=True)
    assert len(figures(config)) == 6


def test_an_infinite_gradient_stops_the_run_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = prepared(tmp_path, BROKEN)
    really = module.summed_loss

    def steep(*arguments: Any) -> torch.Tensor:
        loss = really(*arguments)
        # the loss itself stays what it was
        return loss + (loss - loss.detach()) * 1e38 * 1e38

    monkeypatch.setattr(module, "summed_loss", steep)
    with pytest.raises(
        TrainingDiverged, match=r"step 1 \(epoch 1\): the loss is \d+\.\d+, the gradient's norm (inf|nan)"
    ):
        train(config)


def test_a_loss_that_is_no_number_in_the_first_step_leaves_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = prepared(tmp_path, BROKEN)
    call_at(monkeypatch, "_update", 1, poison)
    with pytest.raises(TrainingDiverged, match=r"^step 1 \(epoch 1\): .* there is no checkpoint yet"):
        train(config)
    assert list(config.checkpoint_folder.iterdir()) == []


def test_losses_looked_at_later_name_the_same_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On CUDA losses are read in bunches; the step named is still the one that went wrong."""
    config = prepared(tmp_path, BROKEN)
    really = module._check_losses

    def later(run: Any, behind: int = 0) -> None:
        if not behind or len(run.unchecked) >= 3:
            really(run, behind)

    monkeypatch.setattr(module, "_check_losses", later)
    call_at(monkeypatch, "_update", 10, poison)
    with pytest.raises(TrainingDiverged, match=r"^step 10 \(epoch 3\)"):
        train(config)
    assert read_state(checkpoints(config).find("last")).step == 8
