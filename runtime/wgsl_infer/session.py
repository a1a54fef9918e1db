"""The ONNX graphs of a bundle: a whole answer in one call, or, for a search, token by token with a key/value cache.

Legend: B rows, S source length, P tokens already decoded, H heads, K width of a head, V vocabulary, A tokens that
answers are made of.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import onnxruntime

from .bundle import MANIFEST, Bundle
from .errors import BundleError, UsageError
from .search import Hypothesis, length_penalty, pad
from .tokens import EOS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from .search import Floats, Mask

# Parameters from which on a second thread, and optimising a graph, bring more than they cost: measured on models of
# 4.8 M, 7.5 M and 44 M.
_LARGE = 20_000_000
_TOGETHER = 8  # prompts of like lengths that are encoded in one call: in one of 32 half of the work would be padding
_PADDING = -1e9  # added to the scores of padding: far below any score, far above float32's limit
# onnxruntime 1.32 takes 13 times as long over a row with it than over sum and norm apart
_SLOWER = ["SkipLayerNormFusion"]


class OnnxModel:
    """The sessions of one bundle in one precision. Those for single steps are opened when they are first wanted.

    Args:
        bundle: an opened bundle.
        precision: one of `bundle.precisions`.
        threads: of each session; None chooses by the size of the model.
        providers: onnxruntime execution providers, best first.

    Raises:
        BundleError: a graph is damaged, does not load, or was made with another tokenizer.
        UsageError: the precision or a provider is not there.
    """

    def __init__(
        self, bundle: Bundle, precision: str, *, threads: int | None = None, providers: Sequence[str] = ()
    ) -> None:
        if precision not in bundle.precisions:
            raise UsageError(f"{bundle.folder} has no {precision} graphs, only {', '.join(bundle.precisions)}")
        unknown = set(providers) - set(onnxruntime.get_available_providers())
        if unknown:
            raise UsageError(f"no execution provider {', '.join(sorted(unknown))} here; see --list-providers")
        model = bundle.manifest["model"]
        self.layers: int = model["decoder_layers"]
        heads, width = model["nhead"], model["d_model"] // model["nhead"]
        self._empty = (heads, 0, width)
        self._bundle, self._providers = bundle, providers
        self._files = bundle.manifest["graphs"][precision]
        self._threads = threads or default_threads(model["parameters"])
        bundle.file(self._files["weights"])  # onnxruntime reads it by itself
        self.state_names = [f"past_{part}_{k}" for k in range(self.layers) for part in ("key", "value")]
        # its graph is written as it is to be run: optimising a small one takes longer than many answers then save
        self._answer = self._open("answer", optimise=model["parameters"] >= _LARGE)

    @cached_property
    def encoder(self) -> onnxruntime.InferenceSession:
        """Runs once for a batch of prompts."""
        return self._open("encoder")

    @cached_property
    def decoder(self) -> onnxruntime.InferenceSession:
        """Runs once for a token of each answer."""
        session = self._open("decoder")
        heads, _, width = self._empty
        state = {i.name: (i.shape[1], i.shape[3]) for i in session.get_inputs() if i.name.startswith("past_")}
        if state != dict.fromkeys(self.state_names, (heads, width)):
            path = self._bundle.folder / self._files["decoder"]
            raise BundleError(f"{path}: not the network that {MANIFEST} describes")
        return session

    @cached_property
    def encoder_outputs(self) -> list[str]:
        """The outputs of the encoder that the decoder reads, and the columns of its logits."""
        return [output.name for output in self.encoder.get_outputs() if output.name != "memory"]

    @cached_property
    def decoder_outputs(self) -> list[str]:
        """The outputs of the decoder: logits, and the state in the order in which it goes in again."""
        return [output.name for output in self.decoder.get_outputs()]

    def answer(self, source: Sequence[int], mask: Mask, *, max_tokens: int, alpha: float = 1.0) -> Hypothesis:
        """The greedy answer to one prompt, all in one call.

        Args:
            source: token ids with `<eos>`.
            mask: the tokens the answer may hold, [V].
            max_tokens: most tokens of the answer, without `<sos>` and `<eos>`.
            alpha: exponent of the length penalty, for the score alone.
        """
        feeds = {"source": np.array([source], dtype=np.int64), "allowed": mask, "limit": np.array(max_tokens + 1)}
        tokens, scores, refusals = self._answer.run(["tokens", "scores", "refusals"], feeds)
        complete = bool(tokens[-1] == EOS)
        # behind the last token that fits, only the end counts
        total = float(scores[: None if complete else max_tokens, 0].sum(dtype=np.float64))
        ids = tuple(tokens[: -1 if complete else max_tokens].tolist())
        penalty = length_penalty(len(ids) + int(complete), alpha)
        margin = float((scores[:, 0] - scores[:, 1]).min())
        return Hypothesis(ids, total, total / penalty, complete, margin, float(refusals[0]))

    def start(self, sources: Sequence[Sequence[int]]) -> Decoding:
        """Encode prompts (token ids with `<eos>`) and stand before the first token of their answers."""
        by_length = sorted(range(len(sources)), key=lambda row: len(sources[row]))
        groups = [by_length[start : start + _TOGETHER] for start in range(0, len(sources), _TOGETHER)]
        encoded = [self._encode([sources[row] for row in group]) for group in groups]
        columns = encoded[0].pop("columns")
        prompt = {
            name: _spread([found[name] for found in encoded], groups, name == "source_bias") for name in encoded[0]
        }
        empty = np.zeros((len(sources), *self._empty), dtype=np.float32)
        return Decoding(self, columns, prompt, dict.fromkeys(self.state_names, empty))

    def _encode(self, sources: Sequence[Sequence[int]]) -> dict[str, NDArray[Any]]:
        """What the decoder reads of prompts, and the columns of its logits."""
        found = self.encoder.run(self.encoder_outputs, {"source": pad(sources)})
        return dict(zip(self.encoder_outputs, found, strict=True))

    def _open(self, part: str, *, optimise: bool = True) -> onnxruntime.InferenceSession:
        path = self._bundle.file(self._files[part])
        try:
            session = onnxruntime.InferenceSession(
                str(path),
                _options(self._threads, optimise=optimise),
                providers=list(self._providers) or ["CPUExecutionProvider"],
                disabled_optimizers=_SLOWER,
            )
        except Exception as error:  # onnxruntime's exceptions have no common base but Exception
            first = str(error).strip().splitlines()[0]
            raise BundleError(f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: {first}") from error
        if session.get_modelmeta().custom_metadata_map.get("tokenizer") != self._bundle.fingerprint:
            raise BundleError(f"{path}: made with another tokenizer than {self._bundle.folder / 'tokenizer.json'}")
        return session


class Decoding:
    """One batch in the middle of decoding (a `search.StepModel`)."""

    def __init__(
        self, model: OnnxModel, columns: NDArray[np.int64], prompt: dict[str, Floats], state: dict[str, Floats]
    ) -> None:
        self.columns = columns
        self._model, self._prompt, self._state = model, prompt, state
        self._count = len(prompt["source_bias"])
        self._alike = self._count == 1  # whether all rows are of one prompt

    def step(self, tokens: NDArray[np.int64]) -> Floats:
        """Append one token to every row ([B]) and return the logits of the next, [B, A]."""
        model = self._model
        logits, *state = model.decoder.run(model.decoder_outputs, {"tokens": tokens, **self._prompt, **self._state})
        self._state = dict(zip(model.state_names, state, strict=True))
        found: Floats = logits
        return found

    def select(self, rows: NDArray[np.int64]) -> None:
        """Go on with these rows, in this order."""
        self._state = {name: value[rows] for name, value in self._state.items()}
        if not self._alike or len(rows) != self._count:
            self._prompt = {name: value[rows] for name, value in self._prompt.items()}
        self._count = len(rows)


def _spread(values: Sequence[Floats], groups: Sequence[Sequence[int]], bias: bool) -> Floats:
    """What was computed for groups of prompts, in the order of the prompts, padded to the longest.

    Padding of the bias masks what is padded, any other is 0.
    """
    if groups == [sorted(groups[0])]:
        return values[0]
    shape = np.max([value.shape for value in values], axis=0)
    found = np.full((sum(map(len, groups)), *shape[1:]), _PADDING if bias else 0.0, dtype=np.float32)
    for value, rows in zip(values, groups, strict=True):
        place = tuple(slice(size) for size in value.shape[1:])
        for row, one in zip(rows, value, strict=True):
            found[row][place] = one
    return found


def default_threads(parameters: int) -> int:
    """Threads for a model of this size: one if it is small, else two, never more than there are cores."""
    return min(2, os.cpu_count() or 1) if parameters >= _LARGE else 1


def _options(threads: int, *, optimise: bool) -> onnxruntime.SessionOptions:
    level = onnxruntime.GraphOptimizationLevel
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level.ORT_ENABLE_ALL if optimise else level.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # The two sessions run in turn; a pool that keeps spinning takes the core from the other one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options
