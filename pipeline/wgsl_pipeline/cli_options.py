"""The options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from .config import Config, load_config

F = TypeVar("F", bound=Callable[..., Any])


def configured(function: F) -> F:
    """The options that name a configuration."""
    function = click.option(
        "overrides",
        "--set",
        multiple=True,
        metavar="TABLE.KEY=VALUE",
        help="Change one setting for this run; may be repeated.",
    )(function)
    return click.option(
        "--config",
        "path",
        required=True,
        envvar="PIPELINE_CONFIG",
        type=click.Path(path_type=Path),
        metavar="FILE",
        help="The configuration, TOML; also the environment variable PIPELINE_CONFIG.",
    )(function)


def training_options(function: F) -> F:
    """The options of commands that train."""
    function = click.option("--tensorboard", is_flag=True, help="Also write TensorBoard event files.")(function)
    function = click.option("--device", help="auto, cpu, cuda or mps; short for --set training.device=...")(function)
    return click.option("--epochs", type=int, help="Short for --set training.num_epochs=N.")(function)


def load(path: Path, overrides: tuple[str, ...], epochs: int | None = None, device: str | None = None) -> Config:
    """The configuration with these changes."""
    given = [*overrides]
    if epochs is not None:
        given.append(f"training.num_epochs={epochs}")
    if device is not None:
        given.append(f"training.device={device}")
    return load_config(path, given)
