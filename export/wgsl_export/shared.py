"""Several graphs whose weights are in one file beside them, each stored once."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import onnx
from onnx import TensorProto, external_data_helper

_SMALLEST = 512  # bytes; smaller tensors stay in their graphs
_ALIGNMENT = 64  # bytes, a cache line: the file is mapped into memory


def save_graphs(folder: Path, models: Mapping[str, onnx.ModelProto], weights: str) -> None:
    """Write models that share a file of weights.

    A tensor that equals another, or its beginning, is not stored again.

    Args:
        folder: for all files.
        models: by the names of their files; their larger tensors are replaced by references.
        weights: name of the file of weights.
    """
    tensors = [tensor for model in models.values() for tensor in model.graph.initializer]
    large = sorted((t for t in tensors if len(t.raw_data) >= _SMALLEST), key=lambda t: (-len(t.raw_data), t.name))
    stored: list[tuple[bytes, int]] = []
    with (folder / weights).open("wb") as file:
        for tensor in large:
            data = tensor.raw_data
            place = next((offset for other, offset in stored if other.startswith(data)), None)
            if place is None:
                file.write(b"\0" * (-file.tell() % _ALIGNMENT))
                place = file.tell()
                file.write(data)
                stored.append((data, place))
            _refer(tensor, weights, place)
    for name, model in models.items():
        onnx.save(model, folder / name)


def _refer(tensor: TensorProto, weights: str, place: int) -> None:
    external_data_helper.set_external_data(tensor, weights, place, len(tensor.raw_data))
    tensor.ClearField("raw_data")
