"""The parts that the network's graphs are made of.

Legend: B batch, S source length, T target length, P tokens decoded so far, D model width, H heads, K = D / H, V
vocabulary, A some of its tokens.
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
_BLOCKS = (128, 64, 32, 16)  # how many int8 weights of a row can share a scale, best first


class Network:
    """The parts that the graphs are made of. Weights are float32, or int8 in blocks with a scale each.

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
        return self._product(x, f"{name}.weight", weight, bias)

    def project(self, x: str) -> str:
        """Logits of the targets."""
        tensors = self.weights.tensors
        weight = tensors["embedding.weight" if self.weights.settings.tie_output else "output_weight"]
        return self._product(x, "output", weight[self.targets], tensors["output_bias"][self.targets])

    def _product(self, x: str, name: str, weight: Array, bias: Array) -> str:
        """`x @ weight.T + bias`.

        In int8 the activations are bytes, too. The encoder, which runs for one prompt at a time, has one scale for all
        of them: the fastest product for several rows. The decoder's rows are answers that know nothing of each other: a
        scale for each block of a row, the fastest product for a single one.
        """
        g = self.graph
        if not self.int8:
            return g.node("Add", g.node("MatMul", x, g.constant(name, weight.T)), g.constant(f"{name}.bias", bias))
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
            g.constant(f"{name}.bias", bias),
            domain=CONTRIB,
            K=weight.shape[1],
            N=weight.shape[0],
            bits=8,
            block_size=self.block,
            accuracy_level=4,  # int8 activations
        )

    def _product_of_rows(self, x: str, name: str, weight: Array, bias: Array) -> str:
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
        return g.node("Add", product, g.constant(f"{name}.bias", bias))

    def embed(self, tokens: str) -> str:
        """Token vectors times the square root of D. [B, T] -> [B, T, D]."""
        g, width = self.graph, self.weights.settings.d_model
        places = np.argsort(self.order).astype(np.int32)
        rows = g.node("Gather", g.constant("places", places), tokens)
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

    # -- attention

    def self_attention(self, x: str, layer: str, bias: str | None) -> str:
        """Attention of all of a sequence to itself. [B, T, D] -> [B, T, D]."""
        g = self.graph
        projected = self.linear(x, f"{layer}.attention.qkv", queries=True)
        query, key, value = g.split("Split", 3, self._heads(projected, 3), axis=1)
        found = g.node("Transpose", self._attend(query, self._turned(key), value, bias), perm=[0, 2, 1, 3])
        return self.linear(self._together(found), f"{layer}.attention.out")

    def grown_attention(self, x: str, layer: str, bias: str | None, past: list[str]) -> tuple[str, list[str]]:
        """Attention of the newest token, [B, 1, D], to itself and what `past` holds; and the past with it."""
        g = self.graph
        projected = self.linear(x, f"{layer}.attention.qkv", queries=True)
        # with one token, taking the heads apart is no more than another shape
        apart = g.node("Reshape", projected, g.integers(0, 3 * self.weights.settings.nhead, 1, self.width))
        query, *newest = g.split("Split", 3, apart, axis=1)
        key, value = (g.node("Concat", old, new, axis=2) for old, new in zip(past, newest, strict=True))
        found = self._attend(query, self._turned(key), value, bias)
        return self.linear(self._together(found), f"{layer}.attention.out"), [key, value]

    def cross_attention(self, x: str, layer: str, memory: list[str], bias: str | None) -> str:
        """Attention of the newest token, [B, 1, D], to the encoder's output."""
        g = self.graph
        projected = self.linear(x, f"{layer}.cross.query", queries=True)
        query = g.node("Reshape", projected, g.integers(0, self.weights.settings.nhead, 1, self.width))
        return self.linear(self._together(self._attend(query, memory[0], memory[1], bias)), f"{layer}.cross.out")

    def cross_state(self, memory: str, layer: str) -> list[str]:
        """What a decoder layer attends to: keys, turned for the product, [B, H, K, S], and values [B, H, S, K]."""
        key, value = self.graph.split("Split", 2, self._heads(self.linear(memory, f"{layer}.cross.kv"), 2), axis=1)
        return [self._turned(key), value]

    def _heads(self, x: str, parts: int) -> str:
        """[B, T, parts * D] -> [B, parts * H, T, K]."""
        g = self.graph
        apart = g.node("Reshape", x, g.integers(0, 0, parts * self.weights.settings.nhead, self.width))
        return g.node("Transpose", apart, perm=[0, 2, 1, 3])

    def _together(self, x: str) -> str:
        """[B, T, H, K], or of one token [B, H, 1, K], -> [B, T, D]."""
        g = self.graph
        return g.node("Reshape", x, g.integers(0, -1, self.weights.settings.d_model))

    def _turned(self, key: str) -> str:
        return self.graph.node("Transpose", key, perm=[0, 1, 3, 2])

    def _attend(self, query: str, key: str, value: str, bias: str | None) -> str:
        """[B, H, T, K], [B, H, K, S], [B, H, S, K] -> [B, H, T, K]."""
        g = self.graph
        scores = g.node("MatMul", query, key)
        if bias is not None:
            scores = g.node("Add", scores, bias)
        return g.node("MatMul", g.node("Softmax", scores, axis=-1), value)

    # -- the rest of a layer

    def feedforward(self, x: str, layer: str) -> str:
        """The residual sublayer of up, activation, down."""
        g = self.graph
        hidden = self.linear(self.enter(x, f"{layer}.after_feedforward"), f"{layer}.feedforward.up")
        if self.weights.settings.activation == "relu":
            hidden = g.node("Relu", hidden)
        else:
            half = g.node("Mul", hidden, g.number(0.5))
            error = g.node("Erf", g.node("Mul", hidden, g.number(math.sqrt(0.5))))
            hidden = g.node("Mul", half, g.node("Add", error, g.number(1.0)))
        return self.leave(x, f"{layer}.after_feedforward", self.linear(hidden, f"{layer}.feedforward.down"))

    def enter(self, x: str, name: str) -> str:
        """What a sublayer reads of the stream."""
        return self._norm(x, f"{name}.norm") if self.weights.settings.norm == "pre" else x

    def leave(self, x: str, name: str, sublayer: str) -> str:
        """The stream behind a sublayer: the residual sum, and the layer norm if it comes behind."""
        total = self.graph.node("Add", x, sublayer)
        return total if self.weights.settings.norm == "pre" else self._norm(total, f"{name}.norm")

    def final_norm(self, x: str) -> str:
        """The norm at the end of a stack, where there is one."""
        return self._norm(x, f"{self.side}_norm") if self.weights.settings.norm == "pre" else x

    def _norm(self, x: str, name: str) -> str:
        g, tensors = self.graph, self.weights.tensors
        gain, bias = (g.constant(f"{name}.{part}", tensors[f"{name}.{part}"]) for part in ("weight", "bias"))
        return g.node("LayerNormalization", x, gain, bias, axis=-1, epsilon=self.epsilon)

    # -- lengths and distances

    def length(self, x: str, axis: int) -> str:
        """The size of one dimension, [1]."""
        g = self.graph
        return g.node("Gather", g.node("Shape", x), g.integers(axis))

    def encoder_distances(self, source: str) -> str:
        """Attention biases between all positions of the source, [H, S, S]."""
        g = self.graph
        assert self.weights.encoder_bias is not None
        places = self._range(self.length(source, 1))
        apart = g.node("Sub", g.node("Unsqueeze", places, g.integers(0)), g.node("Unsqueeze", places, g.integers(1)))
        index = g.node("Add", apart, g.integers(self.weights.settings.max_seq_len - 1))
        return g.node("Gather", g.constant("encoder.distances", self.weights.encoder_bias), index, axis=1)

    def decoder_distances(self, position: str) -> str:
        """Attention biases of the newest token to itself and all before it, [H, 1, P + 1]."""
        g = self.graph
        assert self.weights.decoder_bias is not None
        back = g.node("Sub", position, self._range(g.node("Add", position, g.integers(1))))
        found = g.node("Gather", g.constant("decoder.distances", self.weights.decoder_bias), back, axis=1)
        return g.node("Unsqueeze", found, g.integers(1))

    def _range(self, count: str) -> str:
        g = self.graph
        return g.node("Range", g.scalar(0), g.node("Squeeze", count, g.integers(0)), g.scalar(1))

    # -- the two sides

    def encode(self, source: str) -> tuple[str, list[list[str]]]:
        """Memory [1, S, D] of one prompt, and the decoder layers' keys and values of it."""
        g, settings = self.graph, self.weights.settings
        x, scores_bias = self.embed(source), None
        if self.weights.positions is not None:
            table = g.constant("positions", self.weights.positions)
            x = g.node("Add", x, g.node("Slice", table, g.integers(0), self.length(source, 1), g.integers(0)))
        else:
            scores_bias = self.encoder_distances(source)
        for k in range(settings.encoder_depth):
            layer = f"encoder.{k}"
            y = self.enter(x, f"{layer}.after_attention")
            x = self.leave(x, f"{layer}.after_attention", self.self_attention(y, layer, scores_bias))
            x = self.feedforward(x, layer)
        memory = self.final_norm(x)
        return memory, [self.cross_state(memory, f"decoder.{k}") for k in range(settings.decoder_depth)]

    def decode(
        self, tokens: str, position: str, source_bias: str | None, cross: list[list[str]], past: list[list[str]]
    ) -> tuple[str, list[list[str]]]:
        """One step: the output behind tokens [B] at a position [1], [B, 1, D], and the grown keys and values."""
        g, weights = self.graph, self.weights
        x = self.embed(g.node("Unsqueeze", tokens, g.integers(1)))
        distances = None
        if weights.positions is not None:
            x = g.node("Add", x, g.node("Gather", g.constant("positions", weights.positions), position))
        else:
            distances = self.decoder_distances(position)
        state = []
        for k in range(weights.settings.decoder_depth):
            layer = f"decoder.{k}"
            y = self.enter(x, f"{layer}.after_attention")
            found, grown = self.grown_attention(y, layer, distances, past[k])
            state.append(grown)
            x = self.leave(x, f"{layer}.after_attention", found)
            y = self.enter(x, f"{layer}.after_cross")
            x = self.leave(x, f"{layer}.after_cross", self.cross_attention(y, layer, cross[k], source_bias))
            x = self.feedforward(x, layer)
        return self.final_norm(x), state


def quantise(weight: Array, block: int) -> tuple[NDArray[np.uint8], Array]:
    """A matrix [N, K] as bytes [N, K / block, block], rows padded to whole blocks, and a scale for each block.

    `scale * (byte - ZERO)` is the weight; the largest of a block is 127 scales away from 0.
    """
    rows, length = weight.shape
    blocks = np.pad(weight, ((0, 0), (0, -length % block))).reshape(rows, -1, block)
    largest = np.abs(blocks).max(axis=2)
    scales = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    return (np.rint(blocks / scales[..., None]) + ZERO).astype(np.uint8), scales
