"""The evaluate stage: how good an exported bundle is on a part of the corpus, beside the retrieval baseline."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from wgsl_infer import Generator, __version__
from wgsl_infer.bundle import MANIFEST, file_hash
from wgsl_infer.tokens import UNSUPPORTED

from ..checkpoint import MODEL, CheckpointFolder, load_model
from ..config import Config
from ..dataset import Corpus
from ..errors import ArtefactError
from ..files import replaced_folder, write_json, write_text
from . import measures
from .judging import Judge, Means, open_executor
from .measures import NOT_MEASURED, Case
from .report import render_html, render_text
from .retrieval import Retrieval

DEFAULT_PARTS = ("val", "test")
_CHUNK = 256  # prompts between two lines of progress

Say = Callable[[str], object]


@dataclass(frozen=True)
class Options:
    """What to evaluate; None leaves the choice to the configuration or the bundle."""

    parts: tuple[str, ...] = DEFAULT_PARTS
    limit: int | None = None  # at most this many pairs, evenly spread, 1 or more
    bundle: Path | None = None
    precision: str | None = None  # int8 or float32
    beam: int | None = None  # hypotheses kept at each step, 1 or more
    command: str = ""  # the command line, for the report


@dataclass(frozen=True)
class _Pair:
    """A pair of the corpus and where it stands in its part."""

    part: str
    row: int
    prompt: str
    category: str
    wanted: str | None


def evaluate(config: Config, options: Options, say: Say = lambda line: None) -> dict[str, Any]:
    """Run the stage: bundle and corpus -> `evaluation/report.json`, `report.html` and `answers.jsonl`, all or nothing.

    Returns:
        The report.

    Raises:
        ArtefactError: there is no bundle or no corpus, they do not belong together, or there is no pair to evaluate.
    """
    corpus = Corpus.open(config.data_folder)
    generator = _open_generator(config, corpus, options)
    pairs = _choose_pairs(corpus, options)
    say(f"Evaluating {generator.bundle.folder} ({generator.precision}) on {len(pairs)} pairs of {corpus.folder}")
    cases, means = _answer(generator, Retrieval(corpus), pairs, options, say)
    cases, loss = _add_losses(config, corpus, generator, pairs, cases)
    report = _figures(generator, corpus, options, cases, means, loss)
    for line in render_text(report):
        say(line)
    folder = config.folder / "evaluation"
    with replaced_folder(folder) as fresh:
        write_json(fresh / "report.json", report)
        write_text(fresh / "report.html", render_html(report))
        write_text(fresh / "answers.jsonl", "".join(json.dumps(_row(case)) + "\n" for case in cases))
    say(f"Wrote {folder / 'report.html'}")
    return report


def _open_generator(config: Config, corpus: Corpus, options: Options) -> Generator:
    folder = options.bundle or config.bundle_folder
    if not (folder / MANIFEST).is_file():
        raise ArtefactError(f"{folder}: no bundle: run `pipeline export`, or name one with --bundle")
    generator = Generator(folder, precision=options.precision)
    if generator.bundle.fingerprint != corpus.tokenizer.fingerprint:
        raise ArtefactError(f"{folder}: made with another tokenizer than {corpus.folder}: train and export again")
    return generator


def _choose_pairs(corpus: Corpus, options: Options) -> list[_Pair]:
    found = [
        _Pair(
            part,
            k,
            row["prompt"],
            row["category"] or "(none)",
            None if row["code"].strip() == UNSUPPORTED else row["code"],
        )
        for part in options.parts
        for k, row in enumerate(corpus.texts(part))
    ]
    if not found:
        raise ArtefactError(f"{corpus.folder}: no pairs in {' and '.join(options.parts)}; try --part train")
    return [found[k] for k in measures.evenly(len(found), options.limit)]


# ---------------------------------------------------------------- answering and judging


def _answer(
    generator: Generator, retrieval: Retrieval, pairs: Sequence[_Pair], options: Options, say: Say
) -> tuple[list[Case], Means]:
    """Both answers to every prompt, judged; and what they were judged with."""
    cases: list[Case] = []
    with ExitStack() as stack:
        executor, means = open_executor(stack, generator.tokenizer)
        judge = Judge(generator.tokenizer, executor)
        began = time.monotonic()
        for start in range(0, len(pairs), _CHUNK):
            chunk = pairs[start : start + _CHUNK]
            answers = generator.generate([pair.prompt for pair in chunk], beam=options.beam)
            for pair, answer in zip(chunk, answers, strict=True):
                model = judge(pair.wanted, answer.code, answer.confidence)
                found = retrieval(pair.prompt, pair.row if pair.part == "train" else None)
                baseline = judge(pair.wanted, found.code, found.similarity)
                cases.append(Case(pair.prompt, pair.category, pair.wanted, model, baseline, None, 0))
            if len(cases) < len(pairs):
                say(f"  {len(cases)} of {len(pairs)} pairs, {time.monotonic() - began:.0f} s")
    return cases, means


# ---------------------------------------------------------------- the loss


def _add_losses(
    config: Config, corpus: Corpus, generator: Generator, pairs: Sequence[_Pair], cases: Sequence[Case]
) -> tuple[list[Case], str]:
    """The cases with the loss of each, if the checkpoint that the bundle was made from is here; and where it is."""
    try:
        checkpoint = CheckpointFolder(config.checkpoint_folder).find("best")
        if file_hash(checkpoint / MODEL) != generator.bundle.manifest.get("training", {}).get("checkpoint"):
            return list(cases), f"{NOT_MEASURED}: {checkpoint} is not what the bundle was made from"
    except ArtefactError as error:
        return list(cases), f"{NOT_MEASURED}: {error}"
    from ..devices import choose_device
    from ..model import Transformer
    from ..optimisation import Answers
    from .teacher_forcing import token_losses

    device = choose_device(config.training.device)
    model = Transformer(config.model, len(corpus.tokenizer))
    load_model(checkpoint, model)
    model.to(device)
    answers = Answers(corpus.tokenizer.target_ids, len(corpus.tokenizer), device)
    found = list(cases)
    for part in {pair.part for pair in pairs}:
        places = [k for k, pair in enumerate(pairs) if pair.part == part]
        rows = np.array([pairs[k].row for k in places], dtype=np.int64)
        losses, tokens = token_losses(model, corpus.pairs(part), answers, rows, device)
        for k, loss, count in zip(places, losses, tokens, strict=True):
            found[k] = replace(found[k], loss=float(loss), tokens=int(count))
    return found, str(checkpoint)


# ---------------------------------------------------------------- the report


def _figures(
    generator: Generator, corpus: Corpus, options: Options, cases: Sequence[Case], means: Means, loss: str
) -> dict[str, Any]:
    manifest = generator.bundle.manifest
    return {
        "made": {
            "bundle": str(generator.bundle.folder),
            "task": manifest.get("task"),
            "checkpoint": manifest.get("training", {}).get("checkpoint"),
            "tokenizer": generator.bundle.fingerprint,
            "parameters": manifest["model"]["parameters"],
            "precision": generator.precision,
            "beam": generator.settings(beam=options.beam).beam,
            "data": corpus.figures["inputs"],
            "parts": list(options.parts),
            "pairs": len(cases),
            "device": means.device,
            "loss": loss,
            "command": options.command,
            "version": __version__,
        },
        "table": measures.table(cases, compiled=means.compiled, ran=means.ran),
        "unsupported": {
            "model": measures.refusals(cases, lambda case: case.model),
            "baseline": measures.refusals(cases, lambda case: case.baseline),
        },
        "calibration": measures.calibration(cases),
        "lengths": measures.lengths(cases),
        "faults": measures.faults(cases),
    }


def _row(case: Case) -> dict[str, Any]:
    """One line of answers.jsonl."""
    return {
        "prompt": case.prompt,
        "category": case.category,
        "wanted": case.wanted,
        "got": case.model.code,
        "right": case.model.right,
        "outcome": case.model.outcome,
        "confidence": case.model.confidence,
        "loss_per_token": case.loss / case.tokens if case.loss is not None else None,
        "baseline": case.baseline.code,
        "baseline_right": case.baseline.right,
        "baseline_outcome": case.baseline.outcome,
    }
