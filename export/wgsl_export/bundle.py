"""The export stage: the best checkpoint to a bundle folder that appears whole and checked, or not at all."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file

from wgsl_infer.bundle import FORMAT, GRAMMAR, MANIFEST, TOKENIZER, Bundle, file_hash
from wgsl_infer.search import Hypothesis
from wgsl_infer.session import OnnxModel
from wgsl_infer.tokenizer import Tokenizer
from wgsl_pipeline.checkpoint import MODEL, CheckpointFolder, State, load_model, read_state
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.files import replaced_folder, write_json, write_text
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.preprocess import PARTS

from .activations import observe
from .grammar import grammar_tables
from .network import answer_graph, decoder_graph, encoder_graph
from .onnx_format import IR_VERSION, OPSET
from .parity import Difference, compare_outputs, greedy_answers, require_same_tokens, whole_answers
from .shared import save_graphs
from .weights import plain_weights

PRECISIONS = ("float32", "int8")
GRAPHS = {
    p: {part: f"{part}.{p}.onnx" for part in ("answer", "encoder", "decoder")} | {"weights": f"weights.{p}.bin"}
    for p in PRECISIONS
}
_PROMPTS_COMPARED = 2000  # of a larger corpus this many, evenly spread, are decoded
_PAIRS_OBSERVED = 500  # of the training part this many, evenly spread, tell in what range the activations of int8 are

Say = Callable[[str], None]


def export_bundle(config: Config, *, force: bool = False, say: Say = lambda line: None) -> dict[str, Any]:
    """Run the stage and return the manifest.

    Args:
        force: whether to replace a bundle that is already there.

    Raises:
        ArtefactError: there is no checkpoint, it belongs to other data, or a bundle is there and `force` is not given.
        ParityError: the graphs do not compute what the model does; nothing was written.
    """
    target = config.bundle_folder
    if target.exists() and not force:
        raise ArtefactError(f"{target}: there already; --force replaces it")
    if target.exists() and not (target / MANIFEST).is_file():
        raise ArtefactError(f"{target}: holds something that is no bundle; it is left alone")
    corpus = Corpus.open(config.data_folder)
    checkpoint = CheckpointFolder(config.checkpoint_folder).find("best")
    state = read_state(checkpoint)
    if state.tokenizer != corpus.tokenizer.fingerprint:
        raise ArtefactError(f"{checkpoint}: trained with another tokenizer than {corpus.folder}: run `pipeline train`")
    if state.model != config.digest("model"):
        raise ArtefactError(f"{checkpoint}: another network than [model] of {config.path}: run `pipeline train`")
    model = Transformer(config.model, len(corpus.tokenizer))
    load_model(checkpoint, model)
    model.eval()
    say(f"Exporting {checkpoint} (epoch {state.best_epoch}, loss {state.best_loss:.4f})")
    with replaced_folder(target) as folder:
        _write_files(folder, corpus, model, file_hash(checkpoint / MODEL))
        manifest = _manifest(folder, config, corpus, model, checkpoint, state)
        write_json(folder / MANIFEST, manifest)
        manifest["metrics"] = _check(folder, model, corpus, config, say)
        write_json(folder / MANIFEST, manifest)
    for name, entry in manifest["files"].items():
        say(f"  {entry['bytes'] / 1e6:8.2f} MB  {target / name}")
    return manifest


def _write_files(folder: Path, corpus: Corpus, model: Transformer, checkpoint_hash: str) -> None:
    tokenizer, weights = corpus.tokenizer, plain_weights(model)
    write_text(folder / TOKENIZER, tokenizer.to_text())
    if tokenizer.kind == "wgsl":
        write_text(folder / GRAMMAR, json.dumps(grammar_tables(), separators=(",", ":")))
    metadata = {"tokenizer": tokenizer.fingerprint, "checkpoint": checkpoint_hash}
    tensors = {name: np.ascontiguousarray(value) for name, value in weights.tensors.items()}
    # one key, since safetensors writes several in random order and the same checkpoint is to give the same bytes
    save_file(tensors, folder / MODEL, metadata={"made_from": json.dumps(metadata)})
    pairs = corpus.pairs("train")
    places = np.arange(0, len(pairs), max(1, -(-len(pairs) // _PAIRS_OBSERVED)))
    ranges = {"float32": None, "int8": observe(model, (pairs.batch(place) for place in places[:, None]))}
    for precision, files in GRAPHS.items():
        models = {
            files[part]: graph(weights, ranges[precision], metadata, tokenizer.target_ids)
            for part, graph in (("answer", answer_graph), ("encoder", encoder_graph), ("decoder", decoder_graph))
        }
        save_graphs(folder, models, files["weights"])


def _manifest(
    folder: Path, config: Config, corpus: Corpus, model: Transformer, checkpoint: Path, state: State
) -> dict[str, Any]:
    settings = dataclasses.asdict(config.model)
    settings |= {"encoder_layers": config.model.encoder_depth, "decoder_layers": config.model.decoder_depth}
    weights = plain_weights(model)
    texts = [name for name in (TOKENIZER, GRAMMAR) if (folder / name).exists()]
    dtypes = (
        dict.fromkeys(texts, "text")
        | {MODEL: "float32"}
        | {f: p for p, files in GRAPHS.items() for f in files.values()}
    )
    return {
        "format": FORMAT,
        "task": config.task.name,
        "tokenizer": {"fingerprint": corpus.tokenizer.fingerprint, "size": len(corpus.tokenizer)},
        "model": {
            **settings,
            "parameters": sum(p.numel() for p in model.parameters()),
            "layer_norm_epsilon": {"encoder": weights.encoder_epsilon, "decoder": weights.decoder_epsilon},
        },
        "onnx": {"opset": OPSET, "ir_version": IR_VERSION},
        "graphs": GRAPHS,
        "files": {
            name: {"bytes": (folder / name).stat().st_size, "dtype": dtype, "sha256": file_hash(folder / name)}
            for name, dtype in dtypes.items()
        },
        "training": {
            "checkpoint": file_hash(checkpoint / MODEL),
            "data": state.data,
            "settings": state.settings,
            "export_settings": config.digest("export"),
            "epoch": state.best_epoch,
            config.training.monitor: state.best_loss,
        },
        "metrics": {},
        "generation": {
            "precision": config.export.precision,
            "beam": config.export.beam,
            "second_look": config.export.second_look,
            "length_penalty": config.export.length_penalty,
            "max_tokens": min(config.export.max_tokens, config.model.max_seq_len - 2),
        },
    }


# ---------------------------------------------------------------- checking


def _check(folder: Path, model: Transformer, corpus: Corpus, config: Config, say: Say) -> dict[str, Any]:
    """Parity and accuracy of the written graphs, through onnxruntime, on the corpus.

    Raises:
        ParityError: float32 graphs and PyTorch differ.
    """
    bundle = Bundle.open(folder)
    tokenizer = bundle.tokenizer()
    exported = {precision: OnnxModel(bundle, precision) for precision in PRECISIONS}
    full = exported["float32"]

    def encode(source: Sequence[int]) -> NDArray[Any]:
        return np.asarray(full.encoder.run(["memory"], {"source": np.array([source])})[0][0])

    differences = compare_outputs(model, encode, full.start, tokenizer.source_ids, tokenizer.target_ids)
    say(f"Parity: largest difference from PyTorch {max(d.largest for d in differences):.1e}")
    rows = [(part, row) for part in PARTS for row in corpus.texts(part)]
    rows = rows[:: max(1, -(-len(rows) // _PROMPTS_COMPARED))]
    prompts = [row["prompt"] for _, row in rows]
    limit = config.model.max_seq_len - 2
    with torch.inference_mode():
        ours = greedy_answers(lambda sources: TorchDecoding(model, sources), tokenizer, prompts, limit)
    stepwise = greedy_answers(full.start, tokenizer, prompts, limit)
    require_same_tokens(prompts, ours, stepwise, "the float32 step graphs")
    answers = {p: whole_answers(exported[p], tokenizer, prompts, limit) for p in PRECISIONS}
    require_same_tokens(prompts, ours, answers["float32"], "the float32 answer graph")
    agreeing = sum(a.ids == b.ids for a, b in zip(ours, answers["int8"], strict=True))
    say(f"Greedy tokens: float32 equal on {len(prompts)} of {len(prompts)} prompts, int8 on {agreeing}")
    exact = {p: _exact(tokenizer, rows, answers[p]) for p in PRECISIONS}
    for part in exact["float32"]:
        right, count = exact["float32"][part]
        say(f"Exact code, {part}: float32 {right} of {count}, int8 {exact['int8'][part][0]}")
    return {
        "parity": _summary(differences),
        "prompts": len(prompts),
        "int8_same_tokens": agreeing,
        "exact_code": {p: {part: list(pair) for part, pair in parts.items()} for p, parts in exact.items()},
    }


def _exact(
    tokenizer: Tokenizer, rows: Sequence[tuple[str, dict[str, str]]], answers: Sequence[Hypothesis]
) -> dict[str, tuple[int, int]]:
    """For each part, how many answers are the corpus's code to the letter, in the house style, and of how many."""
    found: dict[str, tuple[int, int]] = {}
    for (part, row), answer in zip(rows, answers, strict=True):
        slots = tokenizer.encode_prompt(row["prompt"]).slots
        wanted = tokenizer.decode(tokenizer.encode_answer(row["code"], slots), slots)
        right, count = found.get(part, (0, 0))
        same = answer.complete and tokenizer.decode(answer.ids, slots) == wanted
        found[part] = (right + same, count + 1)
    return found


def _summary(differences: Sequence[Difference]) -> dict[str, float]:
    return {name: max(d.largest for d in differences if d.output == name) for name in ("encoder", "decoder")}
