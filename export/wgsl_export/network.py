"""The network as ONNX graphs: an encoder that runs once for a prompt, a decoder that runs once for a token, and both
with the greedy search between them in one.

Legend: B batch, S source length, P tokens decoded so far, D model width, H heads, K = D / H, V vocabulary, A tokens of
answers, T tokens of the answer and its end.

    encoder: source [B, S], padded -> memory [B, S, D], cross_key_i [B, H, K, S], cross_value_i [B, H, S, K],
             source_bias [B, 1, 1, S], far below 0 where a prompt is padded, and columns [A], the tokens with logits
    decoder: tokens [B], source_bias [B, 1, 1, S], cross_* of B prompts, past_key_i and past_value_i [B, H, P, K]
             -> logits [B, A], key_i and value_i [B, H, P + 1, K]
    answer:  source [1, S], allowed [V], limit -> tokens [T], log-probabilities of the best two in each place, scores
             [T, 2], and of <unsupported>, refusals [T]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from wgsl_infer.tokens import EOS, REFUSAL, SOS

from .activations import Range
from .layers import Network
from .onnx_format import Graph
from .weights import PlainWeights

_PARTS = ("key", "value")


def encoder_graph(
    weights: PlainWeights,
    ranges: Mapping[str, Range] | None,
    metadata: Mapping[str, str],
    targets: Sequence[int] | None = None,
) -> onnx.ModelProto:
    """The encoder, with the keys and values that all decoder layers attend to.

    Args:
        weights: of the trained model.
        ranges: of what each map reads, by its name, for int8; None: float32.
        metadata: what the file is to say about itself.
        targets: the tokens that answers are made of: all graphs hold the same table of vectors, theirs first.
    """
    net = Network(Graph("encoder"), weights, ranges, "encoder", targets)
    g, s = net.graph, weights.settings
    source = g.input("source", "int64", ["batch", "source"])
    source_bias = net.padding_bias(source)
    memory, cross = net.encode(source, source_bias)
    g.output("columns", g.constant("targets", net.targets), "int64", ["targets"])
    g.output("memory", memory, "float32", ["batch", "source", s.d_model])
    g.output("source_bias", source_bias, "float32", ["batch", 1, 1, "source"])
    for k, pair in enumerate(cross):
        for part, value in zip(_PARTS, pair, strict=True):
            shape: list[int | str] = [net.width, "source"] if part == "key" else ["source", net.width]
            g.output(f"cross_{part}_{k}", value, "float32", ["batch", s.nhead, *shape])
    return g.model(metadata)


def decoder_graph(
    weights: PlainWeights,
    ranges: Mapping[str, Range] | None,
    metadata: Mapping[str, str],
    targets: Sequence[int] | None = None,
) -> onnx.ModelProto:
    """One step of the decoder, with a key/value cache.

    Args:
        weights, ranges, metadata: as above.
        targets: as above.
    """
    net = Network(Graph("decoder"), weights, ranges, "decoder", targets)
    g, s = net.graph, weights.settings
    tokens = g.input("tokens", "int64", ["batch"])
    source_bias = g.input("source_bias", "float32", ["batch", 1, 1, "source"])

    def state(name: str, *shape: int | str) -> str:
        return g.input(name, "float32", ["batch", s.nhead, *shape])

    layers = range(s.decoder_depth)
    cross = [
        [state(f"cross_key_{k}", net.width, "source"), state(f"cross_value_{k}", "source", net.width)] for k in layers
    ]
    past = [[state(f"past_{part}_{k}", "past", net.width) for part in _PARTS] for k in layers]
    rows = g.node("Unsqueeze", net.rows(tokens), g.integers(1))
    found, grown = net.decode(rows, net.length(past[0][0], 2), source_bias, cross, past)
    g.output("logits", net.project(found, net.output_bias()), "float32", ["batch", "targets"])
    _state_outputs(g, grown, shape=["batch", s.nhead, "grown", net.width])
    return g.model(metadata)


def answer_graph(
    weights: PlainWeights,
    ranges: Mapping[str, Range] | None,
    metadata: Mapping[str, str],
    targets: Sequence[int] | None = None,
) -> onnx.ModelProto:
    """Encoder, decoder and the greedy search in one: a prompt in, its answer out.

    Args:
        weights, ranges, metadata, targets: as above.
    """
    g, s = Graph("answer"), weights.settings
    source = g.input("source", "int64", [1, "source"])
    mask = g.input("allowed", "bool", ["vocabulary"])
    limit = g.input("limit", "int64", [])
    encoder = Network(g, weights, ranges, "encoder", targets)
    _, cross = encoder.encode(source)
    columns = g.constant("targets", encoder.targets)
    allowed = encoder.output_bias(g.node("Gather", mask, columns))

    body = Graph("step", g)
    turn = body.input("turn", "int64", [])
    body.input("going", "bool", [])
    last = body.input("last", "int64", [1, 1])  # its row among the embeddings, which is its place among the logits
    shape: list[int | str] = [1, s.nhead, "past", encoder.width]
    past = [[body.input(f"past_{part}_{k}", "float32", shape) for part in _PARTS] for k in range(s.decoder_depth)]
    decoder = Network(body, weights, ranges, "decoder", targets)
    position = body.node("Unsqueeze", turn, body.integers(0))
    found, state = decoder.decode(last, position, None, cross, past)
    scores = body.node("LogSoftmax", decoder.project(found, allowed), axis=1)
    best, places = body.split("TopK", 2, scores, body.integers(2), axis=1)
    pick = body.node("Gather", places, body.integers(0), axis=1)
    over = body.node("Equal", pick, body.integers(encoder.row_of(EOS)))
    body.output("go_on", body.node("Not", body.node("Squeeze", over)), "bool", [])
    body.output("next", pick, "int64", [1, 1])
    _state_outputs(body, state, shape=[1, s.nhead, "grown", decoder.width])
    body.output("said", pick, "int64", [1, 1])
    body.output("best", best, "float32", [1, 2])
    refusal = body.integers(encoder.row_of(REFUSAL))
    body.output("refused", body.node("Gather", scores, refusal, axis=1), "float32", [1, 1])

    none = g.constant("none", np.zeros((1, s.nhead, 0, encoder.width), dtype=np.float32))
    start = g.constant("start", np.array([[encoder.row_of(SOS)]], dtype=np.int64))
    *_, picks, scores, refusals = g.loop(limit, body, [start, *[none] * (2 * s.decoder_depth)], scanned=3)
    tokens = g.node("Gather", columns, g.node("Squeeze", picks, g.integers(1, 2)))
    g.output("tokens", tokens, "int64", ["length"])
    g.output("scores", g.node("Squeeze", scores, g.integers(1)), "float32", ["length", 2])
    g.output("refusals", g.node("Squeeze", refusals, g.integers(1, 2)), "float32", ["length"])
    return g.model(metadata)


def _state_outputs(graph: Graph, state: list[list[str]], shape: list[int | str]) -> None:
    for k, pair in enumerate(state):
        for part, value in zip(_PARTS, pair, strict=True):
            graph.output(f"{part}_{k}", value, "float32", shape)
