"""Corpora, configurations and models so small that a test trains them in the blink of an eye."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from click.testing import CliRunner, Result
from safetensors.torch import load_file

from wgsl_export.activations import Range, observe
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config, load_config
from wgsl_pipeline.dataset import Batch, Corpus
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.preprocess import PARTS
from wgsl_pipeline.settings import Model

Pair = tuple[str, str]

PAIRS: list[Pair] = [
    ("normalize velocity", "normalize(velocity)"),
    ("unit vector of wind", "normalize(wind)"),
    ("length of velocity", "length(velocity)"),
    ("dot product of edge1 and lightDir", "dot(edge1, lightDir)"),
    ("cross product of edge1 and edge2", "cross(edge1, edge2)"),
    ("clamp heat between 0.25 and 7.5", "clamp(heat, 0.25, 7.5)"),
    ("mix dawn and dusk by 0.3", "mix(dawn, dusk, 0.3)"),
    ("sine of phase", "sin(phase)"),
    ("round heat down", "floor(heat)"),
    ("create a red color", "vec4<f32>(1.0, 0.0, 0.0, 1.0)"),
    ("add 0.5 to glow", "glow += 0.5;"),
    ("function that squares a float", "fn square(x: f32) -> f32 {\n    return x * x;\n}"),
]

# one head is as wide as it must be, and every number is as small as it may be
SMALL: dict[str, Any] = {
    "model.d_model": 16,
    "model.nhead": 2,
    "model.num_layers": 1,
    "model.dim_feedforward": 32,
    "model.max_seq_len": 64,
    "training.num_epochs": 3,
    "training.batch_size": 4,
    "training.learning_rate": 0.01,
    "training.warmup_steps": 2,
    "training.monitor": "train_loss",
    "training.save_every": 1,
    "training.keep_checkpoints": 2,
    "training.device": "cpu",
    "training.precision": "float32",
    "tokenizer.max_length": 64,
    "dataset.train_ratio": 0.8,
    "dataset.val_ratio": 0.1,
    "export.max_tokens": 40,
}


def write_corpus(path: Path, pairs: Iterable[Pair] = PAIRS, category: str = "") -> Path:
    """A corpus file that holds these pairs, in this order."""
    lines = [f'category = "{category}"\n'] if category else []
    for prompt, code in pairs:
        lines.append(f"[[examples]]\nnatural_language = '{prompt}'\nwgsl_code = '''\n{code}\n'''\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def to_toml(tables: Mapping[str, Mapping[str, Any]]) -> str:
    """Tables of plain values as TOML."""
    lines = []
    for table, rows in tables.items():
        lines.append(f"[{table}]")
        for key, value in rows.items():
            text = str(value).lower() if isinstance(value, bool) else repr(value)
            lines.append(f"{key} = {text}")
    return "\n".join(lines) + "\n"


def write_config(folder: Path, changes: Mapping[str, Any] | None = None, *, name: str = "small") -> Path:
    """`folder/name.toml`: the small settings and these changes of them, keys being `table.key`.

    The corpus is `folder/corpus.toml`, written with PAIRS unless it is there; output goes to `folder/name`.
    """
    corpus = folder / "corpus.toml"
    if not corpus.exists():
        write_corpus(corpus)
    settings = {"task.name": "small", "dataset.train_path": str(corpus), "output.dir": str(folder / name)}
    tables: dict[str, dict[str, Any]] = {}
    for key, value in (settings | SMALL | dict(changes or {})).items():
        table, field = key.split(".")
        tables.setdefault(table, {})[field] = value
    path = folder / f"{name}.toml"
    path.write_text(to_toml(tables), encoding="utf-8")
    return path


def small_config(folder: Path, changes: Mapping[str, Any] | None = None, *, name: str = "small") -> Config:
    """The configuration that `write_config` writes."""
    return load_config(write_config(folder, changes, name=name))


def small_model(vocabulary: int = 40, *, seed: int = 0, **changes: Any) -> Transformer:
    """A model in evaluation mode in which every parameter matters: gains, biases and distances are not at rest."""
    settings = {"d_model": 16, "nhead": 2, "num_layers": 1, "dim_feedforward": 32, "max_seq_len": 48}
    generator = torch.Generator().manual_seed(seed)
    model = Transformer(Model(**(settings | changes)), vocabulary, generator)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.2 * torch.randn(parameter.shape, generator=generator)
    return model.eval()


def small_ranges(model: Transformer) -> dict[str, Range]:
    """What the maps of a model read of some random pairs."""
    generator = torch.Generator().manual_seed(1)
    tokens = torch.randint(4, len(model.embedding.weight), (20, 2, 1, 12), generator=generator)
    return observe(model, [Batch(source, given, given) for source, given in tokens])


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    """The parameters a checkpoint holds."""
    found: dict[str, torch.Tensor] = load_file(checkpoint / "model.safetensors")
    return found


def same_weights(one: Mapping[str, torch.Tensor], other: Mapping[str, torch.Tensor]) -> bool:
    """Whether both hold the same bits under the same names."""
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def prompts(config: Config) -> dict[str, list[str]]:
    """The prompts of every part of a corpus that has been preprocessed."""
    corpus = Corpus.open(config.data_folder)
    return {part: [row["prompt"] for row in corpus.texts(part)] for part in PARTS}


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too, with its bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- the command


def invoke(*arguments: str | Path, **more: Any) -> Result:
    """The `pipeline` command in this process."""
    return CliRunner().invoke(pipeline, [str(argument) for argument in arguments], **more)


def succeed(*arguments: str | Path) -> Result:
    """The same, where nothing may go wrong."""
    result = invoke(*arguments)
    assert result.exit_code == 0, result.output
    return result


def refused(result: Result, status: int) -> str:
    """The one line on standard error that goes with this exit status."""
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code == status, result.output
    assert "Traceback" not in result.output
    lines = result.stderr.splitlines()
    assert len(lines) == 1, result.stderr
    assert lines[0].startswith("pipeline: ")
    return lines[0]


# ---------------------------------------------------------------- other processes


def child_environment(**more: str) -> dict[str, str]:
    """This process's environment, for a child that leaves the cores to others."""
    kept = {key: value for key, value in os.environ.items() if key not in ("WORLD_SIZE", "RANK", "LOCAL_RANK")}
    return kept | {"OMP_NUM_THREADS": "1", "MPLBACKEND": "Agg"} | more


def start_pipeline(*arguments: str | Path, **more: str) -> subprocess.Popen[str]:
    """The `pipeline` command in a process of its own; `more` goes into its environment."""
    return subprocess.Popen(
        [sys.executable, "-m", "wgsl_pipeline", *map(str, arguments)],
        env=child_environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until(happened: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 60.0) -> None:
    """Wait for something that a process is about to do; it is an error if the process ends before."""
    limit = time.monotonic() + seconds
    while not happened():
        assert process.poll() is None, f"ended too early: {process.communicate()}"
        assert time.monotonic() < limit, "nothing happened"
        time.sleep(0.005)
