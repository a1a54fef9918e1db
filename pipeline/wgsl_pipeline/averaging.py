"""Averaging the weights of runs that began at the same ones: a model soup (Wortsman et al. 2022, uniform).

Runs that differ in their seeds alone end in one valley of the loss, and its middle lies lower than its walls. Runs that
began at random end in valleys of their own; the average of those is no model at all, which the loss printed shows.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import MODEL, CheckpointFolder, State, load_tensors, read_state
from .config import Config
from .dataset import Corpus
from .devices import choose_device
from .errors import ArtefactError
from .files import write_json
from .model import Transformer
from .optimisation import Answers, evaluate_loss
from .train import training_digest


def average(config: Config, runs: Sequence[Path], say: Callable[[str], object] = lambda line: None) -> State:
    """Write the mean of the best weights of `runs` as the best checkpoint of the configuration's own run.

    Args:
        config: whose data folder all of the runs were trained on, or one with the same tokenizer.
        runs: folders of runs, two or more.
        say: takes a line for each run and one for the average, with their validation losses.

    Raises:
        ArtefactError: a run is missing, or has another network or tokenizer; or this run has checkpoints already.
    """
    corpus = Corpus.open(config.data_folder)
    checkpoints = CheckpointFolder(config.checkpoint_folder)
    if checkpoints.pointed("best") or checkpoints.pointed("last"):
        raise ArtefactError(f"{checkpoints.folder}: holds a run already; name another folder with --set output.dir=...")
    device = choose_device(config.training.device, 0)
    model = Transformer(config.model, len(corpus.tokenizer), torch.Generator()).to(device)
    answers = Answers(corpus.tokenizer.target_ids, len(corpus.tokenizer), device)
    val, size = corpus.pairs("val"), config.training.batch_size

    def loss_of(tensors: dict[str, Tensor], precision: str) -> float | None:
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[name])
        return evaluate_loss(model, val, answers, device, precision, size)

    shapes = {name: parameter.shape for name, parameter in model.named_parameters()}
    states, sums = [], {name: torch.zeros(shape, dtype=torch.float64) for name, shape in shapes.items()}
    for folder in runs:
        path = CheckpointFolder(folder / "checkpoints").find("best")
        state, tensors = read_state(path), load_tensors(path / MODEL)
        if state.tokenizer != corpus.tokenizer.fingerprint:
            raise ArtefactError(f"{path}: trained with another tokenizer than {config.data_folder} has")
        if state.model != config.digest("model") or {n: t.shape for n, t in tensors.items()} != shapes:
            raise ArtefactError(f"{path}: another network than the configuration describes")
        states.append(state)
        for name, total in sums.items():
            total += tensors[name]
        say(f"{folder}: {_told(loss_of(tensors, state.precision))}")
    mean = {name: (total / len(runs)).to(torch.float32) for name, total in sums.items()}
    loss = loss_of(mean, states[0].precision)
    say(f"average of {len(runs)}: {_told(loss)}")
    state = dataclasses.replace(
        states[0], settings=training_digest(config), data=corpus.figures["inputs"], best_loss=loss
    )
    checkpoints.folder.mkdir(parents=True, exist_ok=True)
    checkpoints.save_best(state, mean)
    write_json(checkpoints.folder / "last.json", {"checkpoint": f"best-epoch-{state.best_epoch:04d}"})
    return state


def _told(loss: float | None) -> str:
    return "nothing to validate on" if loss is None else f"validation loss {loss:.4f}"
