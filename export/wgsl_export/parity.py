"""The proof that the exported graphs compute what the trained model does; without it nothing is written.

Legend: B batch, S source length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wgsl_infer.search import Hypothesis, StepModel, greedy, pad
from wgsl_infer.session import OnnxModel
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.tokens import EOS, SOS
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.errors import ParityError
from wgsl_pipeline.model import Transformer

TOLERANCE = 1e-4  # largest absolute difference of float32 outputs

_SHAPES = ((1, 2), (1, 9), (3, 5), (4, 17), (2, 40))  # (B, S) of the random prompts
_STEPS = 6
_BATCH = 32

Array = NDArray[Any]
Start = Callable[[Sequence[Sequence[int]]], StepModel]


@dataclass(frozen=True)
class Difference:
    """How far one output is from PyTorch's, at most, for one shape of input."""

    output: str
    shape: str
    largest: float


def compare_outputs(
    model: Transformer,
    encode: Callable[[Sequence[int]], Array],
    start: Start,
    sources: Sequence[int],
    targets: Sequence[int],
) -> list[Difference]:
    """Encoder output and logits of several decoder steps beside PyTorch's, over several batch sizes and lengths.

    Args:
        model: the trained model.
        encode: the ids of one prompt -> the exported encoder's `memory` of it, [S, D].
        start: prompts -> the exported decoder at its start.
        sources: the tokens that prompts are made of; no others are given to the encoder.
        targets: the tokens that answers are made of; no others are given to the decoder, nor their logits compared.

    Raises:
        ParityError: a difference is above the tolerance; the message is a table of all.
    """
    generator = np.random.default_rng(0)
    model.eval()
    words = [token for token in sources if token > EOS]
    found = []
    for batch, length in _SHAPES:
        length = min(length, model.settings.max_seq_len)
        # rows of different lengths, so that padding is there; the last one is the longest
        lengths = [max(2, length - 2 * (batch - 1 - k)) for k in range(batch)]
        prompts = [[*generator.choice(words, n - 1).tolist(), EOS] for n in lengths]
        shape = f"{batch} x {length}"
        with torch.inference_mode():
            memory, _ = model.encode(torch.from_numpy(pad(prompts)))
        apart = [np.abs(row[: len(p)] - encode(p)).max() for row, p in zip(memory.numpy(), prompts, strict=True)]
        # unlike max, maximum lets a nan through
        found.append(Difference("encoder", shape, float(np.maximum.reduce(apart))))
        ours, theirs = TorchDecoding(model, prompts), start(prompts)
        tokens = np.full(batch, SOS, dtype=np.int64)
        largest = 0.0
        for _ in range(_STEPS):
            difference = np.abs(ours.step(tokens)[:, theirs.columns] - theirs.step(tokens))
            largest = float(np.maximum(largest, difference.max()))
            tokens = generator.choice(targets, batch)
        found.append(Difference("decoder", shape, largest))
    if any(not d.largest <= TOLERANCE for d in found):
        raise ParityError(
            f"outputs differ from PyTorch's by more than {TOLERANCE:g}; nothing was written\n" + _table(found)
        )
    return found


def _table(rows: Iterable[Difference]) -> str:
    lines = [f"{'output':10} {'batch x length':>15} {'largest difference':>20}"]
    lines += [f"{row.output:10} {row.shape:>15} {row.largest:20.2e}" for row in rows]
    return "\n".join(lines)


def greedy_answers(start: Start, tokenizer: Tokenizer, prompts: Sequence[str], max_tokens: int) -> list[Hypothesis]:
    """The greedy answer to each prompt by a model that `start` puts at its beginning."""
    found: list[Hypothesis] = []
    for first in range(0, len(prompts), _BATCH):
        encoded = [tokenizer.encode_prompt(prompt) for prompt in prompts[first : first + _BATCH]]
        masks = np.stack([tokenizer.answer_mask(e.slots) for e in encoded])
        found += greedy(start([e.ids for e in encoded]), masks, max_tokens=max_tokens)
    return found


def whole_answers(model: OnnxModel, tokenizer: Tokenizer, prompts: Sequence[str], max_tokens: int) -> list[Hypothesis]:
    """The greedy answer to each prompt by the graph that holds the search."""
    found = []
    for prompt in prompts:
        encoded = tokenizer.encode_prompt(prompt)
        found.append(model.answer(encoded.ids, tokenizer.answer_mask(encoded.slots), max_tokens=max_tokens))
    return found


def require_same_tokens(
    prompts: Sequence[str], ours: Sequence[Hypothesis], theirs: Sequence[Hypothesis], who: str
) -> None:
    """See that PyTorch (`ours`) and graphs (`theirs`, called `who`) answer alike.

    Raises:
        ParityError: an answer differs; the message lists the first ones.
    """
    wrong = [prompt for prompt, a, b in zip(prompts, ours, theirs, strict=True) if a.ids != b.ids]
    if wrong:
        rows = "\n".join(f"  {prompt}" for prompt in wrong[:10])
        raise ParityError(
            f"{len(wrong)} of {len(prompts)} answers of {who} differ from PyTorch's; nothing was written\n{rows}"
        )
