"""TOML corpus to Parquet shards and a tokenizer, in bounded memory.

The pairs, and those drawn from recipes, go into a spool, which is read several times to learn the vocabulary and once
to encode.
"""

from __future__ import annotations

import hashlib
import random
from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from wgsl_infer.errors import TokenizerError
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.tokens import UNSUPPORTED

from .config import Config
from .corpus import corpus_files, read_examples
from .errors import CorpusError
from .files import replaced_folder, write_json, write_text
from .recipes.grammar import Cookbook
from .recipes.read import read_cookbook
from .recipes.sample import Sampler
from .recipes.vary import varied
from .spool import SPOOL_ROWS, Places, Row, SpoolWriter, spooled, text_hash
from .vocabulary import learn_tokenizer

PARTS = ("train", "val", "test")
_VAIN_DRAWS = 20_000  # draws in a row that gave nothing new, after which the recipes count as exhausted
DUPLICATE = len(PARTS)  # the part of a pair that stands in the corpus a second time: none

SHARD = pa.schema(
    [
        ("prompt", pa.string()),
        ("code", pa.string()),
        ("category", pa.string()),
        ("source", pa.list_(pa.int32())),
        ("target", pa.list_(pa.int32())),
    ]
)


@dataclass
class Report:
    """What preprocessing found: the figures of `corpus.json`, and lines worth telling the user."""

    figures: dict[str, Any]
    warnings: list[str]


def preprocess(config: Config, say: Callable[[str], object] = lambda line: None) -> Report:
    """Run the stage: corpus -> `data/*.parquet`, `data/tokenizer.json`, `data/corpus.json`, all or nothing.

    Raises:
        CorpusError: the corpus cannot be read, or leaves nothing to train on.
    """
    files = corpus_files(Path(config.dataset.train_path))
    book = read_cookbook(Path(config.dataset.recipes)) if config.dataset.recipes else None
    with replaced_folder(config.data_folder) as folder:
        spool = folder / ".spool.parquet"
        with SpoolWriter(spool) as writer:
            places = _spool(files, writer)
            say(f"Loaded {len(places.prompts)} examples from {config.dataset.train_path}")
            drawn = _spool_recipes(config, book, places, writer) if book else np.zeros(0, dtype=np.int8)
        parts, warnings = _assign(config, files, places)
        if book:
            say(f"Drew {len(drawn)} pairs from {len(book.recipes)} recipes with {book.count_phrases()} phrasings")
            parts = np.concatenate([parts, drawn])
        if not (parts == 0).any():
            raise CorpusError(f"{config.dataset.train_path}: no pair is left to train on")
        tokenizer = _learn(config, spool, parts)
        say(f"Vocabulary size: {len(tokenizer)}")
        write_text(folder / "tokenizer.json", tokenizer.to_text())
        figures = _encode(config, tokenizer, spool, parts, len(places.prompts), folder, warnings)
        if not figures["parts"]["train"]:
            raise CorpusError(f"{config.dataset.train_path}: no pair to train on is short enough: {warnings[-1]}")
        spool.unlink()
        figures["inputs"] = inputs_digest(config)
        write_json(folder / "corpus.json", figures)
    return Report(figures, warnings)


def inputs_digest(config: Config) -> str:
    """sha256 of all that preprocessing depends on: its settings and the bytes of the corpus."""
    digest = hashlib.sha256(config.digest("tokenizer", "dataset").encode())
    files = corpus_files(Path(config.dataset.train_path))
    for file in files + (corpus_files(Path(config.dataset.recipes)) if config.dataset.recipes else []):
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


# ---------------------------------------------------------------- reading


def _spool(files: list[Path], writer: SpoolWriter) -> Places:
    places = Places()
    for number, file in enumerate(files):
        for example in read_examples(file):
            places.prompts.append(text_hash(example.prompt))
            places.codes.append(text_hash(example.code))
            places.files.append(number)
            places.lines.append(example.line)
            writer.add(Row(example.prompt, example.code, example.category))
    return places


def _spool_recipes(config: Config, book: Cookbook, places: Places, writer: SpoolWriter) -> NDArray[np.int8]:
    """Draw pairs, each prompt once and none that the corpus holds already; returns their parts (train, or val).

    Phrasings and combinations held out are validated on and never trained on.
    """
    settings = config.dataset
    wanted = [settings.recipe_pairs, round(settings.recipe_pairs * settings.held_out)]
    known = set(places.prompts)
    parts = array("b")
    vain = 0
    for sample in Sampler(book, settings.draw_seed, settings.held_out):
        if not any(wanted) or vain > _VAIN_DRAWS:
            break
        part = int(sample.held_out)
        key = text_hash(sample.prompt)
        vain += 1
        if not wanted[part] or key in known:
            continue
        known.add(key)
        wanted[part] -= 1
        vain = 0
        parts.append(part)
        writer.add(Row(sample.prompt, sample.code, sample.category, sample.misspelt))
    return np.frombuffer(parts, dtype=np.int8) if parts else np.zeros(0, dtype=np.int8)


# ---------------------------------------------------------------- splitting


def _assign(config: Config, files: list[Path], places: Places) -> tuple[NDArray[np.int8], list[str]]:
    """The part of every pair, and a warning for each pair that repeats or contradicts an earlier one."""
    prompts = np.frombuffer(places.prompts, dtype=np.uint64)
    codes = np.frombuffer(places.codes, dtype=np.uint64)
    parts = np.zeros(len(prompts), dtype=np.int8)
    warnings = []

    def place(k: int) -> str:
        return f"{files[places.files[k]]}:{places.lines[k]}"

    known: dict[tuple[int, int], int] = {}  # the pairs whose prompts stand in the corpus again, and where
    for first, k in _repeats(prompts):
        known.setdefault((first, int(codes[first])), first)
        twin = known.setdefault((first, int(codes[k])), k)
        if twin != k:
            parts[k] = DUPLICATE
            warnings.append(f"{place(k)}: the same pair as {place(twin)}; left out")
        else:
            warnings.append(f"{place(k)}: the same prompt as {place(first)} with other code; both are kept")
    kept = np.flatnonzero(parts != DUPLICATE)
    parts[kept] = _by_hash(config, prompts[kept]) if config.dataset.split == "hash" else _in_order(config, len(kept))
    return parts, warnings


def _repeats(prompts: NDArray[np.uint64]) -> Iterator[tuple[int, int]]:
    """(first, later) for every prompt that stands in the corpus again, in order of the later ones."""
    order = np.argsort(prompts, kind="stable")
    again = np.flatnonzero(prompts[order][1:] == prompts[order][:-1]) + 1
    first: dict[int, int] = {}
    pairs = []
    for k in again:
        first.setdefault(int(prompts[order[k]]), int(order[k - 1]))
        pairs.append((first[int(prompts[order[k]])], int(order[k])))
    yield from sorted(pairs, key=lambda pair: pair[1])


def _in_order(config: Config, count: int) -> NDArray[np.int8]:
    # rounded, so that 0.1 of 90 is 9 and not 8
    train = int(round(count * config.dataset.train_ratio, 6))
    val = int(round(count * config.dataset.val_ratio, 6))
    return np.repeat(np.arange(3, dtype=np.int8), [train, val, count - train - val])


def _by_hash(config: Config, prompts: NDArray[np.uint64]) -> NDArray[np.int8]:
    share = prompts / 2.0**64
    edges = [config.dataset.train_ratio, config.dataset.train_ratio + config.dataset.val_ratio]
    return np.searchsorted(edges, share, side="right").astype(np.int8)


# ---------------------------------------------------------------- learning and encoding


def _learn(config: Config, spool: Path, parts: NDArray[np.int8]) -> Tokenizer:
    def training_pairs() -> Iterator[tuple[str, str]]:
        rows = zip(spooled(spool), parts, strict=True)
        return ((row.prompt, row.code) for row, part in rows if part == 0 and not row.misspelt)

    try:
        return learn_tokenizer(training_pairs, config.tokenizer)
    except TokenizerError as error:
        raise CorpusError(f"{config.dataset.train_path}: {error}") from error


class _ShardWriter:
    """Writes the pairs of one part, a new file after every `rows_per_shard` of them."""

    def __init__(self, folder: Path, part: str, rows_per_shard: int, metadata: dict[str, str]) -> None:
        self._folder, self._part, self._rows_per_shard = folder, part, rows_per_shard
        self._schema = SHARD.with_metadata(metadata)
        self._rows: list[dict[str, Any]] = []
        self._writer: pq.ParquetWriter | None = None
        self._in_shard = 0
        self.shards: list[str] = []
        self.count = 0

    def add(self, row: dict[str, Any]) -> None:
        self._rows.append(row)
        self.count += 1
        self._in_shard += 1
        if self._in_shard == self._rows_per_shard:
            self.close()
        elif len(self._rows) == SPOOL_ROWS:
            self._flush()

    def _flush(self) -> None:
        if self._writer is None:
            name = f"{self._part}-{len(self.shards):05d}.parquet"
            self.shards.append(name)
            self._writer = pq.ParquetWriter(self._folder / name, self._schema, compression="zstd")
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=self._schema))
        self._rows = []

    def close(self) -> None:
        if self._rows:
            self._flush()
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        self._in_shard = 0


def _copied(config: Config, spool: Path, parts: NDArray[np.int8], pairs: int) -> Iterator[tuple[Row, int]]:
    """Every row that is no duplicate with its part; of the `pairs` first, the training pairs also as varied copies."""
    draw = random.Random(config.dataset.draw_seed)
    for number, (row, part) in enumerate(zip(spooled(spool), parts, strict=True)):
        if part == DUPLICATE:
            continue
        yield row, int(part)
        if part == 0 and number < pairs:
            outside = row.code == UNSUPPORTED
            for _ in range((config.dataset.outside_copies if outside else config.dataset.copies) - 1):
                prompt, code = varied(draw, row.prompt, row.code)
                yield row._replace(prompt=prompt, code=code), 0


def _encode(
    config: Config,
    tokenizer: Tokenizer,
    spool: Path,
    parts: NDArray[np.int8],
    pairs: int,
    folder: Path,
    warnings: list[str],
) -> dict[str, Any]:
    """Write the shards and return the figures of the corpus."""
    metadata = {"tokenizer": tokenizer.fingerprint, "settings": config.digest("tokenizer", "dataset")}
    writers = [_ShardWriter(folder, part, config.dataset.rows_per_shard, metadata) for part in PARTS]
    lengths = Counter[str]()
    categories = Counter[str]()
    too_long = 0
    for row, part in _copied(config, spool, parts, pairs):
        encoded = tokenizer.encode_prompt(row.prompt)
        target = tokenizer.encode_answer(row.code, encoded.slots)
        if max(len(encoded.ids), len(target)) > tokenizer.max_length:
            too_long += 1
            continue
        writers[part].add({**row._asdict(), "source": encoded.ids, "target": target})
        categories[row.category or "(none)"] += 1
        # the specials at the ends are not counted
        lengths["prompt"] += len(encoded.ids) - 1
        lengths["code"] += len(target) - 2
    for writer in writers:
        writer.close()
    if too_long:
        warnings.append(f"{too_long} pairs have more than {tokenizer.max_length} tokens and are left out")
    total = sum(writer.count for writer in writers)
    return {
        "examples": total,
        "parts": {part: writer.count for part, writer in zip(PARTS, writers, strict=True)},
        "shards": {part: writer.shards for part, writer in zip(PARTS, writers, strict=True)},
        "duplicates": int((parts == DUPLICATE).sum()),
        "too_long": too_long,
        "categories": dict(categories),
        "prompt_tokens": round(lengths["prompt"] / max(total, 1), 2),
        "code_tokens": round(lengths["code"] / max(total, 1), 2),
        "vocabulary": len(tokenizer),
        "learned_tokens": len(tokenizer.uses),
        "tokenizer": tokenizer.fingerprint,
    }
