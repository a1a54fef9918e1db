"""The configuration: TOML to frozen settings, with errors that name the file, the table and the key."""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_type_hints

from . import settings
from .errors import ConfigError


@dataclass(frozen=True)
class Config:
    """All settings of one run, and the file they came from."""

    path: Path
    task: settings.Task
    model: settings.Model
    training: settings.Training
    tokenizer: settings.TokenizerSettings
    dataset: settings.Dataset
    export: settings.Export
    output: settings.Output

    @property
    def folder(self) -> Path:
        """Where the stages write."""
        return Path(self.output.dir or f"runs/{self.task.name}")

    @property
    def data_folder(self) -> Path:
        """Where preprocess writes Parquet and the tokenizer."""
        return self.folder / "data"

    @property
    def checkpoint_folder(self) -> Path:
        """Where train writes."""
        return self.folder / "checkpoints"

    @property
    def bundle_folder(self) -> Path:
        """Where export writes."""
        return self.folder / "bundle"

    def digest(self, *tables: str) -> str:
        """sha256 of the values of these tables, in hexadecimal: changes when a stage that reads them would."""
        values = {table: dataclasses.asdict(getattr(self, table)) for table in tables}
        return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


TABLES: dict[str, type[Any]] = {name: kind for name, kind in get_type_hints(Config).items() if name != "path"}


def load_config(path: Path, overrides: Sequence[str] = ()) -> Config:
    """Read a configuration file and apply `table.key=value` overrides.

    Raises:
        ConfigError: the file cannot be read, or a table, key or value is not one there is.
    """
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    for table, rows in raw.items():
        if table not in TABLES or not isinstance(rows, dict):
            raise ConfigError(f"{path}: {_unknown('table', f'[{table}]', [f'[{t}]' for t in TABLES])}")
    for override in overrides:
        _apply(raw, override)
    tables = {table: _read_table(path, table, kind, raw.get(table, {})) for table, kind in TABLES.items()}
    config = Config(path=path, **tables)
    _check_together(config)
    return config


def _apply(raw: dict[str, Any], override: str) -> None:
    name, equals, text = override.partition("=")
    table, dot, key = name.strip().partition(".")
    if not equals or not dot or table not in TABLES:
        raise ConfigError(f"--set {override}: write table.key=value, with a table of {', '.join(TABLES)}")
    try:
        value = tomllib.loads(f"v = {text.strip()}")["v"]
    except ValueError:
        value = text.strip()
    raw.setdefault(table, {})[key] = value


def _read_table(path: Path, table: str, kind: type[Any], rows: dict[str, Any]) -> Any:
    fields = {field.name: field for field in dataclasses.fields(kind)}
    types = get_type_hints(kind)
    values = {}
    for key, value in rows.items():
        where = f"{path}: [{table}] {key}"
        if key not in fields:
            raise ConfigError(f"{path}: [{table}] {_unknown('key', key, fields)}")
        values[key] = _check(where, value, types[key], fields[key].metadata)
    for key, field in fields.items():
        if field.default is dataclasses.MISSING and key not in values:
            raise ConfigError(f"{path}: [{table}] {key} is missing")
    return kind(**values)


def _check(where: str, value: Any, kind: type[Any], limits: Any) -> Any:
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        raise ConfigError(f"{where} = {value!r} is not of type {kind.__name__}")
    if limits["choices"] and value not in limits["choices"]:
        raise ConfigError(f"{where} = {value!r} is not one of {', '.join(limits['choices'])}")
    if kind in (int, float) and not limits["low"] <= value <= limits["high"]:
        raise ConfigError(f"{where} = {value!r} is not between {limits['low']:g} and {limits['high']:g}")
    return value


def _check_together(config: Config) -> None:
    """Values that are possible alone and impossible together."""
    path, model = config.path, config.model
    if not re.fullmatch(r"[\w-]+", config.task.name):
        raise ConfigError(f"{path}: [task] name = {config.task.name!r} holds more than letters, digits, - and _")
    if model.d_model % model.nhead or model.d_model % 2:
        raise ConfigError(
            f"{path}: [model] d_model = {model.d_model} is not even and a multiple of nhead = {model.nhead}"
        )
    if config.tokenizer.max_length > model.max_seq_len:
        longest = f"[tokenizer] max_length = {config.tokenizer.max_length}"
        raise ConfigError(f"{path}: {longest} is above [model] max_seq_len = {model.max_seq_len}")
    if config.dataset.recipes and config.tokenizer.tokenizer_type != "wgsl":
        raise ConfigError(f'{path}: [dataset] recipes are of WGSL; they need [tokenizer] tokenizer_type = "wgsl"')
    ratios = config.dataset.train_ratio + config.dataset.val_ratio
    if not config.dataset.train_ratio > 0 or ratios > 1 + 1e-9:
        raise ConfigError(
            f"{path}: [dataset] train_ratio and val_ratio must be above 0 and at most 1 together, not {ratios:g}"
        )


def _unknown(what: str, name: str, known: Any) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    return f"unknown {what} {name}" + (f": did you mean {close[0]}?" if close else "")
