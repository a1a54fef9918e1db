"""The average of runs with the same beginning is a model of its own, and nothing else is averaged."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from builders import PAIRS, small_config, write_corpus
from wgsl_pipeline.averaging import average
from wgsl_pipeline.checkpoint import MODEL, CheckpointFolder, load_tensors, read_state
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.stages import training_status
from wgsl_pipeline.train import train


def config_of(folder: Path, pairs: Sequence[tuple[str, str]] = PAIRS, **changes: object) -> Config:
    folder.mkdir()
    write_corpus(folder / "corpus.toml", pairs)
    config = small_config(folder, {"training.num_epochs": 1} | changes)
    preprocess(config)
    return config


def best(config: Config) -> dict[str, torch.Tensor]:
    return load_tensors(CheckpointFolder(config.checkpoint_folder).find("best") / MODEL)


@pytest.fixture(scope="module")
def branches(tmp_path_factory: pytest.TempPathFactory) -> list[Config]:
    folder = tmp_path_factory.mktemp("branches")
    trunk = config_of(folder / "trunk")
    train(trunk)
    found = [config_of(folder / f"branch{seed}", **{"training.seed": seed}) for seed in (1, 2)]
    for config in found:
        train(config, start=trunk.folder)
    return found


def test_every_weight_is_the_mean_of_the_runs(branches: list[Config], tmp_path: Path) -> None:
    config = config_of(tmp_path / "mean")
    lines: list[str] = []
    state = average(config, [branch.folder for branch in branches], lines.append)
    one, other = map(best, branches)
    assert any(not torch.equal(one[name], other[name]) for name in one)
    for name, weight in best(config).items():
        assert torch.allclose(weight, (one[name] + other[name]) / 2, atol=1e-7)
    assert [line.split(":")[0] for line in lines] == [*(str(b.folder) for b in branches), "average of 2"]
    assert state.best_loss is not None and lines[-1].endswith(f"{state.best_loss:.4f}")
    assert read_state(CheckpointFolder(config.checkpoint_folder).find("best")).best_loss == state.best_loss
    assert training_status(config) == "done"


def test_a_run_that_is_there_is_not_replaced(branches: list[Config], tmp_path: Path) -> None:
    before = best(branches[0])
    with pytest.raises(ArtefactError, match="holds a run already"):
        average(branches[0], [branch.folder for branch in branches])
    after = best(branches[0])
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_other_networks_and_tokenizers_are_refused(branches: list[Config], tmp_path: Path) -> None:
    wide = config_of(tmp_path / "wide", **{"model.dim_feedforward": 48})
    with pytest.raises(ArtefactError, match="another network"):
        average(wide, [branch.folder for branch in branches])
    more = config_of(tmp_path / "more", [*PAIRS, ("ceiling of heat", "ceil(heat)"), ("ceiling of x", "ceil(x)")])
    with pytest.raises(ArtefactError, match="another tokenizer"):
        average(more, [branch.folder for branch in branches])
    assert not CheckpointFolder(more.checkpoint_folder).pointed("best")


def test_the_command_wants_two_runs(branches: list[Config], tmp_path: Path) -> None:
    config = config_of(tmp_path / "command")
    given = ["average", "--config", str(config.path)]
    result = CliRunner().invoke(pipeline, [*given, str(branches[0].folder)])
    assert result.exit_code == 2 and "two runs or more" in result.output
    result = CliRunner().invoke(pipeline, [*given, *(str(branch.folder) for branch in branches)])
    assert result.exit_code == 0, result.output
    assert "average of 2: validation loss" in result.output
