"""The parts that the network's graphs are made of.

Legend: B batch, S source length, T target length, P tokens decoded so far, D model width, H heads, K = D / H, V
vocabulary.
"""

from __future__ import annotations

import math

import numpy as np
import onnx

from wgsl_infer.tokens import PAD

from .onnx_format import CONTRIB
from .products import Products

_PADDING = -1e9  # added to the scores of padding: far below any other, far above float32's limit


class Network(Products):
    """The parts that the graphs are made of; the arguments are those of `Products`."""

    # -- attention

    def self_attention(self, x: str, layer: str, bias: str | None) -> str:
        """Attention of all of a sequence to itself. [B, T, D] -> [B, T, D]."""
        g = self.graph
        projected = self.linear(x, f"{layer}.attention.qkv", queries=True)
        query, key, value = g.split("Split", 3, self._heads(projected, 3), axis=1)
        found = g.node("Transpose", self._attend(query, self._turned(key), value, bias), perm=[0, 2, 1, 3])
        return self.linear(self._together(found), f"{layer}.attention.out")

    def grown_attention(
        self, x: str, layer: str, bias: str | None, lengths: list[str], past: list[str]
    ) -> tuple[str, list[str]]:
        """Attention of the newest token, [B, 1, D], to itself and what `past` holds; and the past with it.

        Args:
            lengths: P for each row, [B], and P + 1 without dimensions, both int32; without them float32 and graphs with
                distances spell out what onnxruntime has one operator for.
        """
        g = self.graph
        projected = self.linear(x, f"{layer}.attention.qkv", queries=True)
        if lengths:
            heads = self.weights.settings.nhead
            found, *grown = g.split(
                "GroupQueryAttention",
                3,
                projected,
                "",
                "",
                *past,
                *lengths,
                domain=CONTRIB,
                num_heads=heads,
                kv_num_heads=heads,
                scale=1.0,
            )
            return self.linear(found, f"{layer}.attention.out"), grown
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
            # as bytes, what is read here starts at 0: there everything below it goes anyway
            hidden = hidden if self.multiplies_bytes else g.node("Relu", hidden)
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

    def padding_bias(self, source: str) -> str:
        """What keeps attention away from padding, added to its scores. [B, S] -> [B, 1, 1, S]."""
        g = self.graph
        padding = g.node("Equal", source, g.integers(PAD))
        return g.node("Unsqueeze", g.node("Where", padding, g.number(_PADDING), g.number(0.0)), g.integers(1, 2))

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

    def _lengths(self, rows: str, position: str) -> list[str]:
        """How much there is in the past of each row, [B], and with the newest token, both int32."""
        g = self.graph
        past = g.node("Cast", position, to=onnx.TensorProto.INT32)
        total = g.node("Add", past, g.constant("int32_1", np.array(1, dtype=np.int32)))
        each = g.node("Expand", past, self.length(rows, 0))
        return [each, g.node("Squeeze", total)]

    def _range(self, count: str) -> str:
        g = self.graph
        return g.node("Range", g.scalar(0), g.node("Squeeze", count, g.integers(0)), g.scalar(1))

    # -- the two sides

    def encode(self, source: str, source_bias: str | None = None) -> tuple[str, list[list[str]]]:
        """Memory [B, S, D] of prompts, and the decoder layers' keys and values of it.

        Args:
            source_bias: what keeps attention away from padding; None: no prompt is padded.
        """
        g, settings = self.graph, self.weights.settings
        x, bias = self.embed(self.rows(source)), source_bias
        if self.weights.positions is not None:
            table = g.constant("positions", self.weights.positions)
            x = g.node("Add", x, g.node("Slice", table, g.integers(0), self.length(source, 1), g.integers(0)))
        else:
            distances = self.encoder_distances(source)
            bias = g.node("Add", distances, source_bias) if source_bias else distances
        for k in range(settings.encoder_depth):
            layer = f"encoder.{k}"
            y = self.enter(x, f"{layer}.after_attention")
            x = self.leave(x, f"{layer}.after_attention", self.self_attention(y, layer, bias))
            x = self.feedforward(x, layer)
        memory = self.final_norm(x)
        return memory, [self.cross_state(memory, f"decoder.{k}") for k in range(settings.decoder_depth)]

    def decode(
        self, rows: str, position: str, source_bias: str | None, cross: list[list[str]], past: list[list[str]]
    ) -> tuple[str, list[list[str]]]:
        """One step: the output behind tokens at a position [1], [B, 1, D], and the grown keys and values.

        Args:
            rows: of the tokens in the table of embeddings, [B, 1].
        """
        g, weights = self.graph, self.weights
        x = self.embed(rows)
        distances = None
        if weights.positions is not None:
            x = g.node("Add", x, g.node("Gather", g.constant("positions", weights.positions), position))
        else:
            distances = self.decoder_distances(position)
        state = []
        lengths = self._lengths(rows, position) if self.int8 and distances is None else []
        for k in range(weights.settings.decoder_depth):
            layer = f"decoder.{k}"
            y = self.enter(x, f"{layer}.after_attention")
            found, grown = self.grown_attention(y, layer, distances, lengths, past[k])
            state.append(grown)
            x = self.leave(x, f"{layer}.after_attention", found)
            y = self.enter(x, f"{layer}.after_cross")
            x = self.leave(x, f"{layer}.after_cross", self.cross_attention(y, layer, cross[k], source_bias))
            x = self.feedforward(x, layer)
        return self.final_norm(x), state
