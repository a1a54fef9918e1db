"""`pipeline run` does what is left to do, and nothing twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from builders import PAIRS, small_config, tree, write_config, write_corpus
from wgsl_infer import validation
from wgsl_pipeline import train as train_module
from wgsl_pipeline.checkpoint import CheckpointFolder
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config, load_config
from wgsl_pipeline.stages import bundle_is_current, data_is_current, run_preprocess, training_status, validate_corpus

STAGES = ("preprocess", "train", "export")


def run(folder: Path, *arguments: str) -> Result:
    return CliRunner().invoke(pipeline, ["run", "--config", str(folder / "small.toml"), *arguments])


def done(result: Result) -> list[str]:
    """The stages that a run did not skip."""
    assert result.exit_code == 0, result.output
    skipped = {stage for stage in STAGES if f"\n{stage}: " in "\n" + result.stdout}
    assert all(f"{stage}: " not in result.stdout or "is up to date" in result.stdout for stage in skipped)
    return [stage for stage in STAGES if stage not in skipped]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which all stages have run."""
    folder = tmp_path_factory.mktemp("first")
    write_config(folder)
    assert done(run(folder)) == ["preprocess", "train", "export"]
    return folder


@pytest.fixture
def folder(first: Path, tmp_path: Path) -> Path:
    """A copy of it that a test may change; the corpus stays where it was, since its path is a setting."""
    shutil.copytree(first / "small", tmp_path / "small")
    text = (first / "small.toml").read_text(encoding="utf-8")
    (tmp_path / "small.toml").write_text(
        text.replace(f"'{first / 'small'}'", f"'{tmp_path / 'small'}'"), encoding="utf-8"
    )
    return tmp_path


def config(folder: Path, *overrides: str) -> Config:
    return load_config(folder / "small.toml", overrides)


# ---------------------------------------------------------------- what is run again


def test_a_second_run_does_nothing(folder: Path) -> None:
    before = tree(folder)
    result = run(folder)
    assert done(result) == []
    assert tree(folder) == before
    assert result.stdout.splitlines()[-1] == f'now: wgsl-infer --model {folder / "small" / "bundle"} "..."'


@pytest.mark.parametrize(
    ("override", "stages"),
    [
        ("tokenizer.min_freq=2", ["preprocess", "train", "export"]),
        ("tokenizer.lowercase=true", ["preprocess", "train", "export"]),  # of this corpus the weights stay the same
        ("dataset.val_ratio=0.2", ["preprocess", "train", "export"]),
        ("model.max_seq_len=80", ["train", "export"]),  # and here too
        ("training.learning_rate=0.02", ["train", "export"]),
        ("model.dropout=0.3", ["train", "export"]),
        ("export.beam=2", ["export"]),
        ("training.keep_checkpoints=5", []),
        ("training.num_epochs=2", []),
    ],
)
def test_a_changed_setting_runs_the_stages_that_depend_on_it(folder: Path, override: str, stages: list[str]) -> None:
    assert done(run(folder, "--set", override)) == stages
    assert done(run(folder, "--set", override)) == []


def test_a_changed_corpus_runs_everything(tmp_path: Path) -> None:
    write_config(tmp_path)
    run(tmp_path)
    write_corpus(tmp_path / "corpus.toml", PAIRS[:-1])
    assert done(run(tmp_path)) == ["preprocess", "train", "export"]
    assert done(run(tmp_path)) == []


@pytest.mark.parametrize(
    ("lost", "stages"),
    [
        ("bundle", ["export"]),
        ("bundle/manifest.json", []),
        ("checkpoints", ["train"]),
        ("checkpoints/last.json", ["train"]),
        ("data", ["preprocess"]),
        ("data/corpus.json", ["preprocess"]),
    ],
)
def test_what_was_lost_is_made_again_bit_for_bit(folder: Path, lost: str, stages: list[str]) -> None:
    weights = tree(folder / "small" / "bundle")["model.safetensors"]
    path = folder / "small" / lost
    if lost == "bundle/manifest.json":
        path.unlink()
        result = run(folder)
        # a folder that is no bundle is not ours to replace
        assert result.exit_code == 7
        assert "holds something that is no bundle" in result.stderr
        return
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert done(run(folder)) == stages
    assert tree(folder / "small" / "bundle")["model.safetensors"] == weights


def test_more_epochs_go_on_from_the_last_checkpoint(folder: Path) -> None:
    result = run(folder, "--epochs", "5")
    assert done(result) == ["train", "export"]
    assert "INFO Resuming behind epoch 3, step 9" in result.stdout
    assert "INFO Epoch 4/5" in result.stdout
    assert "INFO Epoch 3/5" not in result.stdout


def test_an_interrupted_run_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_config(tmp_path)
    update = train_module._update

    def pressing(run: Any, rows: Any) -> Any:
        if run.state.step == 4:
            os.kill(os.getpid(), signal.SIGINT)
        return update(run, rows)

    with monkeypatch.context() as patch:
        patch.setattr(train_module, "_update", pressing)
        result = run(tmp_path)
    assert result.exit_code == 130
    assert result.stderr == f"stopped and saved; to go on: pipeline run --config {path}\n"
    assert not (tmp_path / "small" / "bundle").exists()
    assert training_status(config(tmp_path)) == "unfinished"
    result = run(tmp_path)
    assert done(result) == ["train", "export"]
    assert "INFO Resuming behind epoch 1, step 5" in result.stdout
    assert done(run(tmp_path)) == []


# ---------------------------------------------------------------- how that is told


def test_the_status_of_training_follows_checkpoint_and_settings(folder: Path) -> None:
    assert training_status(config(folder)) == "done"
    assert training_status(config(folder, "training.num_epochs=9")) == "unfinished"
    assert training_status(config(folder, "training.seed=9")) == "new"
    shutil.rmtree(folder / "small" / "checkpoints")
    assert training_status(config(folder)) == "new"


def test_a_run_that_stopped_early_is_done(folder: Path) -> None:
    path = CheckpointFolder(folder / "small" / "checkpoints").find("last") / "state.json"
    state = json.loads(path.read_text(encoding="utf-8")) | {"best_epoch": 1}
    for patience, status in ((2, "done"), (3, "unfinished")):
        longer = config(folder, "training.num_epochs=9", f"training.early_stopping_patience={patience}")
        path.write_text(json.dumps(state | {"settings": train_module.training_digest(longer)}), encoding="utf-8")
        assert training_status(longer) == status


def test_data_and_bundle_are_current_until_something_changes(folder: Path) -> None:
    assert data_is_current(config(folder))
    assert bundle_is_current(config(folder))
    assert not data_is_current(config(folder, "tokenizer.lowercase=true"))
    assert not bundle_is_current(config(folder, "export.precision=float32"))
    (folder / "small" / "data" / "corpus.json").write_text("{}", encoding="utf-8")
    (folder / "small" / "bundle" / "manifest.json").write_text("{}", encoding="utf-8")
    assert not data_is_current(config(folder))
    assert not bundle_is_current(config(folder))


def test_a_corpus_that_is_gone_is_not_current(folder: Path, tmp_path: Path) -> None:
    assert not data_is_current(config(folder, f"dataset.train_path={tmp_path / 'gone.toml'}"))


# ---------------------------------------------------------------- what is printed


def test_preprocessing_prints_the_statistics_of_the_seed(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus.toml", [*PAIRS, PAIRS[0]], category="all")
    said: list[str] = []
    run_preprocess(small_config(tmp_path), said.append)
    text = "\n".join(said)
    for line in (
        f"Loading configuration from: {tmp_path / 'small.toml'}",
        f"Loaded 13 examples from {tmp_path / 'corpus.toml'}",
        "Total examples: 12",
        "Train: 9, Val: 1, Test: 2",
        "  all: 12",
        f"Wrote {tmp_path / 'small' / 'data'}",
    ):
        assert line in said
    assert "Vocabulary size: " in text
    assert "Average lengths: prompt " in text
    assert sum(line.startswith("WARNING ") and "the same pair as" in line for line in said) == 1


def compiler(refused: str) -> Callable[[], Any]:
    class Validator:
        def check(self, code: str) -> str | None:
            return "expected ;" if code == refused else None

    return Validator


def test_codes_that_do_not_compile_are_named_with_their_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "Validator", compiler(PAIRS[1][1]))
    file = write_corpus(tmp_path / "corpus.toml")
    failures, count = validate_corpus(small_config(tmp_path))
    assert count == len(PAIRS)
    assert failures == [f"{file}:7: 'unit vector of wind': expected ;"]
