"""What is written is ONNX of the one version that is pinned, and invalid graphs are not written."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto

from builders import small_model, small_ranges
from wgsl_export import onnx_format
from wgsl_export.network import answer_graph, decoder_graph, encoder_graph
from wgsl_export.onnx_format import CONTRIB, IR_VERSION, OPSET, Graph
from wgsl_export.weights import plain_weights

OWN = {"MatMulIntegerToFloat", "QGemm", "MatMulNBits", "GroupQueryAttention"}
MODELS = [
    (make, precision) for make in (answer_graph, encoder_graph, decoder_graph) for precision in ("float32", "int8")
]


def written(make: object, precision: str, **changes: object) -> onnx.ModelProto:
    model = small_model(**changes)
    ranges = small_ranges(model) if precision == "int8" else None
    return make(plain_weights(model), ranges, {"tokenizer": "abc"})  # type: ignore[operator]


def nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    """Of a graph and of the bodies in it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from nodes(attribute.g)


@pytest.mark.parametrize(("make", "precision"), MODELS)
def test_opset_and_ir_are_pinned_and_only_int8_needs_onnxruntimes_domain(make: object, precision: str) -> None:
    model = written(make, precision)
    assert (OPSET, IR_VERSION) == (17, 8)
    domains = {"": OPSET} | ({CONTRIB: 1} if precision == "int8" else {})
    assert {entry.domain: entry.version for entry in model.opset_import} == domains
    assert model.ir_version == IR_VERSION
    found = list(nodes(model.graph))
    assert {node.domain for node in found} == set(domains)
    assert {node.op_type for node in found if node.domain == CONTRIB} <= OWN
    assert model.producer_name == "wgsl-infer"


@pytest.mark.parametrize(("make", "precision"), MODELS)
@pytest.mark.parametrize(
    "kind", [{}, {"norm": "pre", "positions": "relative", "activation": "gelu", "tie_output": True}]
)
def test_graphs_pass_the_checker_with_every_shape_inferred(
    make: object, precision: str, kind: dict[str, object]
) -> None:
    model = written(make, precision, **kind)
    onnx.checker.check_model(model, full_check=True)
    onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True)


def test_metadata_is_stored_as_strings() -> None:
    model = written(encoder_graph, "float32")
    assert {entry.key: entry.value for entry in model.metadata_props} == {"tokenizer": "abc"}


def test_the_pins_stand_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_format, "OPSET", 18)
    monkeypatch.setattr(onnx_format, "IR_VERSION", 9)
    g = Graph("small")
    g.output("y", g.input("x", "float32", [2]), "float32", [2])
    model = g.model({})
    assert (model.opset_import[0].version, model.ir_version) == (18, 9)


def test_a_graph_is_written_node_by_node() -> None:
    g = Graph("small")
    x = g.input("x", "float32", ["batch", 2])
    g.output("y", g.node("Mul", x, g.number(2.0)), "float32", ["batch", 2])
    model = g.model({})
    assert [node.op_type for node in model.graph.node] == ["Mul"]
    assert model.graph.node[0].output == ["y"]
    dimension = model.graph.input[0].type.tensor_type.shape.dim
    assert (dimension[0].dim_param, dimension[1].dim_value) == ("batch", 2)
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT


def test_what_goes_on_being_used_or_is_given_out_twice_keeps_its_value() -> None:
    g = Graph("small")
    x = g.input("x", "float32", [2])
    double = g.node("Mul", x, g.number(2.0))
    g.output("double", double, "float32", [2])
    g.output("again", double, "float32", [2])
    g.output("same", x, "float32", [2])
    g.output("more", g.node("Add", double, x), "float32", [2])
    session = onnxruntime.InferenceSession(g.model({}).SerializeToString(), providers=["CPUExecutionProvider"])
    found = session.run(["double", "again", "same", "more"], {"x": np.array([1.0, 3.0], dtype=np.float32)})
    assert [value.tolist() for value in found] == [[2.0, 6.0], [2.0, 6.0], [1.0, 3.0], [3.0, 9.0]]


def test_a_constant_is_stored_once_for_each_name() -> None:
    g = Graph("small")
    table = np.arange(4, dtype=np.float32)
    assert g.constant("table", table) == g.constant("table", table) == "table"
    assert g.number(0.5) == g.number(0.5) != g.number(0.25)
    assert g.integers(1, 2) == g.integers(1, 2) != g.integers(12)
    x = g.input("x", "float32", [4])
    g.output("y", g.node("Add", x, "table"), "float32", [4])
    assert sorted(initializer.name for initializer in g.model({}).graph.initializer) == sorted(
        {"table", g.number(0.5), g.number(0.25), g.integers(1, 2), g.integers(12)}
    )


@pytest.mark.parametrize(
    "spoil",
    [
        lambda g, x: g.node("NoSuchOperator", x),
        lambda g, x: g.node("Add", x, "nowhere"),
        lambda g, x: g.node("Add", x, g.constant("wrong", np.zeros((3, 5), dtype=np.float32))),
        lambda g, x: g.node("Add", x, g.integers(1)),
    ],
)
def test_an_invalid_graph_is_refused(spoil: object) -> None:
    g = Graph("small")
    x = g.input("x", "float32", [2, 4])
    g.output("y", spoil(g, x), "float32", [2, 4])  # type: ignore[operator]
    with pytest.raises((onnx.checker.ValidationError, onnx.shape_inference.InferenceError)):
        g.model({})
