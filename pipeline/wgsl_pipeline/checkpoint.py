"""Checkpoints: folders of safetensors and JSON that appear whole, and two pointers to the last and the best of them.

checkpoints/
  last.json, best.json        the names of folders below; replaced in one rename
  epoch-0010-step-000050/     model.safetensors, optimizer.safetensors, state.json
  best-epoch-0008/            model.safetensors, state.json
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from .errors import ArtefactError
from .files import read_json, replaced_folder, write_json

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"
_HINT = "run `pipeline train`"


@dataclass
class State:
    """Where a run stands; with weights and optimizer, all that is needed to go on bit for bit.

    Attributes:
        epoch: epochs finished.
        batch: batches finished of the epoch under way.
        step: updates made.
        loss_sum, tokens: of the epoch under way.
        seconds: spent on the epoch under way.
        best_loss, best_epoch: of the monitored loss; epoch 0 is none yet.
        settings: digest of the [model] and [training] tables, without the number of epochs.
        model: digest of the [model] table alone: equal shapes may still be different networks.
        data: digest of what preprocessing made.
        tokenizer: its fingerprint.
        precision: float32 or bfloat16.
        history: one row for each finished epoch, as in metrics.jsonl.
        started_from: sha256 of the weights that the run started from; empty if it started at random.
    """

    settings: str
    model: str
    data: str
    tokenizer: str
    precision: str
    epoch: int = 0
    batch: int = 0
    step: int = 0
    loss_sum: float = 0.0
    tokens: int = 0
    seconds: float = 0.0
    best_loss: float | None = None
    best_epoch: int = 0
    history: list[dict[str, Any]] | None = None
    started_from: str = ""

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any], path: Path) -> State:
        """A state as it was written.

        Raises:
            ArtefactError: a field is missing.
        """
        try:
            values = {"started_from": "", **values}  # younger than the first checkpoints
            return cls(**{field.name: values[field.name] for field in fields(cls)})
        except KeyError as error:
            raise ArtefactError(f"{path}: damaged (no {error.args[0]}): {_HINT}") from error


class CheckpointFolder:
    """The checkpoints of one run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def clear(self) -> None:
        """Remove all checkpoints, before a run that starts anew. The pointers go first."""
        for name in ("last.json", "best.json"):
            (self.folder / name).unlink(missing_ok=True)
        for path in self.folder.glob("*epoch-*"):
            shutil.rmtree(path)

    def save_last(self, state: State, model: torch.nn.Module, optimizer: torch.optim.Optimizer, keep: int) -> Path:
        """Write everything needed to resume, point `last.json` at it, and drop all but the latest `keep`."""
        path = self.folder / f"epoch-{state.epoch:04d}-step-{state.step:06d}"
        if self.pointed("last") == path and path.is_dir():
            return path
        with replaced_folder(path) as fresh:
            save_file(parameters(model), fresh / MODEL)
            save_file(_optimizer_tensors(model, optimizer), fresh / OPTIMIZER)
            write_json(fresh / STATE, state.to_json())
        write_json(self.folder / "last.json", {"checkpoint": path.name})
        for old in sorted(self.folder.glob("epoch-*"), key=_age)[:-keep]:
            if old != path:
                shutil.rmtree(old)
        return path

    def save_best(self, state: State, weights: Mapping[str, Tensor]) -> None:
        """Write the best weights so far, point `best.json` at them, and drop those they replace."""
        path = self.folder / f"best-epoch-{state.best_epoch:04d}"
        if self.pointed("best") == path and path.is_dir():
            return
        with replaced_folder(path) as fresh:
            save_file(dict(weights), fresh / MODEL)
            write_json(fresh / STATE, state.to_json())
        write_json(self.folder / "best.json", {"checkpoint": path.name})
        for old in self.folder.glob("best-epoch-*"):
            if old != path:
                shutil.rmtree(old)

    def pointed(self, which: str) -> Path | None:
        """The checkpoint that `last.json` or `best.json` names; None when there is none."""
        pointer = self.folder / f"{which}.json"
        if not pointer.exists():
            return None
        return self.folder / str(read_json(pointer, _HINT).get("checkpoint"))

    def find(self, which: str) -> Path:
        """Like `pointed`.

        Raises:
            ArtefactError: there is no such checkpoint.
        """
        path = self.pointed(which)
        if path is None or not path.is_dir():
            raise ArtefactError(f"{self.folder}: no {which} checkpoint: {_HINT}")
        return path


def _age(path: Path) -> list[int]:
    """Epoch and step of a checkpoint, from its name."""
    return [int(part) for part in path.name.split("-") if part.isdigit()]


def parameters(model: torch.nn.Module) -> dict[str, Tensor]:
    """All parameters by name, on the CPU, each in memory of its own."""
    return {name: value.detach().to("cpu", copy=True).contiguous() for name, value in model.named_parameters()}


def load_model(path: Path, model: torch.nn.Module) -> None:
    """Load a checkpoint's weights into a model of the same shape.

    Raises:
        ArtefactError: the weights are missing, damaged, or those of another network.
    """
    tensors = load_tensors(path / MODEL)
    own = dict(model.named_parameters())
    if {n: tuple(t.shape) for n, t in tensors.items()} != {n: tuple(t.shape) for n, t in own.items()}:
        raise ArtefactError(f"{path / MODEL}: weights of another network than the configuration describes")
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(tensors[name])


def load_training(path: Path, model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """Load weights and optimizer, to go on where the checkpoint was written.

    Raises:
        ArtefactError: a file is missing or damaged, or belongs to another network.
    """
    load_model(path, model)
    tensors = load_tensors(path / OPTIMIZER)
    for name, parameter in model.named_parameters():
        state = {key: tensors.get(f"{key}.{name}") for key in ("step", "exp_avg", "exp_avg_sq")}
        if any(value is None for value in state.values()):
            raise ArtefactError(f"{path / OPTIMIZER}: holds nothing for {name}: {_HINT}")
        optimizer.state[parameter] = {
            key: value.to(parameter.device) for key, value in state.items() if value is not None
        }


def read_state(path: Path) -> State:
    """The state of a checkpoint.

    Raises:
        ArtefactError: it is missing or damaged.
    """
    return State.from_json(read_json(path / STATE, _HINT), path / STATE)


def _optimizer_tensors(model: torch.nn.Module, optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    return {
        f"{key}.{name}": value.detach().to("cpu", copy=True).contiguous()
        for name, parameter in model.named_parameters()
        for key, value in optimizer.state[parameter].items()
    }


def load_tensors(path: Path) -> dict[str, Tensor]:
    """All tensors of a safetensors file.

    Raises:
        ArtefactError: it is missing or damaged.
    """
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ArtefactError(f"{path}: cannot be read ({str(error).splitlines()[0]}): {_HINT}") from error
