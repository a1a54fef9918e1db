"""An export that does not compute what the model does fails with a table, and writes nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import pytest
import torch

from builders import small_model, tree
from wgsl_export import bundle as bundle_module
from wgsl_export import export_bundle
from wgsl_export.parity import TOLERANCE, Difference, compare_outputs, greedy_answers, require_same_tokens
from wgsl_export.weights import PlainWeights
from wgsl_infer.search import Hypothesis
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.errors import ParityError
from wgsl_pipeline.model import Transformer


def encoder_of(model: Transformer, seen: list[int] | None = None) -> Callable[[Sequence[int]], Any]:
    @torch.no_grad()
    def encode(source: Sequence[int]) -> Any:
        if seen is not None:
            seen.append(len(source))
        return model.encode(torch.tensor([source]))[0][0].numpy()

    return encode


def compare(model: Transformer, other: Transformer) -> list[Difference]:
    return compare_outputs(
        model, encoder_of(other), lambda sources: TorchDecoding(other, sources), range(40), range(40)
    )


# ---------------------------------------------------------------- comparing outputs


def test_a_model_equals_itself_on_several_batch_sizes_and_lengths() -> None:
    model = small_model()
    seen: list[int] = []
    found = compare_outputs(
        model, encoder_of(model, seen), lambda sources: TorchDecoding(model, sources), range(40), range(40)
    )
    assert max(difference.largest for difference in found) < 1e-5  # sums of a batch are added in another order
    assert {difference.output for difference in found} == {"encoder", "decoder"}
    shapes = [d.shape for d in found if d.output == "encoder"]
    assert shapes == [d.shape for d in found if d.output == "decoder"]
    batches, lengths = zip(*(map(int, shape.split(" x ")) for shape in shapes), strict=True)
    assert min(len(set(batches)), len(set(lengths))) >= 4
    assert len(seen) == sum(batches) and max(seen) == max(lengths)


def test_a_model_of_few_positions_is_compared_as_far_as_it_reaches() -> None:
    model = small_model(max_seq_len=8)
    assert len(compare(model, model)) >= 6


@pytest.mark.parametrize(
    ("parameter", "outputs"),
    [
        ("encoder.0.feedforward.up.bias", {"encoder", "decoder"}),
        ("decoder.0.cross.kv.weight", {"decoder"}),
        ("decoder.0.attention.qkv.weight", {"decoder"}),
        ("output_bias", {"decoder"}),
        ("embedding.weight", {"encoder", "decoder"}),
    ],
)
def test_a_perturbed_weight_is_found_and_the_message_is_a_table(parameter: str, outputs: set[str]) -> None:
    model, other = small_model(), small_model()
    with torch.no_grad():
        dict(other.named_parameters())[parameter][7] += 0.05
    with pytest.raises(ParityError) as caught:
        compare(model, other)
    first, head, *rows = str(caught.value).splitlines()
    assert first == "outputs differ from PyTorch's by more than 0.0001; nothing was written"
    assert head.split() == ["output", "batch", "x", "length", "largest", "difference"]
    found = [re.fullmatch(r"(encoder|decoder) +(\d+ x \d+) +(\d\.\d\de[+-]\d\d)", row) for row in rows]
    assert len(rows) == 10
    assert {row[1] for row in found if row and float(row[3]) > TOLERANCE} == outputs
    assert all(found)


def test_an_output_that_is_no_number_is_a_difference() -> None:
    model, other = small_model(), small_model()
    with torch.no_grad():
        other.output_bias[3] = torch.nan
    with pytest.raises(ParityError, match=r"decoder .* nan"):
        compare(model, other)


def test_a_small_difference_passes_and_is_reported() -> None:
    model, other = small_model(), small_model()
    with torch.no_grad():
        other.output_bias[3] += 5e-5
    found = compare(model, other)
    assert max(d.largest for d in found if d.output == "decoder") == pytest.approx(5e-5, rel=0.1)


# ---------------------------------------------------------------- comparing answers


def hypothesis(*ids: int) -> Hypothesis:
    return Hypothesis(ids, -1.0, -1.0, True)


def test_equal_answers_pass_whatever_their_scores() -> None:
    require_same_tokens(["a"], [hypothesis(4, 5)], [Hypothesis((4, 5), -9.0, -9.0, False)], "graphs")


def test_other_answers_are_named_by_their_prompts() -> None:
    prompts = [f"prompt {k}" for k in range(30)]
    ours = [hypothesis(k) for k in range(30)]
    theirs = [hypothesis(k, k) if k >= 12 else hypothesis(k) for k in range(30)]
    with pytest.raises(ParityError) as caught:
        require_same_tokens(prompts, ours, theirs, "those graphs")
    first, *rows = str(caught.value).splitlines()
    assert first == "18 of 30 answers of those graphs differ from PyTorch's; nothing was written"
    assert rows == [f"  prompt {k}" for k in range(12, 22)]


def test_every_prompt_gets_its_answer_in_order_whatever_the_batch(
    trained: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = Corpus.open(trained.data_folder)
    model = small_model(len(corpus.tokenizer), max_seq_len=64)
    prompts = [row["prompt"] for row in corpus.texts("train")]

    def start(sources: Sequence[Sequence[int]]) -> TorchDecoding:
        return TorchDecoding(model, sources)

    together = greedy_answers(start, corpus.tokenizer, prompts, 9)
    assert len({answer.ids for answer in together}) > 1
    monkeypatch.setattr("wgsl_export.parity._BATCH", 3)
    assert [answer.ids for answer in greedy_answers(start, corpus.tokenizer, prompts, 9)] == [a.ids for a in together]
    alone = [greedy_answers(start, corpus.tokenizer, [prompt], 9)[0].ids for prompt in prompts]
    assert alone == [answer.ids for answer in together]


# ---------------------------------------------------------------- the export itself


def perturb(monkeypatch: pytest.MonkeyPatch, change: Callable[[PlainWeights], None]) -> None:
    """Let the exporter write other weights than those it was given."""
    really = bundle_module.plain_weights

    def perturbed(model: Transformer) -> PlainWeights:
        found = really(model)
        change(found)
        return found

    monkeypatch.setattr(bundle_module, "plain_weights", perturbed)


def scale(weights: PlainWeights) -> None:
    weights.tensors["decoder.0.feedforward.down.weight"] *= 1.01


@pytest.mark.parametrize("there", [False, True])
def test_an_export_of_a_perturbed_weight_fails_with_a_table_and_writes_nothing(
    config: Config, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if there:
        export_bundle(config)
    before = tree(config.folder)
    perturb(monkeypatch, scale)
    with pytest.raises(ParityError, match=r"(?s)nothing was written\noutput .*decoder +4 x 17 +\d\.\d\de-0\d"):
        export_bundle(config, force=there)
    assert tree(config.folder) == before
    assert config.bundle_folder.exists() == there
    assert sorted(path.name for path in config.folder.iterdir()) == ["bundle"] * there + ["checkpoints", "data"]


def test_an_export_with_other_greedy_tokens_fails_and_writes_nothing(
    config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = tree(config.folder)
    corpus = Corpus.open(config.data_folder)
    often = corpus.tokenizer.ids["("]

    def prefer(weights: PlainWeights) -> None:
        weights.tensors["output_bias"][often] += 20.0

    perturb(monkeypatch, prefer)
    # as if outputs had been near enough
    monkeypatch.setattr(bundle_module, "compare_outputs", lambda *_: [Difference("encoder", "1 x 2", 0.0)])
    with pytest.raises(
        ParityError,
        match=r"answers of the float32 step graphs differ from PyTorch's; nothing was written\n  normalize velocity",
    ):
        export_bundle(config)
    assert tree(config.folder) == before
