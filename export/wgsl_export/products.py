"""The network's products: what is done with its trained matrices, in float32 or in int8.

Legend: B batch, T target length, D model width, H heads, K = D / H, A some tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from .onnx_format import CONTRIB, Graph
from .weights import Array, PlainWeights

ZERO = 128.0  # the byte that stands for the weight 0
# How many int8 weights of a row can share a scale, best first. Not 64: with it 1,386 of 1,412 held-out answers of the
# bundled model, 192 wide, are those of float32, with 32 it is 1,392.
_BLOCKS = (128, 32, 16)


class Products:
    """Products with the weights in a graph. Weights are float32, or int8 in blocks with a scale each.

    Args:
        graph: to write into.
        weights: of the trained model.
        precision: float32 or int8.
        side: encoder or decoder.
        targets: the tokens that answers are made of, in the order of the logits; None: all. Their vectors come first in
            the table of embeddings, so that the output projection is its beginning.
    """

    def __init__(
        self, graph: Graph, weights: PlainWeights, precision: str, side: str, targets: Sequence[int] | None = None
    ) -> None:
        self.graph, self.weights, self.side = graph, weights, side
        vocabulary = len(weights.tensors["embedding.weight"])
        first = np.arange(vocabulary) if targets is None else np.array(targets, dtype=np.int64)
        self.order = np.concatenate([first, np.setdiff1d(np.arange(vocabulary), first)])
        self.targets = first
        self.int8 = precision == "int8"
        self.width = weights.settings.d_model // weights.settings.nhead
        self.block = next((size for size in _BLOCKS if weights.settings.d_model % size == 0), _BLOCKS[-1])
        self._quantised: dict[str, list[str]] = {}
        self.epsilon = weights.encoder_epsilon if side == "encoder" else weights.decoder_epsilon

    # -- linear maps

    def linear(self, x: str, name: str, queries: bool = False) -> str:
        """`x @ weight.T + bias` with the weights called `name`.

        Args:
            queries: whether the first D outputs are queries, which come out over the square root of K.
        """
        weight, bias = (self.weights.tensors[f"{name}.{part}"] for part in ("weight", "bias"))
        if queries:
            factors = np.ones(len(bias), dtype=np.float32)
            factors[: self.weights.settings.d_model] = 1.0 / math.sqrt(self.width)
            weight, bias = weight * factors[:, None], bias * factors
        return self._product(x, f"{name}.weight", weight, self.graph.constant(f"{name}.bias", bias))

    def output_bias(self) -> str:
        """What is added to the logits of the targets, [A]."""
        return self.graph.constant("output.bias", self.weights.tensors["output_bias"][self.targets])

    def project(self, x: str, bias: str) -> str:
        """Logits of the targets, with the bias given."""
        weight = self.weights.tensors["embedding.weight" if self.weights.settings.tie_output else "output_weight"]
        return self._product(x, "output", weight[self.targets], bias)

    def _product(self, x: str, name: str, weight: Array, bias: str) -> str:
        """`x @ weight.T + bias`.

        In int8 the activations are bytes, too. The encoder, which runs for one prompt at a time, has one scale for all
        of them: the fastest product for several rows. The decoder's rows are answers that know nothing of each other: a
        scale for each block of a row, the fastest product for a single one.
        """
        g = self.graph
        if not self.int8:
            return g.node("Add", g.node("MatMul", x, g.constant(name, weight.T)), bias)
        if self.side == "encoder":
            return self._product_of_rows(x, name, weight, bias)
        values, scales = quantise(weight, self.block)
        return g.node(
            "MatMulNBits",
            x,
            g.constant(name, values),
            g.constant(f"{name}.scale", scales),
            "",
            "",
            bias,
            domain=CONTRIB,
            K=weight.shape[1],
            N=weight.shape[0],
            bits=8,
            block_size=self.block,
            accuracy_level=4,  # int8 activations
        )

    def _product_of_rows(self, x: str, name: str, weight: Array, bias: str) -> str:
        g = self.graph
        scales = np.abs(weight).max(axis=1) / 127.0
        scales = np.where(scales > 0, scales, 1.0).astype(np.float32)
        values = np.rint(weight / scales[:, None]).astype(np.int8)
        if x not in self._quantised:
            self._quantised[x] = g.split("DynamicQuantizeLinear", 3, x)
        activations, scale, zero = self._quantised[x]
        product = g.node("MatMulInteger", activations, g.constant(name, values.T), zero)
        factor = g.node("Mul", scale, g.constant(f"{name}.scale", scales))
        product = g.node("Mul", g.node("Cast", product, to=onnx.TensorProto.FLOAT), factor)
        return g.node("Add", product, bias)

    def row_of(self, token: int) -> int:
        """The row of the table of embeddings that holds a token's vector: for a target, its place among the logits."""
        return int(np.flatnonzero(self.order == token)[0])

    def rows(self, tokens: str) -> str:
        """The same for tokens of any shape."""
        places = np.argsort(self.order).astype(np.int32)
        return self.graph.node("Gather", self.graph.constant("places", places), tokens)

    def embed(self, rows: str) -> str:
        """Token vectors times the square root of D, from their rows in the table. [B, T] -> [B, T, D]."""
        g, width = self.graph, self.weights.settings.d_model
        table = self.weights.tensors["embedding.weight"][self.order]
        factor = g.number(math.sqrt(width))
        if not self.int8:
            return g.node("Mul", g.node("Gather", g.constant("embedding", table), rows), factor)
        values, scales = quantise(table, self.block)
        found = g.node("Cast", g.node("Gather", g.constant("embedding", values), rows), to=onnx.TensorProto.FLOAT)
        scale = g.node("Gather", g.constant("embedding.scale", scales[..., None]), rows)
        blocks = g.node("Mul", g.node("Sub", found, g.number(ZERO)), g.node("Mul", scale, factor))
        joined = g.node("Reshape", blocks, g.integers(0, 0, values[0].size))
        padded = values[0].size > width
        return g.node("Slice", joined, g.integers(0), g.integers(width), g.integers(2)) if padded else joined


def quantise(weight: Array, block: int) -> tuple[NDArray[np.uint8], Array]:
    """A matrix [N, K] as bytes [N, K / block, block], rows padded to whole blocks, and a scale for each block.

    `scale * (byte - ZERO)` is the weight; the largest of a block is 127 scales away from 0.
    """
    rows, length = weight.shape
    blocks = np.pad(weight, ((0, 0), (0, -length % block))).reshape(rows, -1, block)
    largest = np.abs(blocks).max(axis=2)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    return (np.rint(blocks / scales[..., None]) + ZERO).astype(np.uint8), scales
