"""Parquet shards as batches of tensors.

Legend: B batch, S source length, T target length.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from numpy.typing import NDArray
from torch import Tensor

from wgsl_infer.errors import TokenizerError
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.tokens import PAD

from .errors import ArtefactError
from .files import read_json
from .preprocess import SHARD

_HINT = "run `pipeline preprocess`"
_LENGTH_NOISE = 0.15  # how far a length may be off when batches are made: keeps their make-up different in every epoch
_POOL = 800  # batches whose pairs are sorted by length together


@dataclass(frozen=True)
class Batch:
    """Pairs padded to the batch's longest: `source` [B, S]; `given` and `wanted` [B, T], the target without its last
    and without its first token.
    """

    source: Tensor
    given: Tensor
    wanted: Tensor

    def to(self, device: torch.device) -> Batch:
        """The batch on a device; from pinned memory the copy overlaps with computing."""
        if device.type != "cuda":
            return Batch(self.source.to(device), self.given.to(device), self.wanted.to(device))
        return Batch(*(t.pin_memory().to(device, non_blocking=True) for t in (self.source, self.given, self.wanted)))


class Rows:
    """Token ids of many rows in one flat array."""

    def __init__(self, column: pa.ChunkedArray) -> None:
        flat = column.combine_chunks()
        self.values: NDArray[np.int32] = flat.flatten().to_numpy()
        self.lengths: NDArray[np.int64] = np.asarray(flat.value_lengths().to_numpy(), dtype=np.int64)
        self.starts: NDArray[np.int64] = np.concatenate([[0], self.lengths.cumsum()[:-1]]).astype(np.int64)

    def padded(self, rows: NDArray[np.int64]) -> Tensor:
        """These rows, padded to the longest of them."""
        longest = int(self.lengths[rows].max())
        out = np.full((len(rows), longest), PAD, dtype=np.int64)
        for k, row in enumerate(rows):
            start, length = self.starts[row], self.lengths[row]
            out[k, :length] = self.values[start : start + length]
        return torch.from_numpy(out)


class Pairs:
    """One part of the corpus (train, val or test), encoded."""

    def __init__(self, source: Rows, target: Rows) -> None:
        self.source, self.target = source, target

    def __len__(self) -> int:
        return len(self.source.lengths)

    def batch(self, rows: NDArray[np.int64]) -> Batch:
        """These pairs as one batch."""
        target = self.target.padded(rows)
        return Batch(self.source.padded(rows), target[:, :-1].contiguous(), target[:, 1:].contiguous())

    def order(self, size: int, seed: int, epoch: int) -> list[NDArray[np.int64]]:
        """The batches of one epoch as row numbers: pairs of like lengths together, batches in random order.

        A pool of pairs is cut by the length of the answers, and each piece by the length of the prompts: sorted by one
        of them alone, the other would be padded to twice its tokens. The same arguments give the same batches, so an
        epoch can be taken up again in its middle.
        """
        generator = np.random.default_rng([seed, epoch])
        shuffled = generator.permutation(len(self))
        target, source = (
            side.lengths * generator.uniform(1.0, 1.0 + _LENGTH_NOISE, len(self)) for side in (self.target, self.source)
        )
        batches: list[NDArray[np.int64]] = []
        for pool in _cut(shuffled, size * _POOL):
            count = math.ceil(len(pool) / size)
            for piece in _cut(pool[np.argsort(target[pool])], size * math.ceil(math.sqrt(count) / 2)):
                batches += _cut(piece[np.argsort(source[piece])], size)
        return [batches[k] for k in generator.permutation(len(batches))]

    def in_order(self, size: int) -> Iterator[Batch]:
        """All pairs, by length, for evaluation."""
        order = np.lexsort((self.source.lengths, self.target.lengths))
        for start in range(0, len(order), size):
            yield self.batch(order[start : start + size])


def _cut(rows: NDArray[np.int64], size: int) -> list[NDArray[np.int64]]:
    """Pieces of `size` rows; the last may be shorter."""
    return [rows[k : k + size] for k in range(0, len(rows), size)]


@dataclass(frozen=True)
class Corpus:
    """What `pipeline preprocess` left: the tokenizer, the figures, and the encoded parts."""

    folder: Path
    tokenizer: Tokenizer
    figures: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Corpus:
        """Open a data folder.

        Raises:
            ArtefactError: files are missing, or belong to different runs of preprocessing.
        """
        figures = read_json(folder / "corpus.json", _HINT)
        if missing := {"inputs", "parts", "shards"} - figures.keys():
            raise ArtefactError(f"{folder / 'corpus.json'}: damaged (no {sorted(missing)[0]}): {_HINT}")
        try:
            tokenizer = Tokenizer.load(folder / "tokenizer.json")
        except TokenizerError as error:
            raise ArtefactError(f"{error}: {_HINT}") from error
        if tokenizer.fingerprint != figures.get("tokenizer"):
            raise ArtefactError(f"{folder / 'tokenizer.json'}: not the tokenizer of corpus.json beside it: {_HINT}")
        return cls(folder, tokenizer, figures)

    def pairs(self, part: str) -> Pairs:
        """The encoded pairs of a part; there may be none."""
        table = self.table(part, ["source", "target"])
        return Pairs(Rows(table["source"]), Rows(table["target"]))

    def texts(self, part: str) -> list[dict[str, str]]:
        """Prompt, code and category of every pair of a part."""
        rows: list[dict[str, str]] = self.table(part, ["prompt", "code", "category"]).to_pylist()
        return rows

    def table(self, part: str, columns: list[str]) -> pa.Table:
        """Columns of all shards of a part.

        Raises:
            ArtefactError: a shard is missing, damaged or was written with another tokenizer.
        """
        tables = []
        for name in self.figures["shards"][part]:
            path = self.folder / name
            try:
                with pq.ParquetFile(path) as file:
                    metadata = file.schema_arrow.metadata or {}
                    if metadata.get(b"tokenizer", b"").decode() != self.tokenizer.fingerprint:
                        raise ArtefactError(f"{path}: encoded with another tokenizer: {_HINT}")
                    tables.append(file.read(columns=columns))
            except (OSError, pa.ArrowException) as error:
                first = str(error).splitlines()[0]
                raise ArtefactError(f"{path}: cannot be read ({first}): {_HINT}") from error
        if not tables:
            return pa.schema([SHARD.field(c) for c in columns]).empty_table()
        return pa.concat_tables(tables)
