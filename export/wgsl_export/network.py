"""The network as two ONNX graphs: an encoder that runs once for a prompt, and a decoder that runs once for a token.

Legend: B batch, S source length, P tokens decoded so far, D model width, H heads, K = D / H, V vocabulary.

    encoder: source [B, S] -> memory [B, S, D], source_bias [B, 1, 1, S], cross_key_i and cross_value_i [B, H, S, K]
    decoder: tokens [B], source_bias, cross_*, past_key_i and past_value_i [B, H, P, K]
             -> logits [B, V], key_i and value_i [B, H, P + 1, K]
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from numpy.typing import NDArray

from wgsl_infer.tokenizer import PAD

from .onnx_format import Graph
from .weights import Array, PlainWeights

_MASKED = -1e9  # added to the scores of padding: far below any score, far above float32's limit


def encoder_graph(
    weights: PlainWeights, precision: str, metadata: Mapping[str, str], sources: Sequence[int] | None = None
) -> onnx.ModelProto:
    """The encoder, with the keys and values that all decoder layers attend to.

    Args:
        weights: of the trained model.
        precision: float32 or int8.
        metadata: what the file is to say about itself.
        sources: the tokens that prompts are made of: the graph holds no vectors of others.
    """
    net = _Network(Graph("encoder"), weights, precision, "encoder", sources)
    g, s = net.graph, weights.settings
    source = g.input("source", "int64", ["batch", "source"])
    padding = g.node("Equal", source, g.integers(PAD))
    masked = g.node("Where", padding, g.number(_MASKED), g.number(0.0))
    source_bias = g.node("Unsqueeze", masked, g.integers(1, 2))
    x = net.embed(source)
    scores_bias = source_bias
    if weights.positions is not None:
        table = g.constant("positions", weights.positions)
        x = g.node("Add", x, g.node("Slice", table, g.integers(0), net.length(source, 1), g.integers(0)))
    else:
        scores_bias = g.node("Add", source_bias, net.encoder_distances(source))
    for k in range(s.encoder_depth):
        layer = f"encoder.{k}"
        y = net.enter(x, f"{layer}.after_attention")
        x = net.leave(x, f"{layer}.after_attention", net.self_attention(y, layer, scores_bias))
        x = net.feedforward(x, layer)
    memory = net.final_norm(x)
    g.output("memory", memory, "float32", ["batch", "source", s.d_model])
    g.output("source_bias", source_bias, "float32", ["batch", 1, 1, "source"])
    for k in range(s.decoder_depth):
        both = net.linear(memory, f"decoder.{k}.cross.kv")
        for part, value in zip(("key", "value"), g.split("Split", 2, both, axis=-1), strict=True):
            g.output(f"cross_{part}_{k}", net.heads(value), "float32", ["batch", s.nhead, "source", net.width])
    return g.model(metadata)


def decoder_graph(
    weights: PlainWeights, precision: str, metadata: Mapping[str, str], targets: Sequence[int] | None = None
) -> onnx.ModelProto:
    """One step of the decoder, with a key/value cache.

    Args:
        weights, precision, metadata: as above.
        targets: the tokens that answers are made of: the graph holds no vectors of others, whose logits are the lowest.
    """
    net = _Network(Graph("decoder"), weights, precision, "decoder", targets)
    g, s = net.graph, weights.settings
    tokens = g.input("tokens", "int64", ["batch"])
    source_bias = g.input("source_bias", "float32", ["batch", 1, 1, "source"])
    cross, past = [], []
    for k in range(s.decoder_depth):
        shape: list[int | str] = ["batch", s.nhead, "source", net.width]
        cross.append([g.input(f"cross_{part}_{k}", "float32", shape) for part in ("key", "value")])
    for k in range(s.decoder_depth):
        shape = ["batch", s.nhead, "past", net.width]
        past.append([g.input(f"past_{part}_{k}", "float32", shape) for part in ("key", "value")])
    position = net.length(past[0][0], 2)
    x = net.embed(g.node("Unsqueeze", tokens, g.integers(1)))
    distances = None
    if weights.positions is not None:
        x = g.node("Add", x, g.node("Gather", g.constant("positions", weights.positions), position))
    else:
        distances = net.decoder_distances(position)
    state: list[tuple[str, str]] = []
    for k in range(s.decoder_depth):
        layer = f"decoder.{k}"
        y = net.enter(x, f"{layer}.after_attention")
        x = net.leave(x, f"{layer}.after_attention", net.self_attention(y, layer, distances, past[k], state))
        y = net.enter(x, f"{layer}.after_cross")
        x = net.leave(x, f"{layer}.after_cross", net.cross_attention(y, layer, cross[k], source_bias))
        x = net.feedforward(x, layer)
    logits = net.project(net.final_norm(x))
    g.output("logits", g.node("Squeeze", logits, g.integers(1)), "float32", ["batch", "vocabulary"])
    for k, pair in enumerate(state):
        for part, value in zip(("key", "value"), pair, strict=True):
            g.output(f"{part}_{k}", value, "float32", ["batch", s.nhead, "grown", net.width])
    return g.model(metadata)


class _Network:
    """The parts both graphs are made of. Weights are float32, or int8 with one scale for each output channel."""

    def __init__(
        self, graph: Graph, weights: PlainWeights, precision: str, side: str, kept: Sequence[int] | None = None
    ) -> None:
        self.graph, self.weights, self.side = graph, weights, side
        # the tokens it holds vectors of, padding first; None: all
        self.kept = None if kept is None else np.array(kept, dtype=np.int64)
        self.int8 = precision == "int8"
        self.width = weights.settings.d_model // weights.settings.nhead
        self.epsilon = weights.encoder_epsilon if side == "encoder" else weights.decoder_epsilon
        self._quantised: dict[str, list[str]] = {}

    # -- linear maps

    def linear(self, x: str, name: str) -> str:
        """`x @ weight.T + bias` with the weights called `name`."""
        tensors = self.weights.tensors
        return self._matmul(x, f"{name}.weight", tensors[f"{name}.weight"].T, tensors[f"{name}.bias"])

    def project(self, x: str) -> str:
        """Logits."""
        tensors = self.weights.tensors
        weight = tensors["embedding.weight" if self.weights.settings.tie_output else "output_weight"]
        if self.kept is None:
            return self._matmul(x, "output", weight.T, tensors["output_bias"])
        logits = self._matmul(x, "output", weight[self.kept].T, tensors["output_bias"][self.kept])
        # one column more, for all the other tokens
        g, behind = self.graph, len(self.kept)
        padded = g.node("Pad", logits, g.integers(0, 0, 0, 0, 0, 1), g.number(_MASKED))
        return g.node("Gather", padded, g.constant("columns", self._places(len(weight), behind)), axis=2)

    def _places(self, vocabulary: int, other: int) -> NDArray[np.int32]:
        """Where each token stands among those kept, [V]; `other` for those that do not."""
        assert self.kept is not None
        places = np.full(vocabulary, other, dtype=np.int32)
        places[self.kept] = np.arange(len(self.kept))
        return places

    def _matmul(self, x: str, name: str, weight: Array, bias: Array) -> str:
        g = self.graph
        if not self.int8:
            product = g.node("MatMul", x, g.constant(name, weight))
            return g.node("Add", product, g.constant(f"{name}.bias", bias))
        values, scales = quantise(weight, axis=0)
        if x not in self._quantised:
            self._quantised[x] = g.split("DynamicQuantizeLinear", 3, x)
        activations, scale, zero = self._quantised[x]
        product = g.node("MatMulInteger", activations, g.constant(name, values), zero)
        factor = g.node("Mul", scale, g.constant(f"{name}.scale", scales))
        product = g.node("Mul", g.node("Cast", product, to=onnx.TensorProto.FLOAT), factor)
        return g.node("Add", product, g.constant(f"{name}.bias", bias))

    def embed(self, tokens: str) -> str:
        """Token vectors times the square root of D."""
        g, table = self.graph, self.weights.tensors["embedding.weight"]
        if self.kept is not None:
            tokens = g.node("Gather", g.constant("rows", self._places(len(table), PAD)), tokens)
            table = table[self.kept]
        factor = math.sqrt(self.weights.settings.d_model)
        if not self.int8:
            return g.node("Mul", g.node("Gather", g.constant("embedding", table), tokens), g.number(factor))
        values, scales = quantise(table, axis=1)
        rows = g.node("Gather", g.constant("embedding", values), tokens)
        scale = g.node("Gather", g.constant("embedding.scale", scales[:, None] * np.float32(factor)), tokens)
        return g.node("Mul", g.node("Cast", rows, to=onnx.TensorProto.FLOAT), scale)

    # -- attention

    def self_attention(
        self,
        x: str,
        layer: str,
        bias: str | None,
        past: list[str] | None = None,
        state: list[tuple[str, str]] | None = None,
    ) -> str:
        """Attention of `x` to itself and to what `past` holds; the grown keys and values are appended to `state`."""
        g = self.graph
        parts = g.split("Split", 3, self.linear(x, f"{layer}.attention.qkv"), axis=-1)
        query, key, value = (self.heads(part) for part in parts)
        if past is not None and state is not None:
            key = g.node("Concat", past[0], key, axis=2)
            value = g.node("Concat", past[1], value, axis=2)
            state.append((key, value))
        return self.linear(self._attend(query, key, value, bias), f"{layer}.attention.out")

    def cross_attention(self, x: str, layer: str, memory: list[str], bias: str) -> str:
        """Attention of `x` to the encoder's output."""
        query = self.heads(self.linear(x, f"{layer}.cross.query"))
        return self.linear(self._attend(query, memory[0], memory[1], bias), f"{layer}.cross.out")

    def heads(self, x: str) -> str:
        """[B, T, D] -> [B, H, T, K]."""
        g = self.graph
        apart = g.node("Reshape", x, g.integers(0, 0, self.weights.settings.nhead, self.width))
        return g.node("Transpose", apart, perm=[0, 2, 1, 3])

    def _attend(self, query: str, key: str, value: str, bias: str | None) -> str:
        g = self.graph
        scores = g.node("MatMul", query, g.node("Transpose", key, perm=[0, 1, 3, 2]))
        scores = g.node("Mul", scores, g.number(1.0 / math.sqrt(self.width)))
        if bias is not None:
            scores = g.node("Add", scores, bias)
        found = g.node("MatMul", g.node("Softmax", scores, axis=-1), value)
        found = g.node("Transpose", found, perm=[0, 2, 1, 3])
        return g.node("Reshape", found, g.integers(0, 0, self.weights.settings.d_model))

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
        return g.node("Gather", g.constant("distances", self.weights.encoder_bias), index, axis=1)

    def decoder_distances(self, position: str) -> str:
        """Attention biases of the newest token to itself and all before it, [H, 1, P + 1]."""
        g = self.graph
        assert self.weights.decoder_bias is not None
        back = g.node("Sub", position, self._range(g.node("Add", position, g.integers(1))))
        found = g.node("Gather", g.constant("distances", self.weights.decoder_bias), back, axis=1)
        return g.node("Unsqueeze", found, g.integers(1))

    def _range(self, count: str) -> str:
        g = self.graph
        zero, one = (g.constant(f"scalar_{k}", np.array(k, dtype=np.int64)) for k in (0, 1))
        return g.node("Range", zero, g.node("Squeeze", count, g.integers(0)), one)


def quantise(weight: Array, axis: int) -> tuple[NDArray[np.int8], Array]:
    """Symmetric int8 values and the float32 scale of each channel, the largest magnitude along `axis` being 127."""
    largest = np.abs(weight).max(axis=axis, keepdims=True)
    scale = np.where(largest > 0, largest / 127.0, 1.0).astype(np.float32)
    values = np.clip(np.rint(weight / scale), -127, 127).astype(np.int8)
    return values, scale.squeeze(axis)
