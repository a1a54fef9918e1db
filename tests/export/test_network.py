"""The graphs compute what PyTorch computes, for every kind of network and every size of batch."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from builders import small_model, small_ranges
from wgsl_export import products
from wgsl_export.network import decoder_graph, encoder_graph
from wgsl_export.parity import TOLERANCE
from wgsl_export.products import ZERO, by_block, by_row
from wgsl_export.weights import plain_weights
from wgsl_infer.search import pad
from wgsl_infer.tokens import PAD
from wgsl_pipeline.model import Transformer

KINDS = [
    {"norm": norm, "positions": positions, "activation": activation, "tie_output": tied}
    for norm, positions, activation, tied in itertools.product(
        ("post", "pre"), ("sinusoidal", "relative"), ("relu", "gelu"), (False, True)
    )
]
SHAPES = [(1, 1, 1), (1, 2, 9), (3, 7, 4), (2, 48, 46), (5, 12, 12)]  # prompts, their longest, tokens of answers


def name(kind: dict[str, object]) -> str:
    return "-".join("tied" if value is True else "untied" if value is False else str(value) for value in kind.values())


def batch(rows: int, longest: int, length: int) -> tuple[list[list[int]], np.ndarray]:
    """Prompts of several lengths, one of them the longest, and answers."""
    generator = np.random.default_rng(rows)
    lengths = [longest, *generator.integers(1, longest + 1, rows - 1).tolist()]
    return [generator.integers(4, 40, n).tolist() for n in lengths], generator.integers(4, 40, (rows, length))


@torch.no_grad()
def expected(model: Transformer, sources: list[list[int]], given: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The encoder's output, zero behind the prompts' ends, and the logits."""
    source = torch.from_numpy(pad(sources))
    memory, _ = model.encode(source)
    return (memory * (source != PAD)[..., None]).numpy(), model(source, torch.from_numpy(given)).numpy()


@pytest.fixture(params=["narrow", "wide"])
def width(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both kinds of int8 products."""
    if request.param == "wide":
        monkeypatch.setattr(products, "WIDEST", 8)


@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_float32_graphs_compute_what_pytorch_does(graphs: Any, kind: dict[str, object]) -> None:
    model = small_model(encoder_layers=2, **kind)
    run = graphs.of(plain_weights(model))
    for shape in SHAPES:
        sources, given = batch(*shape)
        memory, logits = expected(model, sources, given)
        assert logits.std() > 0.1
        there = (pad(sources) != PAD)[..., None]
        assert np.abs(run.encode(sources)["memory"] * there - memory).max() <= TOLERANCE, shape
        assert np.abs(run.logits(sources, given) - logits).max() <= TOLERANCE, shape


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("kind", KINDS, ids=name)
def test_int8_graphs_compute_nearly_what_pytorch_does(graphs: Any, kind: dict[str, object]) -> None:
    model = small_model(encoder_layers=2, **kind)
    run = graphs.of(plain_weights(model), small_ranges(model))
    for shape in ((1, 9, 6), (3, 7, 4)):
        sources, given = batch(*shape)
        logits = expected(model, sources, given)[1]
        found = run.logits(sources, given)
        assert found.dtype == np.float32
        difference = np.abs(found - logits)
        assert difference.max() > TOLERANCE  # or it is not int8
        assert difference.mean() < 0.08 * logits.std()


def test_a_change_of_any_weight_shows_in_the_outputs(graphs: Any) -> None:
    """So parity proves that every weight has found its place."""
    for kind in (KINDS[0], KINDS[-1]):
        plain = plain_weights(small_model(**kind))
        sources, given = batch(3, 12, 12)
        run = graphs.of(plain)
        before = [run.encode(sources)["memory"], run.logits(sources, given)]
        for tensor in plain.tensors:
            kept = plain.tensors[tensor]
            plain.tensors[tensor] = kept + np.linspace(0.02, 0.04, kept.size, dtype=np.float32).reshape(kept.shape)
            if tensor not in ("encoder_bias.weight", "decoder_bias.weight"):  # they are in the tables
                run = graphs.of(plain)
                after = [run.encode(sources)["memory"], run.logits(sources, given)]
                assert max(np.abs(a - b).max() for a, b in zip(after, before, strict=True)) > TOLERANCE, tensor
            plain.tensors[tensor] = kept


def test_padding_does_not_change_a_prompts_answers(graphs: Any) -> None:
    run = graphs.of(plain_weights(small_model()))
    sources, given = batch(1, 5, 6)
    longer = [sources[0], [7] * 30]
    beside = run.logits(longer, np.repeat(given, 2, axis=0))[:1]
    np.testing.assert_allclose(beside, run.logits(sources, given), atol=1e-5)


def test_inputs_and_outputs_have_the_names_the_runtime_wants() -> None:
    weights = plain_weights(small_model(decoder_layers=2))
    cross = [f"cross_{part}_{k}" for k in range(2) for part in ("key", "value")]
    encoder, decoder = (make(weights, None, {}).graph for make in (encoder_graph, decoder_graph))
    assert [value.name for value in encoder.input] == ["source"]
    assert [value.name for value in encoder.output] == ["columns", "memory", "source_bias", *cross]
    past = [value.replace("cross", "past") for value in cross]
    assert [value.name for value in decoder.input] == ["tokens", "source_bias", *cross, *past]
    assert [value.name for value in decoder.output] == ["logits", *(value.removeprefix("past_") for value in past)]


def test_keys_and_values_of_the_prompt_are_not_computed_again() -> None:
    """The decoder holds no weight of the projections that the encoder's output goes through."""
    weights = plain_weights(small_model())
    held = {
        graph.name: {value.name for value in graph.initializer}
        for graph in (make(weights, None, {}).graph for make in (encoder_graph, decoder_graph))
    }
    assert "decoder.0.cross.kv.weight" in held["encoder"]
    assert not {value for value in held["decoder"] if "cross.kv" in value}


@pytest.mark.usefixtures("width")
@pytest.mark.parametrize("make", [encoder_graph, decoder_graph])
def test_int8_graphs_store_every_matrix_in_a_byte_a_weight(make: Any) -> None:
    model = small_model(d_model=64, dim_feedforward=128)
    graphs = {
        precision: make(plain_weights(model), ranges, {})
        for precision, ranges in (("float32", None), ("int8", small_ranges(model)))
    }
    matrices = [
        value
        for value in graphs["int8"].graph.initializer
        if (value.name.endswith(".weight") and len(value.dims) > 1) or value.name == "embedding"
    ]
    assert len(matrices) >= 5
    assert {value.data_type for value in matrices} <= {onnx.TensorProto.UINT8, onnx.TensorProto.INT8}
    assert graphs["int8"].ByteSize() < 0.5 * graphs["float32"].ByteSize()


# ---------------------------------------------------------------- quantisation


@pytest.mark.parametrize(("length", "block"), [(64, 64), (64, 16), (20, 16)])
def test_quantised_values_are_off_by_half_a_step_at_most(length: int, block: int) -> None:
    weight = np.random.default_rng(0).normal(size=(30, length)).astype(np.float32)
    values, scales = by_block(weight, block)
    blocks = -(-length // block)
    assert (values.dtype, values.shape, scales.shape) == (np.uint8, (30, blocks, block), (30, blocks))
    found = (values - np.float32(ZERO)) * scales[..., None]
    padded = np.pad(weight, ((0, 0), (0, blocks * block - length))).reshape(found.shape)
    assert (np.abs(found - padded) <= scales[..., None] * 0.5001).all()
    assert (np.abs(values - ZERO).max(axis=2) == 127).all()


def test_rows_of_bytes_are_off_by_half_a_step_at_most() -> None:
    weight = np.random.default_rng(0).normal(size=(30, 20)).astype(np.float32)
    weight[4] = 0.0
    values, scales = by_row(weight)
    assert (values.dtype, values.shape, scales.shape) == (np.int8, (30, 20), (30,))
    assert (np.abs(values * scales[:, None] - weight) <= scales[:, None] * 0.5001).all()
    assert not values[4].any() and (np.abs(np.delete(values, 4, axis=0)).max(axis=1) == 127).all()


def test_a_block_of_zeros_stays_zero() -> None:
    values, scales = by_block(np.array([[0.0, 0.0], [1.0, -2.0]], dtype=np.float32), 2)
    assert values.tolist() == [[[128, 128]], [[192, 1]]]
    assert np.isfinite(scales).all()


@pytest.mark.usefixtures("width")
def test_int8_rows_of_a_batch_do_not_change_each_other(graphs: Any) -> None:
    """Not in one bit: an answer does not depend on what else was asked in the same call."""
    model = small_model(d_model=192, nhead=6, dim_feedforward=768)
    run = graphs.of(plain_weights(model), small_ranges(model))
    generator = np.random.default_rng(4)
    sources, given = generator.integers(4, 40, (8, 11)).tolist(), generator.integers(4, 40, (8, 7))
    together = run.logits(sources, given)
    for row in range(8):
        assert np.array_equal(together[row], run.logits(sources[row : row + 1], given[row : row + 1])[0])
