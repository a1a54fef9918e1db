"""The device is the best there is or the one asked for, and its precision the one its hardware is made for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from builders import small_config
from wgsl_infer.errors import EnvironmentLacks
from wgsl_pipeline import devices as module
from wgsl_pipeline.checkpoint import CheckpointFolder, read_state
from wgsl_pipeline.devices import autocast, choose_device, choose_precision, native_bfloat16
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.train import train

CPU = torch.device("cpu")


def machine(monkeypatch: pytest.MonkeyPatch, *, cuda: bool, mps: bool) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "kind"), [(False, False, "cpu"), (True, False, "cuda"), (False, True, "mps"), (True, True, "cuda")]
)
def test_auto_takes_the_best_device_there_is(monkeypatch: pytest.MonkeyPatch, cuda: bool, mps: bool, kind: str) -> None:
    machine(monkeypatch, cuda=cuda, mps=mps)
    assert choose_device("auto").type == kind


def test_the_device_asked_for_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=True, mps=True)
    assert [choose_device(name).type for name in ("cpu", "cuda", "mps")] == ["cpu", "cuda", "mps"]


def test_of_several_gpus_each_process_takes_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    machine(monkeypatch, cuda=True, mps=False)
    assert choose_device("auto", local_rank=1) == torch.device("cuda", 1)
    machine(monkeypatch, cuda=False, mps=False)
    assert choose_device("auto", local_rank=1) == CPU


@pytest.mark.parametrize("name", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused_with_those_that_are(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    machine(monkeypatch, cuda=False, mps=False)
    with pytest.raises(EnvironmentLacks, match=f"no {name} device here; there is cpu .*--device"):
        choose_device(name)


@pytest.mark.parametrize(
    ("flags", "precision"),
    [
        ({"avx512_bf16", "avx2"}, "bfloat16"),
        ({"amx_bf16"}, "bfloat16"),
        ({"avx2", "avx512f"}, "float32"),
        (set(), "float32"),
    ],
)
def test_a_cpu_computes_in_bfloat16_where_it_has_instructions_for_it(
    monkeypatch: pytest.MonkeyPatch, flags: set[str], precision: str
) -> None:
    monkeypatch.setattr(module, "_cpu_flags", lambda: flags)
    assert choose_precision("auto", CPU) == precision
    assert choose_precision("float32", CPU) == "float32"
    assert choose_precision("bfloat16", CPU) == "bfloat16"


@pytest.mark.parametrize(("capability", "native"), [((7, 5), False), ((8, 0), True), ((9, 0), True)])
def test_a_gpu_computes_in_bfloat16_from_ampere_on(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], native: bool
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert native_bfloat16(torch.device("cuda", 0)) is native


def test_other_devices_compute_in_float32() -> None:
    assert choose_precision("auto", torch.device("mps")) == "float32"


def test_products_are_made_in_the_precision_and_weights_stay() -> None:
    layer = torch.nn.Linear(4, 4)
    for precision, dtype in (("bfloat16", torch.bfloat16), ("float32", torch.float32)):
        with autocast(CPU, precision):
            assert layer(torch.ones(1, 4)).dtype == dtype
        assert layer.weight.dtype == torch.float32


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_step_on_cuda_loses_what_one_on_the_cpu_loses(tmp_path: Path, precision: str) -> None:
    losses = []
    for device in ("cpu", "cuda"):
        changes = {"model.dropout": 0.0, "training.num_epochs": 3, "training.device": device}
        config = small_config(tmp_path, changes | {"training.precision": precision}, name=device)
        preprocess(config)
        train(config)
        state = read_state(CheckpointFolder(config.checkpoint_folder).find("last"))
        losses.append([row["train_loss"] for row in state.history or []])
    assert losses[0] == pytest.approx(losses[1], rel=1e-3 if precision == "float32" else 0.05)
