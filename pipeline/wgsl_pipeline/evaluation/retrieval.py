"""The baseline every model has to beat: the code of the most similar training prompt, its slots refilled.

Similarity is the cosine between TF-IDF vectors (Salton and Buckley 1988, "Term-weighting approaches in automatic text
retrieval") over the tokens and pairs of neighbouring tokens of prompts, slots standing for names and numbers.

Legend: N training prompts, F features.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wgsl_infer.slots import Slots
from wgsl_infer.tokens import EOS, UNSUPPORTED

from ..dataset import Corpus, Rows
from ..errors import ArtefactError

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Retrieved:
    """The baseline's answer.

    Attributes:
        code: None where the nearest training prompt has no answer, or there is none like it.
        similarity: cosine, 0 to 1.
        neighbour: the training prompt.
    """

    code: str | None
    similarity: float
    neighbour: str


class Retrieval:
    """The training part of a corpus, searched by similarity.

    Raises:
        ArtefactError: the corpus has no training pairs.
    """

    def __init__(self, corpus: Corpus) -> None:
        table = corpus.table("train", ["prompt", "source", "target"])
        if not table.num_rows:
            raise ArtefactError(f"{corpus.folder}: no training pairs to retrieve from")
        self._tokenizer = corpus.tokenizer
        self._prompts, self._targets = table["prompt"], table["target"]
        self._index = TfIdf(Rows(table["source"]), len(corpus.tokenizer))

    def __call__(self, prompt: str, without: int | None = None) -> Retrieved:
        """The answer to one prompt; of equally similar prompts the first in the corpus counts.

        Args:
            without: the number of a training pair to leave out, the one that is evaluated.
        """
        encoded = self._tokenizer.encode_prompt(prompt)
        row, similarity = self._index.nearest(encoded.ids, without)
        if similarity == 0.0:
            return Retrieved(None, 0.0, "")
        neighbour = self._prompts[row].as_py()
        slots = refilled(encoded.slots, self._tokenizer.encode_prompt(neighbour).slots)
        code = self._tokenizer.decode(self._targets[row].as_py(), slots)
        return Retrieved(None if code in ("", UNSUPPORTED) else code, similarity, neighbour)


def refilled(new: Slots, old: Slots) -> Slots:
    """The slots of a new prompt; where it has fewer values than the old one, the old one's stay."""
    return Slots({family: [*known, *old.values[family][len(known) :]] for family, known in new.values.items()})


class TfIdf:
    """An inverted index over prompts as token ids.

    A feature's weight in a prompt is its count times log((1 + N) / (1 + n)) + 1, where n prompts have it; vectors have
    length 1.
    """

    def __init__(self, prompts: Rows, vocabulary: int) -> None:
        self._vocabulary = vocabulary
        count = len(prompts.lengths)
        owners = np.repeat(np.arange(count), prompts.lengths)
        rows, keys = _features(prompts.values.astype(np.int64), owners, vocabulary)
        self._keys, features = np.unique(keys, return_inverse=True)
        cells, counts = np.unique(features * count + rows, return_counts=True)  # sorted by feature, then by prompt
        features, rows = cells // count, cells % count
        frequencies = np.bincount(features, minlength=len(self._keys))
        self._idf = np.log((1 + count) / (1 + frequencies)) + 1.0  # [F]
        weights = counts * self._idf[features]
        weights /= np.sqrt(np.bincount(rows, weights**2, minlength=count))[rows]
        self._rows, self._weights, self._count = rows.astype(np.int32), weights.astype(np.float32), count
        self._starts = np.concatenate([[0], frequencies.cumsum()])  # postings of feature k: starts[k] to starts[k + 1]

    def nearest(self, ids: Sequence[int], without: int | None = None) -> tuple[int, float]:
        """The number of the most similar prompt but one, and the cosine; (0, 0.0) if none has a feature of this."""
        values = np.asarray(ids, dtype=np.int64)
        _, keys = _features(values, np.zeros(len(values), dtype=np.int64), self._vocabulary)
        keys, counts = np.unique(keys, return_counts=True)
        known = np.isin(keys, self._keys)
        features = np.searchsorted(self._keys, keys[known])
        # what no training prompt has counts as the rarest of features do, in the length alone
        rarest = np.log(1 + self._count) + 1.0
        length = np.sqrt(((counts[known] * self._idf[features]) ** 2).sum() + ((counts[~known] * rarest) ** 2).sum())
        scores = np.zeros(self._count)
        for feature, weight in zip(features, counts[known] * self._idf[features], strict=True):
            postings = slice(self._starts[feature], self._starts[feature + 1])
            scores[self._rows[postings]] += weight * self._weights[postings]  # a prompt comes once in them
        if without is not None:
            scores[without] = 0.0
        best = int(scores.argmax())
        return best, min(1.0, float(scores[best] / length)) if length else 0.0


def _features(values: Ints, owners: Ints, vocabulary: int) -> tuple[Ints, Ints]:
    """(prompt, feature) of every token and of every pair of neighbours; `<eos>` tells nothing."""
    words = values != EOS
    values, owners = values[words], owners[words]
    together = owners[:-1] == owners[1:]
    pairs = (values[:-1] + 1) * vocabulary + values[1:]
    return np.concatenate([owners, owners[:-1][together]]), np.concatenate([values, pairs[together]])
