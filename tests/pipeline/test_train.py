"""Training learns, and stops when it should."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from builders import PAIRS, same_weights, small_config, tree
from training_runs import ALL, assert_same_run, checkpoints, figures, last_and_best, prepared
from wgsl_infer.errors import EnvironmentLacks
from wgsl_infer.search import greedy
from wgsl_pipeline import train as module
from wgsl_pipeline.checkpoint import CheckpointFolder, State, load_model, read_state
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.settings import Training
from wgsl_pipeline.train import is_finished, train


def test_a_tiny_corpus_is_learnt_by_heart(tmp_path: Path) -> None:
    changes = {"model.d_model": 32, "model.dim_feedforward": 64, "training.num_epochs": 40, "training.save_every": 40}
    config = prepared(tmp_path, ALL | changes | {"model.dropout": 0.0})
    state = train(config)
    losses = [row["train_loss"] for row in figures(config)]
    assert losses[0] > 4.0
    assert losses[9] < 0.7 * losses[0]
    assert losses[-1] < 0.05
    assert state.best_loss == min(losses)
    corpus = Corpus.open(config.data_folder)
    model = Transformer(config.model, len(corpus.tokenizer))
    load_model(checkpoints(config).find("best"), model)
    encoded = [corpus.tokenizer.encode_prompt(prompt) for prompt, _ in PAIRS]
    masks = np.stack([corpus.tokenizer.answer_mask(e.slots) for e in encoded])
    answers = greedy(TorchDecoding(model.eval(), [e.ids for e in encoded]), masks, max_tokens=60)
    decoded = [corpus.tokenizer.decode(h.ids, e.slots) for h, e in zip(answers, encoded, strict=True)]
    assert decoded == [code for _, code in PAIRS]


def test_the_same_configuration_gives_the_same_run_and_another_seed_another(tmp_path: Path) -> None:
    one, other = (prepared(tmp_path, {"training.num_epochs": 2}, name=name) for name in ("one", "other"))
    third = prepared(tmp_path, {"training.num_epochs": 2, "training.seed": 1}, name="third")
    for config in (one, other, third):
        train(config)
    assert_same_run(one, other)
    assert figures(one)[0]["train_loss"] != figures(third)[0]["train_loss"]


def test_a_limit_on_updates_ends_the_schedule_in_the_middle_of_an_epoch(tmp_path: Path) -> None:
    changes = {"training.num_epochs": 5, "training.schedule": "linear", "training.min_learning_rate": 0.0}
    config = prepared(tmp_path, changes | {"training.batch_size": 2, "training.warmup_steps": 0})
    whole = len(Corpus.open(config.data_folder).pairs("train").order(2, 0, 0))
    limited = dataclasses.replace(config.training, max_steps=whole + 2)
    config = dataclasses.replace(config, training=limited)
    state = train(config)
    assert (state.step, state.epoch, len(figures(config))) == (whole + 2, 2, 2)
    assert figures(config)[-1]["learning_rate"] == pytest.approx(limited.learning_rate / (whole + 2))
    assert is_finished(state, limited)
    assert train(config, resume=True).step == whole + 2


@pytest.mark.parametrize(
    "kind",
    [{"norm": "pre", "positions": "relative", "activation": "gelu", "tie_output": True}, {"residual_scaling": "none"}],
)
def test_every_kind_of_network_trains(tmp_path: Path, kind: dict[str, Any]) -> None:
    config = prepared(tmp_path, {f"model.{key}": value for key, value in kind.items()} | {"training.num_epochs": 6})
    train(config)
    losses = [row["train_loss"] for row in figures(config)]
    assert losses[-1] < 0.9 * losses[0]


def test_bfloat16_trains_float32_weights(tmp_path: Path) -> None:
    full = prepared(tmp_path, {"training.num_epochs": 6}, name="full")
    half = prepared(tmp_path, {"training.num_epochs": 6, "training.precision": "bfloat16"}, name="half")
    for config in (full, half):
        train(config)
    assert read_state(checkpoints(half).find("last")).precision == "bfloat16"
    assert {value.dtype for value in last_and_best(half)[0].values()} == {torch.float32}
    losses = [[row["train_loss"] for row in figures(config)] for config in (full, half)]
    assert losses[0] != losses[1]
    assert losses[0] == pytest.approx(losses[1], rel=0.05)


@pytest.mark.parametrize(("limit", "clipped"), [(0.001, True), (0.0, False)])
def test_gradients_are_clipped_to_their_limit(tmp_path: Path, limit: float, clipped: bool) -> None:
    changes = {"training.gradient_clip_norm": limit, "training.num_epochs": 1, "training.batch_size": 100}
    config = prepared(tmp_path, changes)
    train(config)
    tensors = load_file(checkpoints(config).find("last") / "optimizer.safetensors")
    mean = math.sqrt(sum(float(t.square().sum()) for name, t in tensors.items() if name.startswith("exp_avg.")))
    unclipped = figures(config)[0]["gradient_norm"]
    assert unclipped > 0.01
    assert mean == pytest.approx((1 - config.training.beta1) * (limit if clipped else unclipped), rel=1e-3)


def test_dropout_draws_anew_in_every_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = prepared(tmp_path, {"training.num_epochs": 4})
    drawn: list[int] = []
    really = module.summed_loss
    monkeypatch.setattr(module, "summed_loss", lambda *a: (drawn.append(torch.initial_seed()), really(*a))[1])
    train(config)
    assert len(drawn) == len(set(drawn)) == 12
    train(small_config(tmp_path, {"training.num_epochs": 4, "training.seed": 1}))
    assert len(set(drawn)) == 24


def test_the_learning_rate_follows_the_schedule(tmp_path: Path) -> None:
    config = prepared(tmp_path, {"training.num_epochs": 5, "training.warmup_steps": 3})
    train(config)
    # three batches an epoch; the rate is that of the epoch's last update
    assert [row["learning_rate"] for row in figures(config)] == pytest.approx(
        [0.01 * left for left in (1.0, 10 / 12, 7 / 12, 4 / 12, 1 / 12)]
    )


# ---------------------------------------------------------------- what a run leaves


def test_a_run_leaves_metrics_a_picture_and_the_seeds_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = prepared(tmp_path)
    train(config)
    rows = [json.loads(line) for line in (config.checkpoint_folder / "metrics.jsonl").read_text().splitlines()]
    assert rows == read_state(checkpoints(config).find("last")).history
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert [row["step"] for row in rows] == [3, 6, 9]
    assert all(math.isfinite(value) for row in rows for value in row.values())
    assert (config.checkpoint_folder / "loss.png").read_bytes().startswith(b"\x89PNG")
    out, err = capsys.readouterr()
    lines = re.findall(r"^INFO Epoch (\d)/3: train_loss=\d+\.\d{4}, val_loss=\d+\.\d{4}, time=\d+\.\d\ds$", out, re.M)
    assert lines == ["1", "2", "3"]
    assert "INFO Training examples: 9\nINFO Validation examples: 1\n" in out
    assert f"INFO Model parameters: {sum(t.numel() for t in last_and_best(config)[0].values())}" in out
    assert "Early stopping" not in out
    assert err == ""


def test_checkpoints_are_written_every_so_many_epochs_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved: list[int] = []
    call = CheckpointFolder.save_last
    monkeypatch.setattr(
        CheckpointFolder, "save_last", lambda self, state, *a: (saved.append(state.epoch), call(self, state, *a))
    )
    config = prepared(tmp_path, {"training.num_epochs": 5, "training.save_every": 2, "training.keep_checkpoints": 2})
    train(config)
    assert saved == [2, 4, 5]
    assert len(list(config.checkpoint_folder.glob("epoch-*"))) == 2
    assert checkpoints(config).find("last").name == "epoch-0005-step-000015"


def test_a_new_run_replaces_the_one_before(tmp_path: Path) -> None:
    config = prepared(tmp_path, {"training.num_epochs": 4, "training.keep_checkpoints": 9})
    train(config)
    shorter = small_config(tmp_path, {"training.num_epochs": 1, "training.keep_checkpoints": 9})
    train(shorter)
    assert [path.name for path in shorter.checkpoint_folder.glob("epoch-*")] == ["epoch-0001-step-000003"]
    assert len((shorter.checkpoint_folder / "metrics.jsonl").read_text().splitlines()) == 1


def test_a_run_that_cannot_begin_leaves_the_one_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = prepared(tmp_path)
    train(config)
    before = tree(config.checkpoint_folder)
    with pytest.raises(EnvironmentLacks, match="no mps device here"):
        train(small_config(tmp_path, {"training.device": "mps"}))
    monkeypatch.setitem(__import__("sys").modules, "torch.utils.tensorboard", None)
    with pytest.raises(EnvironmentLacks, match="pip install tensorboard"):
        train(config, tensorboard=True)
    (config.data_folder / "train-00000.parquet").unlink()
    with pytest.raises(ArtefactError, match=r"train-00000\.parquet"):
        train(config)
    assert tree(config.checkpoint_folder) == before


# ---------------------------------------------------------------- stopping early


def scripted(monkeypatch: pytest.MonkeyPatch, losses: list[float | None]) -> None:
    """Let validation find these losses, one after another."""
    script = iter(losses)
    monkeypatch.setattr(module, "evaluate_loss", lambda *_: next(script))


STOPPING = {"training.num_epochs": 8, "training.monitor": "val_loss", "training.schedule": "constant"}


def test_a_run_stops_when_its_patience_is_over_and_keeps_the_best_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    config = prepared(tmp_path, STOPPING | {"training.early_stopping_patience": 3}, name="one")
    scripted(monkeypatch, [3.0, 2.0, 2.5, 2.0, 2.1])
    state = train(config)
    assert (state.epoch, state.best_epoch, state.best_loss) == (5, 2, 2.0)
    out = capsys.readouterr().out
    assert "INFO Early stopping triggered after 5 epochs" in out
    assert "Best loss: 2.0000 (epoch 2)" in out
    two = prepared(tmp_path, STOPPING | {"training.num_epochs": 2}, name="two")
    scripted(monkeypatch, [3.0, 2.0])
    train(two)
    assert same_weights(last_and_best(config)[1], last_and_best(two)[0])
    assert not same_weights(*last_and_best(config))


def test_a_run_goes_on_where_early_stopping_is_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = prepared(tmp_path, STOPPING | {"training.early_stopping_patience": 1, "training.early_stopping": False})
    scripted(monkeypatch, [float(k) for k in range(8)])
    state = train(config)
    assert (state.epoch, state.best_epoch) == (8, 1)


def test_improvements_renew_the_patience(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = prepared(tmp_path, STOPPING | {"training.early_stopping_patience": 2})
    scripted(monkeypatch, [5.0, 6.0, 4.0, 4.5, 3.0, 3.5, 2.0, 2.5])
    assert train(config).epoch == 8


def test_without_validation_pairs_the_training_loss_is_watched(tmp_path: Path) -> None:
    config = prepared(tmp_path, ALL | {"training.monitor": "val_loss"})
    state = train(config)
    assert state.best_loss == min(row["train_loss"] for row in figures(config))
    assert {row["val_loss"] for row in figures(config)} == {None}


def test_a_run_is_finished_behind_its_last_epoch_or_its_patience() -> None:
    settings = Training(num_epochs=10, early_stopping_patience=3)

    def finished(**values: int) -> bool:
        return is_finished(State("s", "m", "d", "t", "float32", **values), settings)  # type: ignore[arg-type]

    assert not finished(epoch=0)
    assert not finished(epoch=9, best_epoch=9)
    assert finished(epoch=10, best_epoch=10)
    assert not finished(epoch=5, best_epoch=3)
    assert finished(epoch=6, best_epoch=3)
    assert not finished(epoch=6, best_epoch=3, batch=1)
