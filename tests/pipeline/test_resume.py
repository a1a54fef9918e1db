"""A run goes on after any end as if there had been none."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from builders import PAIRS, small_config, start_pipeline, tree, wait_until, write_corpus
from training_runs import ALL, BROKEN, assert_same_run, call_at, checkpoints, prepared
from wgsl_pipeline.checkpoint import CheckpointFolder, read_state
from wgsl_pipeline.config import Config
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.stopping import Interrupted
from wgsl_pipeline.train import train, training_digest


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run of six epochs of four batches that nothing disturbed."""
    config = prepared(tmp_path_factory.mktemp("unbroken"), BROKEN)
    train(config)
    return config


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
