"""Graphs that share a file of weights compute what they did with weights of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from builders import small_model, small_ranges
from wgsl_export.network import answer_graph, decoder_graph, encoder_graph
from wgsl_export.onnx_format import Graph
from wgsl_export.shared import save_graphs
from wgsl_export.weights import plain_weights

ROWS = np.random.default_rng(0).normal(size=(64, 32)).astype(np.float32)


def product(name: str, matrix: np.ndarray, shift: float = 0.0) -> onnx.ModelProto:
    g = Graph(name)
    x = g.input("x", "float32", ["batch", matrix.shape[1]])
    shifted = g.node("Add", x, g.number(shift))
    g.output("y", g.node("MatMul", shifted, g.constant(name, matrix.T)), "float32", ["batch", len(matrix)])
    return g.model({})


def gathered(matrix: np.ndarray) -> onnx.ModelProto:
    g = Graph("gathered")
    found = g.node("Gather", g.constant("table", matrix), g.input("x", "int64", ["batch"]))
    g.output("y", found, "float32", ["batch", matrix.shape[1]])
    return g.model({})


def test_shared_weights_are_stored_once_and_used_alike(tmp_path: Path) -> None:
    models = {"a.onnx": product("a", ROWS), "b.onnx": product("b", ROWS, 1.0)}
    save_graphs(tmp_path, models, "weights.bin")
    assert (tmp_path / "weights.bin").stat().st_size == ROWS.nbytes
    assert {path.name for path in tmp_path.iterdir()} == {"a.onnx", "b.onnx", "weights.bin"}
    x = np.random.default_rng(1).normal(size=(3, 32)).astype(np.float32)
    for name, shift in (("a.onnx", 0.0), ("b.onnx", 1.0)):
        onnx.checker.check_model(str(tmp_path / name), full_check=True)
        session = onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"])
        np.testing.assert_allclose(session.run(None, {"x": x})[0], (x + shift) @ ROWS.T, rtol=1e-5, atol=1e-5)


def test_the_beginning_of_a_tensor_is_not_stored_again(tmp_path: Path) -> None:
    save_graphs(tmp_path, {"all.onnx": gathered(ROWS), "first.onnx": gathered(ROWS[:20])}, "weights.bin")
    assert (tmp_path / "weights.bin").stat().st_size == ROWS.nbytes
    session = onnxruntime.InferenceSession(str(tmp_path / "first.onnx"), providers=["CPUExecutionProvider"])
    assert np.array_equal(session.run(None, {"x": np.array([19, 3])})[0], ROWS[[19, 3]])


def test_other_weights_are_stored_beside_each_other(tmp_path: Path) -> None:
    other = ROWS + 1.0
    save_graphs(tmp_path, {"all.onnx": gathered(ROWS), "other.onnx": gathered(other)}, "weights.bin")
    for name, matrix in (("all.onnx", ROWS), ("other.onnx", other)):
        session = onnxruntime.InferenceSession(str(tmp_path / name), providers=["CPUExecutionProvider"])
        assert np.array_equal(session.run(None, {"x": np.arange(64)})[0], matrix)


def test_small_tensors_stay_in_their_graphs(tmp_path: Path) -> None:
    save_graphs(tmp_path, {"small.onnx": gathered(ROWS[:2, :4])}, "weights.bin")
    assert (tmp_path / "weights.bin").stat().st_size == 0


@pytest.mark.parametrize("tied", [True, False])
def test_graphs_of_one_network_store_each_weight_once(tmp_path: Path, tied: bool) -> None:
    model = small_model(d_model=64, tie_output=tied)
    weights, ranges = plain_weights(model), small_ranges(model)
    makers = (answer_graph, encoder_graph, decoder_graph)
    models = {f"{make.__name__}.onnx": make(weights, ranges, {}, range(0, 40, 2)) for make in makers}
    save_graphs(tmp_path, models, "weights.bin")
    places: dict[str, set[int]] = {}
    for model in models.values():
        for tensor in model.graph.initializer:
            offsets = [int(entry.value) for entry in tensor.external_data if entry.key == "offset"]
            places.setdefault(tensor.name, set()).update(offsets)
    assert {name for name, found in places.items() if len(found) > 1} == set()
    assert len(places["embedding"]) == len(places["output.weight"]) == 1
    assert (places["embedding"] == places["output.weight"]) == tied
