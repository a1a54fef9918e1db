"""A bundle is complete, tells what it is, answers as the model does, and appears whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import safetensors.numpy
from safetensors import safe_open

from builders import PAIRS, small_config, tree
from wgsl_export import bundle as module
from wgsl_export import export_bundle
from wgsl_export.bundle import GRAPHS
from wgsl_export.onnx_format import IR_VERSION, OPSET
from wgsl_export.parity import greedy_answers
from wgsl_export.weights import plain_weights
from wgsl_infer import Generator
from wgsl_infer.bundle import FORMAT, Bundle
from wgsl_infer.session import OnnxModel
from wgsl_infer.tokenizer import Tokenizer
from wgsl_pipeline.checkpoint import CheckpointFolder, load_model, read_state
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.preprocess import preprocess

FILES = {"tokenizer.json": "text", "grammar.json": "text", "model.safetensors": "float32"} | {
    name: precision
    for precision in ("float32", "int8")
    for name in (*(f"{part}.{precision}.onnx" for part in ("answer", "encoder", "decoder")), f"weights.{precision}.bin")
}


@pytest.fixture(scope="module")
def exported(trained: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, dict[str, Any], list[str]]:
    """A bundle that is only read, the manifest that was returned, and what was said."""
    folder = tmp_path_factory.mktemp("exported")
    shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
    config = dataclasses.replace(trained, output=dataclasses.replace(trained.output, dir=str(folder)))
    said: list[str] = []
    return config, export_bundle(config, say=said.append), said


def best_model(config: Config) -> Transformer:
    corpus = Corpus.open(config.data_folder)
    model = Transformer(config.model, len(corpus.tokenizer))
    load_model(CheckpointFolder(config.checkpoint_folder).find("best"), model)
    return model.eval()


# ---------------------------------------------------------------- the manifest


def test_the_bundle_holds_the_files_it_lists_and_no_other(exported: Any) -> None:
    config, manifest, _ = exported
    assert {path.name for path in config.bundle_folder.iterdir()} == {*FILES, "manifest.json"}
    assert manifest["files"].keys() == FILES.keys()
    assert json.loads((config.bundle_folder / "manifest.json").read_text(encoding="utf-8")) == manifest


def test_every_file_is_listed_with_size_dtype_and_hash(exported: Any) -> None:
    config, manifest, _ = exported
    for name, dtype in FILES.items():
        data = (config.bundle_folder / name).read_bytes()
        entry = {"bytes": len(data), "dtype": dtype, "sha256": hashlib.sha256(data).hexdigest()}
        assert manifest["files"][name] == entry


def test_the_manifest_says_what_the_model_is_and_where_it_comes_from(exported: Any) -> None:
    config, manifest, _ = exported
    corpus, checkpoint = Corpus.open(config.data_folder), CheckpointFolder(config.checkpoint_folder).find("best")
    state = read_state(checkpoint)
    assert manifest["format"] == FORMAT == 3
    assert manifest["task"] == "small"
    assert manifest["tokenizer"] == {"fingerprint": corpus.tokenizer.fingerprint, "size": len(corpus.tokenizer)}
    assert manifest["onnx"] == {"opset": OPSET, "ir_version": IR_VERSION}
    assert manifest["graphs"] == GRAPHS
    described = dict(manifest["model"])
    assert described.pop("parameters") == sum(p.numel() for p in best_model(config).parameters())
    assert set(described.pop("layer_norm_epsilon")) == {"encoder", "decoder"}
    assert described == dataclasses.asdict(config.model) | {"encoder_layers": 1, "decoder_layers": 1}
    training = manifest["training"]
    assert training["checkpoint"] == hashlib.sha256((checkpoint / "model.safetensors").read_bytes()).hexdigest()
    assert training["data"] == corpus.figures["inputs"]
    assert (training["epoch"], training["train_loss"]) == (state.best_epoch, state.best_loss)


def test_the_manifest_holds_the_metrics_of_the_export(exported: Any) -> None:
    _, manifest, _ = exported
    metrics = manifest["metrics"]
    assert set(metrics["parity"]) == {"encoder", "decoder"}
    assert 0 < max(metrics["parity"].values()) <= 1e-4
    assert metrics["prompts"] == len(PAIRS)
    assert metrics["int8_same_tokens"] >= 0.9 * len(PAIRS)
    assert metrics["exact_code"]["float32"]["train"] == [10, 10]
    for parts in metrics["exact_code"].values():
        assert {part: count for part, (_, count) in parts.items()} == {"train": 10, "val": 1, "test": 1}


@pytest.mark.parametrize(("wanted", "kept"), [(40, 40), (5000, 62)])
def test_the_manifest_holds_the_defaults_of_generation(config: Config, wanted: int, kept: int) -> None:
    given = {"precision": "float32", "beam": 3, "second_look": 5, "length_penalty": 0.7}
    settings = dataclasses.replace(config.export, **given, max_tokens=wanted)
    manifest = export_bundle(dataclasses.replace(config, export=settings))
    assert manifest["generation"] == given | {"max_tokens": kept}
    generator = Generator(config.bundle_folder)
    assert generator.precision == "float32"
    assert (generator.settings().beam, generator.settings().max_tokens) == (3, kept)
    assert generator.settings().second_look == 5


def test_what_was_exported_and_proved_is_said(exported: Any) -> None:
    config, manifest, said = exported
    assert said[0].startswith(f"Exporting {CheckpointFolder(config.checkpoint_folder).find('best')} (epoch ")
    assert said[1].startswith("Parity: largest difference from PyTorch ")
    assert said[2].startswith("Greedy tokens: float32 equal on 12 of 12 prompts, int8 on ")
    assert "Exact code, train: float32 10 of 10, int8 " in said[3]
    assert [line.split("/")[-1] for line in said[-len(FILES) :]] == list(manifest["files"])


# ---------------------------------------------------------------- the files


def test_safetensors_hold_the_folded_weights(exported: Any) -> None:
    config, manifest, _ = exported
    path = config.bundle_folder / "model.safetensors"
    tensors = safetensors.numpy.load_file(path)
    wanted = plain_weights(best_model(config)).tensors
    assert tensors.keys() == wanted.keys()
    assert all(np.array_equal(tensors[name], wanted[name]) for name in wanted)
    assert {value.dtype for value in tensors.values()} == {np.dtype(np.float32)}
    with safe_open(path, "numpy") as file:
        metadata = file.metadata()
    assert json.loads(metadata["made_from"]) == {
        "tokenizer": manifest["tokenizer"]["fingerprint"],
        "checkpoint": manifest["training"]["checkpoint"],
    }


def test_every_graph_is_stamped_and_passes_the_checker(exported: Any) -> None:
    config, manifest, _ = exported
    for files in GRAPHS.values():
        for name in (files[part] for part in ("answer", "encoder", "decoder")):
            onnx.checker.check_model(str(config.bundle_folder / name), full_check=True)
            model = onnx.load(config.bundle_folder / name)
            stamps = {entry.key: entry.value for entry in model.metadata_props}
            assert stamps["tokenizer"] == manifest["tokenizer"]["fingerprint"]
            assert stamps["checkpoint"] == manifest["training"]["checkpoint"]


def test_the_tokenizer_is_the_corpuss_own(exported: Any) -> None:
    config, _, _ = exported
    names = [folder / "tokenizer.json" for folder in (config.bundle_folder, config.data_folder)]
    assert names[0].read_bytes() == names[1].read_bytes()
    assert Tokenizer.load(names[0]).fingerprint == exported[1]["tokenizer"]["fingerprint"]


def test_the_same_checkpoint_gives_the_same_bundle(exported: Any, config: Config) -> None:
    export_bundle(config)
    ours, theirs = tree(config.bundle_folder), tree(exported[0].bundle_folder)
    assert {name for name in ours if ours[name] != theirs[name]} == set()


# ---------------------------------------------------------------- answers


def test_pytorch_float32_onnx_and_the_python_api_agree_on_every_prompt(exported: Any) -> None:
    config, _, _ = exported
    bundle = Bundle.open(config.bundle_folder)
    tokenizer, model, full = bundle.tokenizer(), best_model(config), OnnxModel(bundle, "float32")
    prompts = [prompt for prompt, _ in PAIRS]
    ours = greedy_answers(lambda sources: TorchDecoding(model, sources), tokenizer, prompts, 40)
    theirs = greedy_answers(full.start, tokenizer, prompts, 40)
    assert [answer.ids for answer in ours] == [answer.ids for answer in theirs]
    decoded = [
        tokenizer.decode(answer.ids, tokenizer.encode_prompt(prompt).slots) if answer.complete else None
        for prompt, answer in zip(prompts, ours, strict=True)
    ]
    generator = Generator(config.bundle_folder, precision="float32")
    assert [answer.code for answer in generator.generate(prompts, second_look=0)] == decoded
    assert [generator(prompt, second_look=0).code for prompt in prompts] == decoded
    assert decoded[:10] == [code for _, code in PAIRS[:10]]


def test_scores_of_pytorch_and_onnx_agree(exported: Any) -> None:
    config, _, _ = exported
    bundle = Bundle.open(config.bundle_folder)
    tokenizer, model, full = bundle.tokenizer(), best_model(config), OnnxModel(bundle, "float32")
    prompts = [prompt for prompt, _ in PAIRS]
    ours = greedy_answers(lambda sources: TorchDecoding(model, sources), tokenizer, prompts, 40)
    theirs = greedy_answers(full.start, tokenizer, prompts, 40)
    assert [a.score for a in ours] == pytest.approx([b.score for b in theirs], abs=1e-4)


def test_of_a_larger_corpus_prompts_are_taken_evenly(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PROMPTS_COMPARED", 5)
    seen: list[list[str]] = []
    really = module.greedy_answers
    monkeypatch.setattr(module, "greedy_answers", lambda *a: (seen.append(list(a[2])), really(*a))[1])
    assert export_bundle(config)["metrics"]["prompts"] == 4
    assert set(map(tuple, seen)) == {tuple(prompt for prompt, _ in PAIRS[::3])}


# ---------------------------------------------------------------- all or nothing


def test_a_bundle_that_is_there_is_replaced_only_by_force(config: Config) -> None:
    export_bundle(config)
    before = tree(config.folder)
    with pytest.raises(ArtefactError, match="bundle: there already; --force replaces it"):
        export_bundle(config)
    assert tree(config.folder) == before
    (config.bundle_folder / "left over").touch()
    changed = dataclasses.replace(config, export=dataclasses.replace(config.export, beam=2))
    assert export_bundle(changed, force=True)["generation"]["beam"] == 2
    assert tree(config.folder).keys() == before.keys()


@pytest.mark.parametrize(
    "make", [lambda path: (path.mkdir(), (path / "thesis.txt").write_text("all of it")), Path.touch]
)
def test_what_is_no_bundle_is_kept_even_by_force(config: Config, make: Any) -> None:
    make(config.bundle_folder)
    before = tree(config.folder)
    with pytest.raises(ArtefactError, match="holds something that is no bundle; it is left alone"):
        export_bundle(config, force=True)
    assert tree(config.folder) == before


@pytest.mark.parametrize("step", ["_write_files", "_manifest", "_check"])
@pytest.mark.parametrize("there", [False, True])
def test_an_interrupted_export_leaves_nothing_new(
    config: Config, monkeypatch: pytest.MonkeyPatch, step: str, there: bool
) -> None:
    if there:
        export_bundle(config)
    before = tree(config.folder)
    really = getattr(module, step)

    def interrupted(*arguments: Any) -> None:
        really(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(module, step, interrupted)
    with pytest.raises(KeyboardInterrupt):
        export_bundle(config, force=there)
    assert tree(config.folder) == before
    assert {path.name for path in config.folder.iterdir()} <= {"bundle", "checkpoints", "data"}


# ---------------------------------------------------------------- mismatches


def test_without_a_checkpoint_there_is_nothing_to_export(config: Config) -> None:
    shutil.rmtree(config.checkpoint_folder)
    with pytest.raises(ArtefactError, match="no best checkpoint: run `pipeline train`"):
        export_bundle(config)


def test_a_checkpoint_of_another_tokenizer_is_refused(config: Config) -> None:
    preprocess(dataclasses.replace(config, tokenizer=dataclasses.replace(config.tokenizer, lowercase=True)))
    before = tree(config.folder)
    with pytest.raises(ArtefactError, match=r"trained with another tokenizer than .*: run `pipeline train`"):
        export_bundle(config)
    assert tree(config.folder) == before


def test_a_checkpoint_of_another_network_is_refused(config: Config) -> None:
    other = dataclasses.replace(config, model=dataclasses.replace(config.model, dim_feedforward=32))
    with pytest.raises(ArtefactError, match="another network than"):
        export_bundle(other)
    assert not config.bundle_folder.exists()


def test_a_network_of_few_positions_can_be_exported(tmp_path: Path) -> None:
    from wgsl_pipeline.train import train

    short = {"model.max_seq_len": 32, "tokenizer.max_length": 32, "training.num_epochs": 1}
    config = small_config(tmp_path, short)
    preprocess(config)
    train(config)
    assert export_bundle(config)["generation"]["max_tokens"] == 30


@pytest.mark.parametrize("change", [{"nhead": 1}, {"activation": "gelu"}, {"residual_scaling": "none"}])
def test_another_network_of_the_same_shape_is_refused(
    exported: tuple[Config, dict[str, Any], list[str]], change: dict[str, Any]
) -> None:
    config = dataclasses.replace(exported[0], model=dataclasses.replace(exported[0].model, **change))
    before = tree(config.bundle_folder)
    with pytest.raises(ArtefactError, match="another network"):
        export_bundle(config, force=True)
    assert tree(config.bundle_folder) == before


def test_every_file_of_a_bundle_can_be_read_by_all(exported: tuple[Config, dict[str, Any], list[str]]) -> None:
    assert {path.stat().st_mode & 0o444 for path in exported[0].bundle_folder.iterdir()} == {0o444}
