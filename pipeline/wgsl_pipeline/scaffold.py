"""`pipeline init`: a configuration and a small corpus that train at once."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path
from typing import Any

from .errors import ConfigError
from .files import write_text
from .render import render_config


def write_project(folder: Path, language: str) -> list[Path]:
    """Write `config/NAME.toml` and `data/NAME.toml` into a new folder; returns their paths.

    Args:
        folder: must not exist yet; its name becomes the task's.
        language: "plain" or "wgsl", a key of `tokenizer.tokenizer_type`.

    Raises:
        ConfigError: the folder is there already, or its name cannot name a task.
    """
    name = folder.name
    if not re.fullmatch(r"[\w-]+", name):
        raise ConfigError(f"{name!r} cannot name a task: use letters, digits, - and _")
    if folder.exists():
        raise ConfigError(f"{folder}: exists already; it is left alone")
    corpus = resources.files(__package__).joinpath("templates", f"{language}.toml").read_text(encoding="utf-8")
    config, data = folder / "config" / f"{name}.toml", folder / "data" / f"{name}.toml"
    write_text(data, corpus)
    write_text(config, render_config(_settings(name, language)))
    return [config, data]


def _settings(name: str, language: str) -> dict[str, dict[str, Any]]:
    """Settings under which a corpus of dozens of pairs is learnt in seconds on a CPU."""
    return {
        "task": {"name": name},
        "model": {"d_model": 128, "nhead": 4, "num_layers": 2, "dim_feedforward": 512},
        "training": {"num_epochs": 40, "learning_rate": 1e-3, "monitor": "train_loss", "batch_size": 8},
        "tokenizer": {"tokenizer_type": language, "lowercase": True},
        "dataset": {"train_path": f"data/{name}.toml", "train_ratio": 0.9, "val_ratio": 0.1},
    }
