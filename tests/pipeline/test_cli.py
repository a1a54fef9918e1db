"""The `pipeline` command: its help, its exit statuses, and one line for whatever goes wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import PAIRS, invoke, refused, succeed, tree, write_config, write_corpus
from wgsl_infer import __version__, validation
from wgsl_pipeline import train as train_module
from wgsl_pipeline.cli import pipeline

COMMANDS = ["init", "check", "show", "preprocess", "train", "export", "ship", "run", "validate", "completion"]


# ---------------------------------------------------------------- help


def test_help_lists_the_commands_in_the_order_of_their_use() -> None:
    text = succeed("--help").stdout
    listed = re.findall(r"^  ([a-z]+)  ", text.split("Commands:")[1].split("Exit status")[0], re.M)
    assert listed == list(pipeline.commands)
    assert [command for command in listed if command in COMMANDS] == COMMANDS
    for status in (0, 2, 5, 6, 7, 8, 9, 10, 130):
        assert re.search(rf"\b{status} [a-z]", text.split("Exit status:")[1])


@pytest.mark.parametrize("command", list(pipeline.commands))
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_and_option_explains_itself(command: str, flag: str) -> None:
    text = succeed(command, flag).stdout
    usage, description, options = re.split(r"\n\n(?=  [A-Z])|\nOptions:\n", text, maxsplit=2)
    assert usage.startswith(f"Usage: pipeline {command}")
    assert len(description.strip()) > 30
    explained = re.split(r"\n  (?=-)", "\n" + options)
    assert [option for option in explained[1:] if len(option.split()) < 3] == []


def test_the_version_is_told() -> None:
    assert succeed("--version").stdout == f"pipeline, version {__version__}\n"


def test_help_answers_before_anything_heavy_is_imported() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from wgsl_pipeline.cli import pipeline\n"
        "for arguments in (['--help'], ['train', '--help'], ['run', '-h'], ['completion', 'bash'], ['show']):\n"
        "    CliRunner().invoke(pipeline, arguments)\n"
        "print(sorted({'torch', 'onnx', 'onnxruntime', 'pyarrow', 'matplotlib', 'safetensors'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


# ---------------------------------------------------------------- wrong usage


@pytest.mark.parametrize(
    "arguments",
    [
        ["trian"],
        ["train"],
        ["train", "--config"],
        ["train", "--config", "c.toml", "--epochs", "many"],
        ["train", "--config", "c.toml", "--epoch-count", "3"],
        ["preprocess", "--config", "c.toml", "more"],
        ["init"],
        ["init", "x", "--language", "latin"],
        ["completion", "tcsh"],
    ],
)
def test_wrong_usage_ends_with_status_2_and_says_what_is_right(arguments: list[str]) -> None:
    result = invoke(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert re.search(r"^Error: \S.*$", result.stderr, re.M)
    assert "Traceback" not in result.stderr


def test_the_configuration_may_be_named_by_the_environment(ready: Path) -> None:
    result = invoke("show", env={"PIPELINE_CONFIG": str(ready)})
    assert result.exit_code == 0
    assert 'name = "small"' in result.stdout


# ---------------------------------------------------------------- what goes wrong, and its exit status


@pytest.mark.parametrize("command", ["show", "preprocess", "train", "export", "run", "validate"])
def test_a_configuration_that_is_not_there_ends_with_status_5(tmp_path: Path, command: str) -> None:
    line = refused(invoke(command, "--config", tmp_path / "nowhere.toml"), 5)
    assert f"{tmp_path / 'nowhere.toml'}: cannot be read" in line


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--set", "training.lerning_rate=1"], "[training] unknown key lerning_rate: did you mean learning_rate?"),
        (["--set", "training.learning_rate=fast"], "[training] learning_rate = 'fast' is not of type float"),
        (["--set", "learning_rate=1"], "write table.key=value"),
        (["--epochs", "0"], "[training] num_epochs = 0 is not between"),
        (["--device", "tpu"], "[training] device = 'tpu' is not one of auto, cpu, cuda, mps"),
    ],
)
def test_a_setting_that_cannot_be_ends_with_status_5(ready: Path, arguments: list[str], named: str) -> None:
    assert named in refused(invoke("train", "--config", ready, *arguments), 5)


def test_later_words_on_the_command_line_win(ready: Path) -> None:
    result = succeed("show", "--config", ready, "--set", "training.num_epochs=7", "--set", "training.num_epochs=8")
    assert "num_epochs = 8 " in result.stdout


@pytest.mark.parametrize(
    ("spoil", "named"),
    [
        (lambda path: path.unlink(), "corpus.toml: no such corpus"),
        (
            lambda path: path.write_text("[[examples]]\nnatural_language = 3\n", "utf-8"),
            "corpus.toml:1: natural_language",
        ),
        (lambda path: path.write_text("[[examples]]\noops\n", "utf-8"), "corpus.toml:2: not TOML"),
        (lambda path: path.write_bytes(b"\xff"), "corpus.toml: not UTF-8"),
        (lambda path: path.write_text("", "utf-8"), "corpus.toml: no pair is left to train on"),
        (lambda path: write_corpus(path, [("bad", "/* open"), *PAIRS]), "corpus.toml: "),
    ],
)
@pytest.mark.parametrize("command", ["preprocess", "run"])
def test_a_corpus_that_cannot_be_read_ends_with_status_6(
    tmp_path: Path, spoil: Callable[[Path], Any], named: str, command: str
) -> None:
    path = write_config(tmp_path)
    spoil(tmp_path / "corpus.toml")
    assert named in refused(invoke(command, "--config", path), 6)
    assert not (tmp_path / "small" / "data").exists()


def test_codes_that_do_not_compile_end_with_status_6(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Validator:
        refused = PAIRS[1][1]

        def check(self, code: str) -> str | None:
            return "expected ;" if code == self.refused else None

    monkeypatch.setattr(validation, "Validator", Validator)
    result = invoke("validate", "--config", ready)
    assert result.exit_code == 6
    failure, summary = result.stdout.splitlines()
    assert failure.endswith("'unit vector of wind': expected ;")
    assert summary == f"{len(PAIRS) - 1} of {len(PAIRS)} codes and recipes are right"
    Validator.refused = ""
    told = succeed("validate", "--config", ready).stdout
    assert told == f"{len(PAIRS)} of {len(PAIRS)} codes and recipes are right\n"


@pytest.mark.parametrize(
    ("lost", "arguments", "named"),
    [
        ("data", ["train"], "corpus.json: missing (No such file or directory): run `pipeline preprocess`"),
        ("data/tokenizer.json", ["train"], "tokenizer.json: cannot be read: No such file"),
        ("data/train-00000.parquet", ["train"], "train-00000.parquet: cannot be read"),
        ("checkpoints", ["train", "--resume"], "no last checkpoint: run `pipeline train`"),
        ("checkpoints/best.json", ["export", "--force"], "no best checkpoint: run `pipeline train`"),
        ("data", ["export", "--force"], "corpus.json: missing"),
        ("", ["export"], "bundle: there already; --force replaces it"),
        ("bundle/manifest.json", ["export", "--force"], "holds something that is no bundle; it is left alone"),
    ],
)
def test_a_file_that_is_missing_or_in_the_way_ends_with_status_7(
    ready: Path, lost: str, arguments: list[str], named: str
) -> None:
    folder = ready.parent / "small"
    path = folder / lost
    if lost:
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before = tree(folder)
    assert named in refused(invoke(*arguments, "--config", ready), 7)
    assert tree(folder) == before


@pytest.mark.parametrize(
    "name", ["data/corpus.json", "data/tokenizer.json", "data/train-00000.parquet", "checkpoints/last.json"]
)
def test_a_damaged_file_ends_with_status_7(ready: Path, name: str) -> None:
    (ready.parent / "small" / name).write_text("{", encoding="utf-8")
    assert Path(name).name in refused(invoke("train", "--config", ready, "--resume"), 7)


def test_a_checkpoint_of_other_settings_ends_with_status_7(ready: Path) -> None:
    result = invoke("train", "--config", ready, "--resume", "--set", "training.seed=4")
    assert "trained with other settings than these" in refused(result, 7)
    result = invoke("export", "--config", ready, "--force", "--set", "model.d_model=32")
    assert "another network than" in refused(result, 7)


def test_output_that_cannot_be_written_ends_with_status_7(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    path = write_config(tmp_path, {"output.dir": str(tmp_path / "taken" / "runs")})
    assert f"{tmp_path / 'taken'}" in refused(invoke("preprocess", "--config", path), 7)


def test_a_training_that_diverges_ends_with_status_8(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train_module, "summed_loss", lambda logits, *_: logits.sum() * float("nan"))
    line = refused(invoke("train", "--config", ready), 8)
    assert "step 1 (epoch 1): the loss is nan" in line


def test_an_export_that_differs_from_the_model_ends_with_status_9(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wgsl_export import bundle as bundle_module

    really = bundle_module.plain_weights

    def perturbed(model: Any) -> Any:
        found = really(model)
        found.tensors["output_bias"][7] += 0.01
        return found

    monkeypatch.setattr(bundle_module, "plain_weights", perturbed)
    before = tree(ready.parent / "small")
    result = invoke("export", "--config", ready, "--force")
    assert result.exit_code == 9
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.startswith(
        "pipeline: outputs differ from PyTorch's by more than 0.0001; nothing was written\n"
    )
    assert re.search(r"^decoder +1 x 2 +1\.00e-02$", result.stderr, re.M)
    assert tree(ready.parent / "small") == before


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU here")
def test_a_device_that_is_not_there_ends_with_status_10(ready: Path) -> None:
    before = tree(ready.parent / "small")
    line = refused(invoke("train", "--config", ready, "--device", "mps"), 10)
    assert "no mps device here; there is" in line
    assert tree(ready.parent / "small") == before


def test_a_package_that_is_not_there_ends_with_status_10(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    line = refused(invoke("train", "--config", ready, "--tensorboard"), 10)
    assert "pip install tensorboard" in line


def test_ctrl_c_outside_training_ends_with_status_130(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wgsl_pipeline import stages

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(stages, "preprocess", interrupt)
    assert refused(invoke("preprocess", "--config", ready), 130) == "pipeline: stopped"


def test_a_bug_is_not_dressed_up_as_a_users_mistake(ready: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("wgsl_pipeline.cli_options.load_config", broken)
    assert isinstance(invoke("show", "--config", ready).exception, ZeroDivisionError)
