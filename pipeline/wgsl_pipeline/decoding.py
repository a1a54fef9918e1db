"""The PyTorch model behind the face that the runtime's search wants, so that both are searched by the same code."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from wgsl_infer.search import pad

from .model import KeysValues, Transformer


class TorchDecoding:
    """One batch in the middle of decoding (a `wgsl_infer.search.StepModel`)."""

    def __init__(self, model: Transformer, sources: Sequence[Sequence[int]]) -> None:
        device = model.embedding.weight.device
        self.columns = np.arange(len(model.embedding.weight))
        self._model, self._device = model, device
        with torch.inference_mode():
            memory, self._mask = model.encode(torch.from_numpy(pad(sources)).to(device))
            self._memory: list[KeysValues] = model.keys_values(memory)
        settings = model.settings
        shape = (len(sources), settings.nhead, 0, settings.d_model // settings.nhead)
        self._past: list[KeysValues] = [(torch.zeros(shape, device=device),) * 2 for _ in model.decoder]

    @torch.inference_mode()
    def step(self, tokens: NDArray[np.int64]) -> NDArray[np.float32]:
        """Append one token to every row ([B]) and return the logits of the next, [B, V]."""
        given = torch.from_numpy(np.ascontiguousarray(tokens)).to(self._device)
        logits, self._past = self._model.step(given, self._memory, self._mask, self._past)
        found: NDArray[np.float32] = logits.float().cpu().numpy()
        return found

    @torch.inference_mode()
    def select(self, rows: NDArray[np.int64]) -> None:
        """Go on with these rows, in this order."""
        index = torch.from_numpy(rows).to(self._device)
        self._mask = self._mask[index]
        self._memory = [(key[index], value[index]) for key, value in self._memory]
        self._past = [(key[index], value[index]) for key, value in self._past]
