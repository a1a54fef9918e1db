"""What the exporter's tests share: a trained model with its data, and a way to run graphs that were never written."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from builders import small_config
from wgsl_export.activations import Range
from wgsl_export.network import decoder_graph, encoder_graph
from wgsl_export.weights import PlainWeights
from wgsl_infer.search import pad
from wgsl_pipeline.config import Config
from wgsl_pipeline.preprocess import preprocess
from wgsl_pipeline.train import train

LEARNT = {
    "model.d_model": 32,
    "model.dim_feedforward": 64,
    "model.dropout": 0.0,
    "training.num_epochs": 40,
    "training.save_every": 40,
    "dataset.train_ratio": 0.84,
    "dataset.val_ratio": 0.09,
}


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Models this small are slower on two threads than on one."""
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Config:
    """A run that knows its corpus by heart. Not to be changed: copy it with `config`."""
    found = small_config(tmp_path_factory.mktemp("trained"), LEARNT)
    preprocess(found)
    train(found)
    return found


@pytest.fixture
def config(trained: Config, tmp_path: Path) -> Config:
    """The same run in a folder of its own, which a test may change."""
    shutil.copytree(trained.folder, tmp_path / "run")
    return small_config(trained.path.parent, LEARNT | {"output.dir": str(tmp_path / "run")}, name=tmp_path.name)


@dataclass
class Graphs:
    """Encoder and decoder graphs in onnxruntime, without a bundle."""

    encoder: onnxruntime.InferenceSession
    decoder: onnxruntime.InferenceSession
    weights: PlainWeights

    @classmethod
    def of(cls, weights: PlainWeights, ranges: Mapping[str, Range] | None = None) -> Graphs:
        """The graphs of these weights: float32, or with ranges int8."""
        return cls(*(session(make(weights, ranges, {})) for make in (encoder_graph, decoder_graph)), weights)

    def encode(self, sources: list[list[int]]) -> dict[str, NDArray[Any]]:
        """The encoder's outputs by name, but for the columns."""
        names = [output.name for output in self.encoder.get_outputs() if output.name != "columns"]
        return dict(zip(names, self.encoder.run(names, {"source": pad(sources)}), strict=True))

    def logits(self, sources: list[list[int]], given: NDArray[np.int64]) -> NDArray[np.float32]:
        """Logits of every step of answers [B, T] that are fed token by token, [B, T, V]."""
        settings = self.weights.settings
        encoded = self.encode(sources)
        del encoded["memory"]
        empty = np.zeros((len(sources), settings.nhead, 0, settings.d_model // settings.nhead), dtype=np.float32)
        state = {f"past_{part}_{k}": empty for k in range(settings.decoder_depth) for part in ("key", "value")}
        found = []
        for k in range(given.shape[1]):
            outputs = [output.name for output in self.decoder.get_outputs()]
            step = dict(
                zip(outputs, self.decoder.run(outputs, {"tokens": given[:, k], **encoded, **state}), strict=True)
            )
            found.append(step.pop("logits"))
            state = {f"past_{name}": value for name, value in step.items()}
        return np.stack(found, axis=1)


def session(model: onnx.ModelProto) -> onnxruntime.InferenceSession:
    """A model in onnxruntime, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


@pytest.fixture(scope="session")
def graphs() -> type[Graphs]:
    """Runs graphs that are in no bundle: `graphs.of(weights, ranges)`."""
    return Graphs
