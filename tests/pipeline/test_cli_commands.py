"""Some commands of `pipeline`: `init`, `show`, `check` and `completion`, and what all say without the extra."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from builders import child_environment, invoke, refused, succeed, tree
from wgsl_infer import Generator
from wgsl_pipeline import cli, doctor
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import load_config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.extras import INSTALL, NEEDED

# ---------------------------------------------------------------- without the extra


def test_without_the_extra_the_command_says_what_to_type(tmp_path: Path) -> None:
    """A fresh interpreter that sees this project and the standard library, and no package at all."""
    folders = [str(Path(cli.__file__).parents[1]), str(Path(sys.modules["wgsl_infer"].__file__ or "").parents[1])]
    code = f"import sys; sys.path += {folders}; from wgsl_pipeline.__main__ import main; main()"
    for arguments in ([], ["--help"], ["train", "--config", "c.toml"]):
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", code, *arguments],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            check=False,
        )
        assert done.returncode == 10
        assert done.stdout == ""
        assert done.stderr == f'pipeline: {", ".join(NEEDED)} not installed: pip install "wgsl-infer[train]"\n'


def test_one_missing_package_is_enough_and_is_named(tmp_path: Path) -> None:
    code = "import sys; sys.modules['onnx'] = None; from wgsl_pipeline.__main__ import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (10, f"pipeline: onnx not installed: {INSTALL}\n")


def test_the_packages_needed_are_those_of_the_extra() -> None:
    import tomllib

    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = [re.split(r"[<>=!~ ]", package)[0] for package in project["optional-dependencies"]["train"]]
    assert sorted(extra) == sorted(NEEDED)


# ---------------------------------------------------------------- init


@pytest.mark.parametrize("language", ["plain", "wgsl"])
def test_a_new_task_trains_at_once_and_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, language: str) -> None:
    monkeypatch.chdir(tmp_path)
    result = succeed("init", "mytask", "--language", language)
    config, data = Path("mytask/config/mytask.toml"), Path("mytask/data/mytask.toml")
    assert result.stdout.splitlines()[:2] == [f"wrote {config}", f"wrote {data}"]
    assert result.stdout.splitlines()[-1] == "now: cd mytask && pipeline run --config config/mytask.toml"
    assert sorted(tree(tmp_path)) == [str(config), str(data)]
    monkeypatch.chdir(tmp_path / "mytask")
    result = succeed("run", "--config", "config/mytask.toml")
    assert result.stdout.splitlines()[-1] == 'now: wgsl-infer --model runs/mytask/bundle "..."'
    corpus = Corpus.open(Path("runs/mytask/data"))
    rows = corpus.texts("train")
    assert len(rows) >= 19
    answers = Generator("runs/mytask/bundle").generate([row["prompt"] for row in rows])
    assert [answer.code for answer in answers] == [row["code"] for row in rows]


def test_a_new_task_in_plain_language_copies_numbers_it_never_saw(tmp_path: Path) -> None:
    """The corpus says so: a pair with 30 stands for every number."""
    from wgsl_pipeline.scaffold import write_project

    config, data = write_project(tmp_path / "robot", "plain")
    settings = load_config(config, [f"dataset.train_path={data}", f"output.dir={tmp_path / 'out'}"])
    from wgsl_pipeline.preprocess import preprocess

    preprocess(settings)
    tokenizer = Corpus.open(settings.data_folder).tokenizer
    one, other = (tokenizer.encode_prompt(f"go forward {n}") for n in (30, 4711))
    assert one.ids == other.ids
    ids = tokenizer.encode_answer("forward(30)", one.slots)
    assert tokenizer.decode(ids, other.slots) == "forward(4711)"


def test_init_leaves_a_folder_that_is_there_alone(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").touch()
    line = refused(invoke("init", tmp_path / "mine"), 5)
    assert "exists already; it is left alone" in line
    assert list(tree(tmp_path)) == ["mine/notes.txt"]


@pytest.mark.parametrize("name", ["my task", "a.b", "", ".", ".."])
def test_init_refuses_a_name_that_cannot_name_a_task(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert "cannot name a task" in refused(invoke("init", name), 5)
    assert tree(tmp_path) == {}


# ---------------------------------------------------------------- show, check, completion


def test_show_prints_a_configuration_that_can_be_used(ready: Path, tmp_path: Path) -> None:
    result = succeed("show", "--config", ready, "--set", "training.batch_size=5")
    settings, costs = result.stdout.split("\n\nParameters:", maxsplit=1)
    path = tmp_path / "shown.toml"
    path.write_text(settings, encoding="utf-8")
    shown, own = load_config(path), load_config(ready, ["training.batch_size=5"])
    tables = ("task", "model", "training", "tokenizer", "dataset", "export", "output")
    assert shown.digest(*tables) == own.digest(*tables)
    assert "Memory: weights" in costs
    assert "Updates: 2 batches an epoch of 9 pairs, 6 in all" in costs


def test_show_counts_the_parameters_that_training_counts(ready: Path) -> None:
    shown = re.search(
        r"^Parameters: ([\d,]+) \(vocabulary ([\d,]+)\)$", succeed("show", "--config", ready).stdout, re.M
    )
    assert shown is not None
    trained = re.search(r"^INFO Model parameters: (\d+)$", succeed("train", "--config", ready).stdout, re.M)
    assert trained is not None
    assert shown[1].replace(",", "") == trained[1]


def test_show_works_before_the_corpus_has_been_preprocessed() -> None:
    config = Path(__file__).parents[2] / "config" / "wgsl_generation.toml"
    result = succeed("show", "--config", config, "--set", "output.dir=/nowhere")
    found = re.search(r"^Parameters: ([\d,]+) and ([\d,]+) for each token", result.stdout, re.M)
    assert found is not None
    fixed, each = (int(number.replace(",", "")) for number in found.groups())
    assert fixed + 290 * each == 44_435_746


def test_check_tells_versions_devices_and_what_training_would_use() -> None:
    result = succeed("check")
    for name in ("numpy", "onnxruntime", *NEEDED):
        assert re.search(rf"^{name} +\d+\.\d+", result.stdout, re.M), name
    assert re.search(r"^python +\d+\.\d+\.\d+ on \w+ \w+, \d+ cores$", result.stdout, re.M)
    assert re.search(r"^training +would run on (cpu|cuda|mps) in (float32|bfloat16), \d+ threads$", result.stdout, re.M)


def test_check_names_what_is_missing_and_ends_with_status_10(monkeypatch: pytest.MonkeyPatch) -> None:
    really = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: None if name in ("onnx", "wgpu") else really(name))
    result = invoke("check")
    assert result.exit_code == 10
    assert re.search(rf"^onnx +MISSING: {re.escape(INSTALL)}$", result.stdout, re.M)
    assert re.search(r"^wgpu +not installed; only for pipeline validate\b", result.stdout, re.M)
    assert "Traceback" not in result.output


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_for_the_shell(shell: str) -> None:
    script = succeed("completion", shell).stdout
    assert f"_PIPELINE_COMPLETE={shell}_complete" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n", "-c", script], check=True, env=child_environment(), timeout=20)


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pipeline tr", {"train"}),
        ("pipeline train --ep", {"--epochs"}),
        ("pipeline completion ", {"bash", "zsh", "fish"}),
    ],
)
def test_completion_offers_commands_options_and_choices(words: str, offered: set[str]) -> None:
    more = {"_PIPELINE_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = CliRunner().invoke(pipeline, [], prog_name="pipeline", env=more)
    assert {line.split(",")[1] for line in result.stdout.split()} == offered
