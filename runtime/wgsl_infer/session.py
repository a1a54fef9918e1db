"""The ONNX graphs of a bundle behind the face that search wants: encode once, then step by step with a key/value cache.

Legend: B rows, S source length, P tokens already decoded, H heads, K width of a head, V vocabulary.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .bundle import MANIFEST, Bundle
from .errors import BundleError, UsageError
from .search import Floats, pad

# Below this many parameters a second thread costs more than it brings: measured on 7.5 M and 44 M models.
_PARAMETERS_FOR_TWO_THREADS = 20_000_000


class OnnxModel:
    """Encoder and decoder sessions of one bundle in one precision.

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
        options = _options(threads or default_threads(model["parameters"]))
        files = bundle.manifest["graphs"][precision]
        self.encoder = _open(bundle, files["encoder"], options, providers)
        self.decoder = _open(bundle, files["decoder"], options, providers)
        self._encoded_names = [output.name for output in self.encoder.get_outputs() if output.name != "memory"]
        self._state_names = [f"past_{part}_{k}" for k in range(self.layers) for part in ("key", "value")]
        self._decoder_outputs = [output.name for output in self.decoder.get_outputs()]
        state = {i.name: (i.shape[1], i.shape[3]) for i in self.decoder.get_inputs() if i.name.startswith("past_")}
        if state != dict.fromkeys(self._state_names, (heads, width)):
            raise BundleError(f"{bundle.folder / files['decoder']}: not the network that {MANIFEST} describes")

    def start(self, sources: Sequence[Sequence[int]]) -> Decoding:
        """Encode prompts (token ids with `<eos>`) and stand before the first token of their answers."""
        encoded = self.encoder.run(self._encoded_names, {"source": pad(sources)})
        feeds = dict(zip(self._encoded_names, encoded, strict=True))
        empty = np.zeros((len(sources), *self._empty), dtype=np.float32)
        feeds |= dict.fromkeys(self._state_names, empty)
        return Decoding(self, feeds)


class Decoding:
    """One batch in the middle of decoding (a `search.StepModel`)."""

    def __init__(self, model: OnnxModel, feeds: dict[str, NDArray[Any]]) -> None:
        self._model = model
        self._feeds = feeds

    def step(self, tokens: NDArray[np.int64]) -> Floats:
        """Append one token to every row ([B]) and return the logits of the next, [B, V]."""
        model = self._model
        logits, *state = model.decoder.run(model._decoder_outputs, {"tokens": tokens, **self._feeds})
        self._feeds.update(zip(model._state_names, state, strict=True))
        return np.asarray(logits, dtype=np.float32)

    def select(self, rows: NDArray[np.int64]) -> None:
        """Go on with these rows, in this order."""
        self._feeds = {name: value[rows] for name, value in self._feeds.items()}


def default_threads(parameters: int) -> int:
    """Threads for a model of this size: one if it is small, else two, never more than there are cores."""
    return min(2, os.cpu_count() or 1) if parameters >= _PARAMETERS_FOR_TWO_THREADS else 1


def _options(threads: int) -> onnxruntime.SessionOptions:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 4
    # The two sessions run in turn; a pool that keeps spinning takes the core from the other one.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return options


def _open(
    bundle: Bundle, name: str, options: onnxruntime.SessionOptions, providers: Sequence[str]
) -> onnxruntime.InferenceSession:
    path: Path = bundle.file(name)
    try:
        session = onnxruntime.InferenceSession(
            str(path), options, providers=list(providers) or ["CPUExecutionProvider"]
        )
    except Exception as error:  # onnxruntime's exceptions have no common base but Exception
        first = str(error).strip().splitlines()[0]
        raise BundleError(f"{path}: onnxruntime {onnxruntime.__version__} cannot load it: {first}") from error
    if session.get_modelmeta().custom_metadata_map.get("tokenizer") != bundle.fingerprint:
        raise BundleError(f"{path}: made with another tokenizer than {bundle.folder / 'tokenizer.json'}")
    return session
