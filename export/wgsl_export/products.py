"""The network's products: what is done with its trained matrices, in float32 or in int8.

Legend: B batch, T target length, D model width, H heads, K = D / H, A some tokens of the vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from .activations import Range
from .onnx_format import CONTRIB, Graph
from .weights import Array, PlainWeights

ZERO = 128.0  # the byte that stands for the weight 0 in blocks
# The widest model that multiplies bytes by bytes for a single row: with 512 and one thread that takes 1.4 times as long
# as blocks, since the weights come from further away; with 192 to 384 as long, and for four rows half as long.
WIDEST = 384
# How many int8 weights of a row can share a scale, best first.
_BLOCKS = (128, 32, 16)
_MASKED = -1e9  # the logit, or the product, of what an answer may not hold: far below any other


class Products:
    """Products with the weights in a graph: in float32, or in int8 of one of two kinds.

    The first multiplies bytes by bytes: a scale for each output of a matrix, and one for all that a matrix reads, fixed
    beforehand, so that the rows of a batch know nothing of each other. The decoder of a model wider than `WIDEST` has
    its weights in blocks with a scale each, which is the fastest product for a single row when they are many.

    Args:
        graph: to write into.
        weights: of the trained model.
        ranges: of what each map reads, by its name, for int8; None: float32.
        side: encoder or decoder.
        targets: the tokens that answers are made of, in the order of the logits; None: all. Their vectors come first in
            the table of embeddings, so that the output projection is its beginning.
    """

    def __init__(
        self,
        graph: Graph,
        weights: PlainWeights,
        ranges: Mapping[str, Range] | None,
        side: str,
        targets: Sequence[int] | None = None,
    ) -> None:
        self.graph, self.weights, self.side = graph, weights, side
        vocabulary = len(weights.tensors["embedding.weight"])
        first = np.arange(vocabulary) if targets is None else np.array(targets, dtype=np.int64)
        self.order = np.concatenate([first, np.setdiff1d(np.arange(vocabulary), first)])
        self.targets = first
        self.int8 = ranges is not None
        self._ranges = ranges or {}
        self._wide = weights.settings.d_model > WIDEST
        self.multiplies_bytes = self.int8 and not (self._wide and side == "decoder")
        self.width = weights.settings.d_model // weights.settings.nhead
        self.block = next((size for size in _BLOCKS if weights.settings.d_model % size == 0), _BLOCKS[-1])
        self._bytes: dict[tuple[str, Range], str] = {}
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
        return self._product(x, name, weight, self.graph.constant(f"{name}.bias", bias))

    def output_bias(self, allowed: str | None = None) -> str:
        """What is added to the products of the output projection, [A]; far below any other where not `allowed`, [A]."""
        values = self.weights.tensors["output_bias"][self.targets]
        if self._rows_of_bytes:
            scale = self._ranges["output"].scale * by_row(self._output_weight())[1]
            bias = self.graph.constant("output.bias", np.rint(values / scale).astype(np.int32))
            none = self.graph.constant("output.none", np.array(_MASKED, dtype=np.int32))
        else:
            bias, none = self.graph.constant("output.bias", values), self.graph.number(_MASKED)
        return bias if allowed is None else self.graph.node("Where", allowed, bias, none)

    def project(self, x: str, bias: str) -> str:
        """Logits of the targets, [B, A], of [B, 1, D], with what `output_bias` gave."""
        g, weight = self.graph, self._output_weight()
        rows = g.node("Reshape", x, g.integers(-1, weight.shape[1]))
        if not self._rows_of_bytes:
            return self._product(rows, "output", weight, bias)
        # of the products that take the matrix as it lies in the table of embeddings the one that knows bytes
        values, scales = by_row(weight)
        zeros = g.constant("output.zero", np.zeros(len(values), dtype=np.int8))
        matrix = [g.constant("output.weight", values), g.constant("output.scale", scales), zeros]
        activations, scale, zero = self._quantised(rows, "output")
        return g.node("QGemm", activations, scale, zero, *matrix, bias, domain=CONTRIB, transB=1)

    def _output_weight(self) -> Array:
        weight = self.weights.tensors["embedding.weight" if self.weights.settings.tie_output else "output_weight"]
        return weight[self.targets]

    @property
    def _rows_of_bytes(self) -> bool:
        """Whether the table of embeddings, and the output projection, has bytes with a scale for each row."""
        return self.int8 and not self._wide

    def _product(self, x: str, name: str, weight: Array, bias: str) -> str:
        """`x @ weight.T + bias`."""
        g = self.graph
        if not self.int8:
            return g.node("Add", g.node("MatMul", x, g.constant(f"{name}.weight", weight.T)), bias)
        if not self.multiplies_bytes:
            return self._product_in_blocks(x, name, weight, bias)
        values, scales = by_row(weight)
        activations, scale, zero = self._quantised(x, name)
        matrix, each = g.constant(f"{name}.weight", values.T), g.constant(f"{name}.scale", scales)
        return g.node("MatMulIntegerToFloat", activations, matrix, scale, each, zero, "", bias, domain=CONTRIB)

    def _quantised(self, x: str, name: str) -> tuple[str, str, str]:
        """What the map called `name` reads as bytes, with their scale and the byte that stands for 0."""
        g, found = self.graph, self._ranges[name]
        scale = g.number(found.scale)
        zero = g.constant(f"u8_{found.zero}", np.array(found.zero, dtype=np.uint8))
        if (x, found) not in self._bytes:
            self._bytes[x, found] = g.node("QuantizeLinear", x, scale, zero)
        return self._bytes[x, found], scale, zero

    def _product_in_blocks(self, x: str, name: str, weight: Array, bias: str) -> str:
        g = self.graph
        values, scales = by_block(weight, self.block)
        return g.node(
            "MatMulNBits",
            x,
            g.constant(f"{name}.weight", values),
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
        if self._rows_of_bytes:
            values, scales = by_row(table)
            found = g.node("Cast", g.node("Gather", g.constant("embedding", values), rows), to=onnx.TensorProto.FLOAT)
            each = g.node("Gather", g.constant("embedding.scale", scales[:, None] * np.float32(math.sqrt(width))), rows)
            return g.node("Mul", found, each)
        blocks, scales = by_block(table, self.block)
        found = g.node("Cast", g.node("Gather", g.constant("embedding", blocks), rows), to=onnx.TensorProto.FLOAT)
        scale = g.node("Gather", g.constant("embedding.scale", scales[..., None]), rows)
        factors = g.node("Mul", g.node("Sub", found, g.number(ZERO)), g.node("Mul", scale, factor))
        joined = g.node("Reshape", factors, g.integers(0, 0, blocks[0].size))
        padded = blocks[0].size > width
        return g.node("Slice", joined, g.integers(0), g.integers(width), g.integers(2)) if padded else joined


def by_row(weight: Array) -> tuple[NDArray[np.int8], Array]:
    """A matrix [N, K] as bytes from -127 to 127, and a scale for each row, [N]: `scale * byte` is the weight."""
    largest = np.abs(weight).max(axis=1)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    return np.rint(weight / scales[:, None]).astype(np.int8), scales


def by_block(weight: Array, block: int) -> tuple[NDArray[np.uint8], Array]:
    """A matrix [N, K] as bytes [N, K / block, block], rows padded to whole blocks, and a scale for each block.

    `scale * (byte - ZERO)` is the weight; the largest of a block is 127 scales away from 0.
    """
    rows, length = weight.shape
    blocks = np.pad(weight, ((0, 0), (0, -length % block))).reshape(rows, -1, block)
    largest = np.abs(blocks).max(axis=2)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    return (np.rint(blocks / scales[..., None]) + ZERO).astype(np.uint8), scales
