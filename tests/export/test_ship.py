"""The smallest bundle: it answers as the whole one does, and nothing is lost on the way."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from wgsl_export import export_bundle, ship_bundle
from wgsl_infer import Generator
from wgsl_infer.errors import BundleError
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.errors import ArtefactError

SHIPPED = {
    "tokenizer.json",
    "grammar.json",
    "weights.int8.bin",
    *(f"{p}.int8.onnx" for p in ("answer", "encoder", "decoder")),
}


def test_the_copy_answers_alike_and_holds_one_precision(config: Config, tmp_path: Path) -> None:
    export_bundle(config)
    given = ["--config", str(config.path), "--set", f"output.dir={config.folder}", str(tmp_path / "slim")]
    result = CliRunner().invoke(pipeline, ["ship", *given])
    assert result.exit_code == 0, result.output
    size = sum(path.stat().st_size for path in (tmp_path / "slim").iterdir())
    assert result.output == f"{size / 1e6:.2f} MB in {tmp_path / 'slim'}\n"
    files = {path.name for path in (tmp_path / "slim").iterdir()}
    assert files == SHIPPED | {"manifest.json"}
    whole, slim = Generator(config.bundle_folder), Generator(tmp_path / "slim")
    assert slim.bundle.precisions == ["int8"]
    for row in Corpus.open(config.data_folder).texts("train"):
        assert slim(row["prompt"]).code == whole(row["prompt"]).code


def test_the_manifest_names_what_is_there_alone(config: Config, tmp_path: Path) -> None:
    export_bundle(config)
    manifest = ship_bundle(config.bundle_folder, tmp_path / "slim")
    assert json.loads((tmp_path / "slim" / "manifest.json").read_text()) == manifest
    assert set(manifest["files"]) == SHIPPED
    for name, entry in manifest["files"].items():
        assert (tmp_path / "slim" / name).stat().st_size == entry["bytes"]


def test_what_stands_there_is_not_lost(config: Config, tmp_path: Path) -> None:
    export_bundle(config)
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(ArtefactError, match="no bundle; it is left alone"):
        ship_bundle(config.bundle_folder, tmp_path / "notes", force=True)
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"
    ship_bundle(config.bundle_folder, tmp_path / "slim")
    with pytest.raises(ArtefactError, match="--force replaces it"):
        ship_bundle(config.bundle_folder, tmp_path / "slim")
    ship_bundle(config.bundle_folder, tmp_path / "slim", force=True)


def test_a_damaged_bundle_is_not_shipped(config: Config, tmp_path: Path) -> None:
    export_bundle(config)
    graph = config.bundle_folder / "decoder.int8.onnx"
    graph.write_bytes(graph.read_bytes()[:-10])
    with pytest.raises(BundleError, match=r"decoder\.int8\.onnx"):
        ship_bundle(config.bundle_folder, tmp_path / "slim")
    assert not (tmp_path / "slim").exists()


def test_logits_are_for_the_tokens_of_answers_alone(config: Config) -> None:
    manifest = export_bundle(config)
    targets = Corpus.open(config.data_folder).tokenizer.target_ids
    assert len(targets) < manifest["tokenizer"]["size"]
    decoding = Generator(config.bundle_folder)._model.start([[5, 3]])
    assert decoding.columns.tolist() == targets
    assert decoding.step(np.array([2])).shape == (1, len(targets))


def test_prompts_become_source_tokens_alone(config: Config) -> None:
    export_bundle(config)
    corpus = Corpus.open(config.data_folder)
    sources = set(corpus.tokenizer.source_ids)
    for row in corpus.texts("train"):
        assert set(corpus.tokenizer.encode_prompt(row["prompt"]).ids) <= sources
