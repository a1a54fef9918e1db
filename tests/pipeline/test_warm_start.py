"""A run that starts from another one's weights knows what that one knew, whatever words came or went."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from builders import PAIRS, small_config, write_corpus
from wgsl_pipeline.checkpoint import CheckpointFolder, read_state
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.train import train
from wgsl_pipeline.warm_start import warm_start

LEARNT = {
    "training.num_epochs": 25,
    "training.learning_rate": 0.01,
    "training.monitor": "train_loss",
    "tokenizer.phrases": 4,
}
MORE = [("ceiling of heat", "ceil(heat)"), ("ceiling of glow", "ceil(glow)"), ("cosine of phase", "cos(phase)")]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("first")
    write_corpus(folder / "corpus.toml", PAIRS)
    config = small_config(folder, LEARNT)
    preprocess(config)
    train(config)
    return config


def second(folder: Path, **changes: object) -> Config:
    write_corpus(folder / "corpus.toml", [*MORE, *PAIRS[::-1]])
    config = small_config(folder, LEARNT | {"training.num_epochs": 1} | changes)
    preprocess(config)
    return config


def test_vectors_follow_their_tokens(first: Config, tmp_path: Path) -> None:
    config = second(tmp_path)
    before, after = (Corpus.open(c.data_folder).tokenizer for c in (first, config))
    assert before.tokens != after.tokens
    old = Transformer(first.model, len(before))
    warm_start(old, before, first.folder)
    new = Transformer(config.model, len(after), torch.Generator().manual_seed(3))
    untouched = new.embedding.weight.detach().clone()
    _, shared = warm_start(new, after, first.folder)
    assert 0 < shared < len(after)
    words = set(before.ids) & set(after.ids)
    assert {"<name0>", "clamp"} <= words
    for token in words:
        assert torch.equal(new.embedding.weight[after.ids[token]], old.embedding.weight[before.ids[token]])
    assert "ceiling" not in before.ids
    assert torch.equal(new.embedding.weight[after.ids["ceiling"]], untouched[after.ids["ceiling"]])
    assert torch.equal(new.encoder[0].attention.qkv.weight, old.encoder[0].attention.qkv.weight)


def test_a_run_begins_where_the_other_one_stood(first: Config, tmp_path: Path) -> None:
    config = second(tmp_path)
    cold = train(config).history
    state = train(config, start=first.folder)
    assert cold and state.history
    assert state.history[0]["train_loss"] < 0.8 * cold[0]["train_loss"]
    assert len(state.started_from) == 64
    assert read_state(CheckpointFolder(config.checkpoint_folder).find("last")).started_from == state.started_from


def test_another_network_is_refused(first: Config, tmp_path: Path) -> None:
    config = second(tmp_path, **{"model.d_model": 32})
    with pytest.raises(ArtefactError, match="another network"):
        train(config, start=first.folder)


def test_a_folder_without_a_run_is_named(first: Config, tmp_path: Path) -> None:
    config = second(tmp_path)
    with pytest.raises(ArtefactError, match="no run to start from"):
        train(config, start=tmp_path / "nothing")
    shutil.copytree(first.data_folder, tmp_path / "half" / "data")
    with pytest.raises(ArtefactError, match="no best checkpoint"):
        train(config, start=tmp_path / "half")


def test_starting_and_resuming_exclude_each_other(first: Config) -> None:
    given = ["train", "--config", str(first.path), "--resume", "--from", str(first.folder)]
    result = CliRunner().invoke(pipeline, given)
    assert result.exit_code == 2
    assert "only one of them" in result.output
