"""The corpus on its way to Parquet: parsed once into a temporary file, which is then read several times.

What is kept of every pair in memory is a few bytes of hashes and places.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

SPOOL_ROWS = 20_000  # pairs in memory at a time
_SCHEMA = pa.schema(
    [("prompt", pa.string()), ("code", pa.string()), ("category", pa.string()), ("misspelt", pa.bool_())]
)


class Row(NamedTuple):
    """One pair of the spool."""

    prompt: str
    code: str
    category: str
    misspelt: bool = False  # by rule: its words are not learnt


@dataclass
class Places:
    """Hashes and places of the pairs written out one by one, in corpus order."""

    prompts: array[int] = field(default_factory=lambda: array("Q"))
    codes: array[int] = field(default_factory=lambda: array("Q"))
    files: array[int] = field(default_factory=lambda: array("I"))
    lines: array[int] = field(default_factory=lambda: array("I"))


class SpoolWriter:
    """Writes rows to a spool file."""

    def __init__(self, path: Path) -> None:
        self._writer = pq.ParquetWriter(path, _SCHEMA, compression="lz4")
        self._rows: list[Row] = []

    def __enter__(self) -> SpoolWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._flush()
        self._writer.close()

    def add(self, row: Row) -> None:
        """Append a row."""
        self._rows.append(row)
        if len(self._rows) == SPOOL_ROWS:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(pa.Table.from_pylist([row._asdict() for row in self._rows], schema=_SCHEMA))
        self._rows = []


def spooled(spool: Path) -> Iterator[Row]:
    """The rows of a spool, in order."""
    with pq.ParquetFile(spool) as file:
        for batch in file.iter_batches(SPOOL_ROWS):
            yield from map(Row._make, zip(*(column.to_pylist() for column in batch.columns), strict=True))


def text_hash(text: str) -> int:
    """64 bits that tell texts apart."""
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")
