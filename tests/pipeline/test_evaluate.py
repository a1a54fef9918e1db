"""The evaluate stage on the fixture bundle, which knows its corpus by heart: figures, files and friendly errors."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from builders import small_config, small_model
from wgsl_infer.bundle import file_hash
from wgsl_infer.errors import BundleError
from wgsl_infer.validation import Validator, ValidatorUnavailable
from wgsl_pipeline.checkpoint import MODEL, CheckpointFolder, State, parameters
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config, load_config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.evaluation import judging, stage
from wgsl_pipeline.evaluation.execution import DIFFERENT, Verdict
from wgsl_pipeline.evaluation.stage import Options, evaluate
from wgsl_pipeline.evaluation.teacher_forcing import token_losses
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.optimisation import Answers, evaluate_loss
from wgsl_pipeline.preprocess import preprocess

FIXTURES = Path(__file__).parents[1] / "fixtures"
TRAIN = Options(parts=("train",))


def no_device(*arguments: object) -> Any:
    raise ValidatorUnavailable("no adapter today")


class Refuting:
    """Stands in for the executor: everything compiles, and nothing but the same text is equal."""

    device, runs = "a device", True

    def __enter__(self) -> Refuting:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def compare(self, reference: str, answer: str) -> Verdict:
        return Verdict("", DIFFERENT)

    def check(self, answer: str) -> Verdict:
        return Verdict("", "")


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """The configuration of the fixture bundle with its corpus preprocessed and the bundle in place."""
    places = [f'output.dir="{tmp_path}"', f'dataset.train_path="{FIXTURES / "corpus.toml"}"']
    found = load_config(FIXTURES / "bundle.toml", places)
    preprocess(found, lambda line: None)
    shutil.copytree(FIXTURES / "bundle", found.bundle_folder)
    return found


def test_a_model_that_knows_its_corpus_is_all_right(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", Refuting)
    report = evaluate(config, TRAIN)
    overall = report["table"][-1]
    assert overall["model"]["exact_match"] == overall["model"]["valid"] == 1.0
    assert overall["baseline"]["exact_match"] < 1.0  # no pair finds itself
    assert report["unsupported"]["model"]["recall"] == 1.0
    assert report["made"]["pairs"] == sum(config_parts(config).values())
    assert report["made"]["device"] == "a device"


def config_parts(config: Config) -> dict[str, int]:
    parts: dict[str, int] = Corpus.open(config.data_folder).figures["parts"]
    return parts


def test_without_a_device_nothing_is_compiled(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", no_device)
    lines: list[str] = []
    report = evaluate(config, TRAIN, lines.append)
    for row in report["table"]:
        assert row["model"]["valid"] is row["model"]["execution_match"] is row["baseline"]["valid"] is None
        assert row["model"]["exact_match"] == 1.0
    overall = next(line for line in lines if line.startswith("all in domain"))
    assert overall.count("not measured") == 6  # loss, three of the model, two of the baseline
    assert report["made"]["device"] == "not measured: no adapter today"


def test_a_device_that_runs_nothing_still_compiles(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", Refuting)
    monkeypatch.setattr(Refuting, "runs", False)
    overall = evaluate(config, TRAIN)["table"][-1]
    assert (overall["model"]["valid"], overall["model"]["execution_match"]) == (1.0, None)


def test_with_a_device_answers_are_compiled_and_run(config: Config, validator: Validator) -> None:
    report = evaluate(config, TRAIN)
    overall = report["table"][-1]
    assert overall["model"]["valid"] == 1.0
    assert overall["baseline"]["valid"] is not None
    if "cannot run" not in report["made"]["device"]:
        assert overall["model"]["execution_match"] == 1.0
        assert overall["baseline"]["execution_match"] < 1.0


def test_files(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", no_device)
    report = evaluate(config, Options(("train",), limit=5, precision="float32", beam=2, command="pipeline <&> x"))
    folder = config.folder / "evaluation"
    assert json.loads((folder / "report.json").read_text()) == report
    rows = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert len(rows) == report["made"]["pairs"] == 5
    assert all(row["right"] for row in rows)
    page = (folder / "report.html").read_text()
    assert len(re.findall('src="data:image/png;base64,iVBOR', page)) == 3
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    assert "pipeline &lt;&amp;&gt; x" in page
    made = report["made"]
    assert (made["precision"], made["beam"]) == ("float32", 2)
    assert made["checkpoint"] in page
    assert made["tokenizer"] in page


def test_the_limit_spreads_over_all_parts(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus.open(config.data_folder)
    prompts = [row["prompt"] for row in corpus.texts("train")]
    chosen = [pair.prompt for pair in stage._choose_pairs(corpus, Options(("train", "val"), limit=4))]
    assert chosen == [prompts[k * len(prompts) // 4] for k in range(4)]


# ---------------------------------------------------------------- the loss


def test_losses_add_up_to_the_loss_of_the_whole(tmp_path: Path) -> None:
    config = small_config(tmp_path)
    preprocess(config, lambda line: None)
    corpus = Corpus.open(config.data_folder)
    pairs, model = corpus.pairs("train"), small_model(len(corpus.tokenizer), max_seq_len=64)
    device = torch.device("cpu")
    answers = Answers(corpus.tokenizer.target_ids, len(corpus.tokenizer), device)
    losses, tokens = token_losses(model, pairs, answers, np.arange(len(pairs)), device)
    whole = evaluate_loss(model, pairs, answers, device, "float32", 4)
    assert losses.sum() / tokens.sum() == pytest.approx(whole, rel=1e-5)
    alone, _ = token_losses(model, pairs, answers, np.array([3, 1]), device)
    assert alone == pytest.approx(losses[[3, 1]], rel=1e-4)


def test_the_loss_is_that_of_the_checkpoint(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", no_device)
    corpus = Corpus.open(config.data_folder)
    model = Transformer(config.model, len(corpus.tokenizer), torch.Generator().manual_seed(1))
    checkpoints = CheckpointFolder(config.checkpoint_folder)
    made_from = {"settings": "", "model": config.digest("model"), "data": "", "tokenizer": corpus.tokenizer.fingerprint}
    state = State(**made_from, precision="float32", best_epoch=1)
    checkpoints.save_best(state, parameters(model))
    report = evaluate(config, TRAIN)
    assert report["table"][-1]["loss_per_token"] is None  # the bundle was made from another checkpoint
    assert "is not what the bundle was made from" in report["made"]["loss"]
    manifest = json.loads((config.bundle_folder / "manifest.json").read_text())
    manifest["training"]["checkpoint"] = file_hash(checkpoints.find("best") / MODEL)
    (config.bundle_folder / "manifest.json").write_text(json.dumps(manifest))
    report = evaluate(config, TRAIN)
    model.eval()
    known = [k for k, row in enumerate(corpus.texts("train")) if row["code"] != "<unsupported>"]
    answers = Answers(corpus.tokenizer.target_ids, len(corpus.tokenizer), torch.device("cpu"))
    losses, tokens = token_losses(model, corpus.pairs("train"), answers, np.array(known), torch.device("cpu"))
    assert report["table"][-1]["loss_per_token"] == pytest.approx(losses.sum() / tokens.sum())


# ---------------------------------------------------------------- what a user may do wrong


def remove_bundle(config: Config) -> Options:
    shutil.rmtree(config.bundle_folder)
    return TRAIN


def remove_data(config: Config) -> Options:
    shutil.rmtree(config.data_folder)
    return TRAIN


def choose_empty_part(config: Config) -> Options:
    return Options()


def cut_bundle(config: Config) -> Options:
    (config.bundle_folder / "encoder.int8.onnx").write_bytes(b"")
    return TRAIN


def change_tokenizer(config: Config) -> Options:
    preprocess(
        load_config(
            config.path,
            [
                f'output.dir="{config.folder}"',
                f'dataset.train_path="{FIXTURES / "corpus.toml"}"',
                "tokenizer.phrases=0",
            ],
        ),
        lambda line: None,
    )
    return TRAIN


@pytest.mark.parametrize(
    ("harm", "error", "message"),
    [
        (remove_bundle, ArtefactError, "no bundle: run `pipeline export`"),
        (remove_data, ArtefactError, "run `pipeline preprocess`"),
        (choose_empty_part, ArtefactError, "no pairs in val and test; try --part train"),
        (cut_bundle, BundleError, "0 bytes instead of"),
        (change_tokenizer, ArtefactError, "another tokenizer"),
    ],
)
def test_errors_are_one_line(
    config: Config, harm: Callable[[Config], Options], error: type[Exception], message: str
) -> None:
    options = harm(config)
    with pytest.raises(error, match=message) as caught:
        evaluate(config, options)
    assert "\n" not in str(caught.value)
    assert not (config.folder / "evaluation").exists()


def test_command(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Options] = []
    monkeypatch.setattr("wgsl_pipeline.evaluation.evaluate", lambda config, options, say: given.append(options))
    line = [
        "evaluate",
        "--config",
        str(config.path),
        "--part",
        "test",
        "--part",
        "train",
        "--limit",
        "7",
        "--beam",
        "3",
    ]
    result = CliRunner().invoke(pipeline, [*line, "--precision", "float32", "--bundle", "there"])
    assert result.exit_code == 0, result.output
    (options,) = given
    assert (options.parts, options.limit, options.beam) == (("test", "train"), 7, 3)
    assert (options.precision, options.bundle) == ("float32", Path("there"))
    assert options.command.startswith("pipeline ")


def test_command_without_a_bundle(config: Config) -> None:
    places = ["--set", f'output.dir="{config.folder}"', "--bundle", str(config.folder / "nowhere")]
    result = CliRunner().invoke(pipeline, ["evaluate", "--config", str(config.path), *places])
    assert result.exit_code == ArtefactError.exit_status
    assert result.stderr.count("\n") == 1
    assert "no bundle" in result.stderr
