"""The one place that says which ONNX is written, and a small builder that writes it.

Opset 17 is the first with LayerNormalization. int8 graphs multiply by onnxruntime's own MatMulIntegerToFloat, QGemm and
MatMulNBits, which takes 8 bits since 1.22, and attend by its GroupQueryAttention; float32 graphs are ONNX alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
IR_VERSION = 8
PRODUCER = "wgsl-infer"
CONTRIB = "com.microsoft"  # the domain of onnxruntime's own operators

_TYPES = {"float32": TensorProto.FLOAT, "int64": TensorProto.INT64, "bool": TensorProto.BOOL}
Shape = Sequence[int | str]


class Graph:
    """An ONNX graph written node by node, from the inputs on. Values are known by their names.

    Args:
        name: of the graph.
        outer: the graph around a loop's body, whose values the body may use and which holds its constants.
    """

    def __init__(self, name: str, outer: Graph | None = None) -> None:
        self.name = name
        self._top: Graph = outer._top if outer else self
        self._count = 0  # of the nodes in all graphs below the top: no name may come twice in them
        self._nodes: list[onnx.NodeProto] = []
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._constants: dict[str, onnx.TensorProto] = {}
        self._renamed: dict[str, str] = {}  # values that became outputs
        self._domains = {""}  # of the operators in all graphs below the top

    def input(self, name: str, kind: str, shape: Shape) -> str:
        """Declare an input; names in `shape` are dimensions that vary."""
        self._inputs.append(helper.make_tensor_value_info(name, _TYPES[kind], list(shape)))
        return name

    def output(self, name: str, value: str, kind: str, shape: Shape) -> None:
        """Give a value out under a name. What a node computed takes that name, since a copy would cost time."""
        self._outputs.append(helper.make_tensor_value_info(name, _TYPES[kind], list(shape)))
        value = self._renamed.get(value, value)
        for node in self._nodes:
            if value in node.output and value not in self._renamed.values():
                self._renamed[value] = name
                for other in self._nodes:
                    for names in (other.input, other.output):
                        names[:] = [name if one == value else one for one in names]
                return
        self._nodes.append(helper.make_node("Identity", [value], [name]))

    def constant(self, name: str, value: NDArray[Any]) -> str:
        """Store an array in the graph, once for each name."""
        if name not in self._top._constants:
            self._top._constants[name] = numpy_helper.from_array(np.asarray(value, order="C"), name)
        return name

    def integers(self, *values: int) -> str:
        """A constant of one dimension, int64."""
        return self.constant("i64_" + "_".join(map(str, values)), np.array(values, dtype=np.int64))

    def scalar(self, value: int) -> str:
        """An int64 constant without dimensions."""
        return self.constant(f"scalar_{value}", np.array(value, dtype=np.int64))

    def number(self, value: float) -> str:
        """A float32 constant without dimensions."""
        return self.constant(f"f32_{value!r}", np.array(value, dtype=np.float32))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Append an operator with one result and return the result's name."""
        return self.split(operator, 1, *inputs, **attributes)[0]

    def split(self, operator: str, results: int, *inputs: str, **attributes: Any) -> list[str]:
        """Append an operator with several results and return their names."""
        base = f"{operator.lower()}_{self._top._count}"
        self._top._count += 1
        names = [base] if results == 1 else [f"{base}_{k}" for k in range(results)]
        node = helper.make_node(operator, [self._renamed.get(name, name) for name in inputs], names, **attributes)
        self._top._domains.add(node.domain)
        self._nodes.append(node)
        return names

    def loop(self, limit: str, body: Graph, carried: Sequence[str], scanned: int) -> list[str]:
        """Run a graph again and again; returns its last carried values and what it gave in all turns.

        Args:
            limit: most turns, int64 without dimensions.
            body: takes the turn's number, whether to go on, and the carried values; gives whether to go on, the carried
                values, and `scanned` more, of which those of all turns are stacked along a new first axis.
            carried: the values of the first turn.
            scanned: how many.
        """
        inner = helper.make_graph(body._nodes, body.name, body._inputs, body._outputs)
        going = self.constant("true", np.array(True))
        return self.split("Loop", len(carried) + scanned, limit, going, *carried, body=inner)

    def model(self, metadata: Mapping[str, str]) -> onnx.ModelProto:
        """The finished model, checked.

        Raises:
            onnx.checker.ValidationError: the graph is not valid ONNX.
        """
        graph = helper.make_graph(self._nodes, self.name, self._inputs, self._outputs, list(self._constants.values()))
        versions = {"": OPSET, CONTRIB: 1}
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid(domain, versions[domain]) for domain in sorted(self._domains)],
            ir_version=IR_VERSION,
            producer_name=PRODUCER,
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return model
