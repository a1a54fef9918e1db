"""Training learns, stops when it should, and goes on after any end as if there had been none."""

from __future__ import annotations

import json
import math
import os
import random
import re
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from builders import PAIRS, same_weights, small_config, start_pipeline, tree, wait_until, weights, write_corpus
from wgsl_infer.search import greedy
from wgsl_pipeline import train as module
from wgsl_pipeline.checkpoint import CheckpointFolder, State, load_model, read_state
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.errors import ArtefactError, EnvironmentLacks, TrainingDiverged
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.settings import Training
from wgsl_pipeline.train import Interrupted, is_finished, train, training_digest

ALL = {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0}


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


# ---------------------------------------------------------------- going on


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run of six epochs of four batches that nothing disturbed."""
    config = prepared(tmp_path_factory.mktemp("unbroken"), BROKEN)
    train(config)
    return config


BROKEN = ALL | {"training.num_epochs": 6, "training.batch_size": 3, "training.save_every": 2}


@pytest.mark.parametrize(
    ("number", "step"),
    [(signal.SIGINT, 1), (signal.SIGINT, 7), (signal.SIGINT, 8), (signal.SIGINT, 24), (signal.SIGTERM, 6)],
)
def test_a_signal_ends_the_run_behind_the_update_and_it_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: Config, number: int, step: int
) -> None:
    config = prepared(tmp_path, BROKEN)
    handlers = [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)]
    with monkeypatch.context() as patch:
        call_at(patch, "_update", step, lambda *_: os.kill(os.getpid(), number))
        if step < 24:
            with pytest.raises(Interrupted):
                train(config)
            state = read_state(checkpoints(config).find("last"))
            # an epoch whose last batch is done is finished first
            assert (state.step, state.epoch, state.batch) == (step, step // 4, step % 4)
        else:
            train(config)
    assert [signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)] == handlers
    train(config, resume=True)
    assert_same_run(config, unbroken)


@pytest.mark.parametrize("fatal", ["save_best", "save_last"])
@pytest.mark.parametrize("count", [2, 3])
def test_a_run_that_dies_while_saving_goes_on_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unbroken: Config, fatal: str, count: int
) -> None:
    config = prepared(tmp_path, BROKEN)
    really = getattr(CheckpointFolder, fatal)
    calls = iter(range(1, 100))

    def dying(*arguments: Any) -> Any:
        if next(calls) == count:
            raise SystemExit
        return really(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(CheckpointFolder, fatal, dying)
        with pytest.raises(SystemExit):
            train(config)
    assert read_state(checkpoints(config).find("last")).epoch == 2 * (count - 1)
    train(config, resume=True)
    assert_same_run(config, unbroken)


KILLED = ALL | {"training.num_epochs": 40, "training.batch_size": 3, "training.save_every": 3}


def test_a_run_killed_at_a_random_moment_goes_on_bit_for_bit(tmp_path: Path) -> None:
    config = prepared(tmp_path, KILLED, name="killed")
    epoch, moment = random.SystemRandom().randint(4, 20), random.SystemRandom().uniform(0.0, 0.03)
    metrics = config.checkpoint_folder / "metrics.jsonl"
    child = start_pipeline("train", "--config", config.path)
    with child:
        wait_until(lambda: metrics.exists() and len(metrics.read_text().splitlines()) >= epoch, child)
        time.sleep(moment)
        child.kill()
        child.communicate()
    assert child.returncode == -signal.SIGKILL, "finished before it could be killed"
    stopped = read_state(checkpoints(config).find("last"))
    assert epoch - 3 <= stopped.epoch < 40, f"killed {moment} s behind epoch {epoch}"
    train(config, resume=True)
    whole = prepared(tmp_path, KILLED, name="whole")
    train(whole)
    assert_same_run(config, whole)


def test_ctrl_c_in_an_epoch_saves_and_says_how_to_go_on_bit_for_bit(tmp_path: Path) -> None:
    # one long epoch and a bit: the first checkpoint is the one that Ctrl-C writes
    pairs = [(f"{prompt} {k}", f"f{k}({code})") for k in range(30) for prompt, code in PAIRS[:8]]
    write_corpus(tmp_path / "corpus.toml", pairs)
    long = ALL | {"training.num_epochs": 1, "training.batch_size": 1, "training.save_every": 100}
    config = prepared(tmp_path, long, name="stopped")
    child = start_pipeline("train", "--config", config.path)
    with child:
        assert child.stdout is not None
        while "INFO Model parameters" not in child.stdout.readline():
            assert child.poll() is None
        time.sleep(random.SystemRandom().uniform(0.05, 0.2))
        child.send_signal(signal.SIGINT)
        _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert errors == f"stopped and saved; to go on: pipeline train --config {config.path} --resume\n"
    state = read_state(checkpoints(config).find("last"))
    assert (state.epoch, state.batch) == (0, state.step)
    assert 0 < state.step < len(pairs)
    train(config, resume=True)
    whole = prepared(tmp_path, long, name="whole")
    train(whole)
    assert_same_run(config, whole)


def test_a_finished_run_may_be_resumed_for_more_epochs(tmp_path: Path) -> None:
    config = prepared(tmp_path, {"training.schedule": "constant", "training.num_epochs": 2}, name="one")
    train(config)
    longer = small_config(tmp_path, {"training.schedule": "constant", "training.num_epochs": 4}, name="one")
    assert training_digest(longer) == training_digest(config)
    train(longer, resume=True)
    whole = prepared(tmp_path, {"training.schedule": "constant", "training.num_epochs": 4}, name="whole")
    train(whole)
    assert_same_run(longer, whole)


def test_resuming_a_finished_run_changes_nothing(tmp_path: Path) -> None:
    config = prepared(tmp_path)
    train(config)
    before = tree(config.checkpoint_folder)
    train(config, resume=True)
    after = tree(config.checkpoint_folder)
    assert {name for name in before if before[name] != after[name]} <= {"loss.png"}
    assert before.keys() == after.keys()


def test_there_must_be_something_to_resume(tmp_path: Path) -> None:
    config = prepared(tmp_path)
    with pytest.raises(ArtefactError, match="no last checkpoint: run `pipeline train`"):
        train(config, resume=True)


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"training.learning_rate": 0.02}, "settings"),
        ({"training.seed": 3}, "settings"),
        ({"model.dropout": 0.2}, "settings"),
        ({"model.nhead": 1}, "settings"),
    ],
)
def test_resuming_with_other_settings_is_refused(tmp_path: Path, changes: dict[str, Any], what: str) -> None:
    config = prepared(tmp_path)
    train(config)
    before = tree(config.checkpoint_folder)
    with pytest.raises(ArtefactError, match=f"trained with other {what} than these; train without --resume"):
        train(small_config(tmp_path, changes), resume=True)
    assert tree(config.checkpoint_folder) == before


@pytest.mark.parametrize(
    "changes", [{"training.save_every": 2}, {"training.keep_checkpoints": 1}, {"training.device": "auto"}]
)
def test_resuming_with_settings_that_change_no_weight_is_accepted(tmp_path: Path, changes: dict[str, Any]) -> None:
    train(prepared(tmp_path))
    train(small_config(tmp_path, changes), resume=True)


def test_resuming_with_other_data_is_refused(tmp_path: Path) -> None:
    config = prepared(tmp_path)
    train(config)
    write_corpus(tmp_path / "corpus.toml", [*PAIRS[1:], PAIRS[0]])
    preprocess(config)
    with pytest.raises(ArtefactError, match="trained with other data than these"):
        train(config, resume=True)


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
