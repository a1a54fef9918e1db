"""Two processes under torchrun train as one would on the same batches."""

from __future__ import annotations

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from builders import child_environment, small_config, tree, weights
from wgsl_pipeline.checkpoint import CheckpointFolder, read_state
from wgsl_pipeline.config import Config
from wgsl_pipeline.distributed import Processes, processes
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.train import train

# 9 pairs in batches of 4: the last of every epoch is a single pair, which one of two processes goes without
SETTINGS = {"model.dropout": 0.0, "training.num_epochs": 4, "training.batch_size": 4, "training.save_every": 100}


def prepared(folder: Path, name: str, changes: dict[str, Any] | None = None) -> Config:
    config = small_config(folder, SETTINGS | (changes or {}), name=name)
    preprocess(config)
    return config


def free_port() -> str:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return str(listener.getsockname()[1])


def history(config: Config) -> list[dict[str, Any]]:
    return read_state(CheckpointFolder(config.checkpoint_folder).find("last")).history or []


def assert_same_losses(one: Config, other: Config) -> None:
    for key in ("train_loss", "val_loss", "gradient_norm", "learning_rate", "step"):
        assert [row[key] for row in history(one)] == pytest.approx([row[key] for row in history(other)], abs=1e-5), key
    ours, theirs = (weights(CheckpointFolder(config.checkpoint_folder).find("last")) for config in (one, other))
    # AdamW makes a step of 0.01 out of any gradient, so a rounding error of one near zero may show in a weight
    assert max(float((ours[name] - theirs[name]).abs().median()) for name in ours) < 1e-4


# what a process of the first run does: train, and at its second process's fourth update press Ctrl-C
STOPPED = """
import os, signal
import wgsl_pipeline.train as module
from wgsl_pipeline.cli import pipeline

update = module._update

def pressing(run, rows):
    if run.together.rank == 1 and run.state.step == 3:
        os.kill(os.getpid(), signal.SIGINT)
    return update(run, rows)

module._update = pressing
pipeline()
"""


def test_two_processes_lose_what_one_loses_and_stop_together_and_go_on(tmp_path: Path) -> None:
    together, alone = prepared(tmp_path, "together"), prepared(tmp_path, "alone")
    train(alone)
    assert [row["step"] for row in history(alone)] == [3, 6, 9, 12]

    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port(), "WORLD_SIZE": "2", "GLOO_SOCKET_IFNAME": "lo"}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", STOPPED, "train", "--config", str(together.path)],
            env=child_environment(**shared, RANK=rank, LOCAL_RANK=rank),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    outputs = [process.communicate(timeout=120) for process in both]
    assert [process.returncode for process in both] == [130, 130], outputs
    state = read_state(CheckpointFolder(together.checkpoint_folder).find("last"))
    assert (state.epoch, state.batch, state.step) == (1, 1, 4)
    assert "2 process(es)" in outputs[0][0]
    assert "INFO" not in outputs[1][0]  # the second process does not report

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2"]
    torchrun += ["--master-addr=127.0.0.1", f"--master-port={free_port()}", "-m", "wgsl_pipeline"]
    done = subprocess.run(
        [*torchrun, "train", "--config", str(together.path), "--resume"],
        env=child_environment(GLOO_SOCKET_IFNAME="lo"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    # the losses of the batches before the stop count too, and once
    assert_same_losses(together, alone)


def test_a_process_alone_joins_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with processes() as together:
        assert together == Processes(rank=0, count=1, local_rank=0)
        assert not torch.distributed.is_initialized()
        model = torch.nn.Linear(2, 2)
        assert together.wrap(model, torch.device("cpu")) is model
        assert together.sum([1.5, 2.0], torch.device("cpu")) == [1.5, 2.0]
        together.wait()


def test_only_the_first_process_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second process, its partner played by stubs, leaves no file."""
    from contextlib import contextmanager

    from wgsl_pipeline import train as module

    class Second(Processes):
        def wrap(self, model: torch.nn.Module, device: torch.device) -> torch.nn.Module:
            return model

        def sum(self, values: list[float], device: torch.device) -> list[float]:
            return values

        def wait(self) -> None: ...

    @contextmanager
    def second() -> Any:
        yield Second(rank=1, count=2, local_rank=1)

    config = prepared(tmp_path, "second")
    before = tree(config.folder)
    monkeypatch.setattr(module, "processes", second)
    train(config)
    assert tree(config.folder) == before
