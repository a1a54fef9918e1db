"""Batches hold every pair once, padded no further than they must be, in an order that a resumed run finds again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from builders import PAIRS, Pair, small_config, write_corpus
from wgsl_infer.tokens import EOS, PAD, SOS
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus, Pairs, Rows
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.preprocess import preprocess


def pairs_of_lengths(source: list[int], target: list[int]) -> Pairs:
    """Pairs of these lengths; row k is made of the tokens 10 + k."""
    rows = [
        pa.chunked_array([[[10 + k] * n for k, n in enumerate(lengths)]], pa.list_(pa.int32()))
        for lengths in (source, target)
    ]
    return Pairs(Rows(rows[0]), Rows(rows[1]))


@pytest.fixture(scope="module")
def many() -> Pairs:
    generator = np.random.default_rng(0)
    return pairs_of_lengths(generator.integers(2, 30, 333).tolist(), generator.integers(3, 60, 333).tolist())


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    found = small_config(tmp_path_factory.mktemp("data"), {"dataset.rows_per_shard": 4})
    preprocess(found)
    return found


# ---------------------------------------------------------------- batches


@pytest.mark.parametrize("size", [1, 7, 16, 333, 1000])
def test_an_epoch_holds_every_pair_once(many: Pairs, size: int) -> None:
    batches = many.order(size, seed=0, epoch=0)
    assert sorted(np.concatenate(batches).tolist()) == list(range(len(many)))
    assert len(batches) == -(-len(many) // size)
    assert max(map(len, batches)) <= size


def test_an_epoch_larger_than_the_pool_holds_every_pair_once() -> None:
    pairs = pairs_of_lengths([3] * 1234, [4] * 1234)
    assert sorted(np.concatenate(pairs.order(2, seed=0, epoch=5)).tolist()) == list(range(1234))


def test_the_same_seed_and_epoch_give_the_same_batches(many: Pairs) -> None:
    one, other = (many.order(16, seed=3, epoch=7) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_another_epoch_and_another_seed_give_other_batches(many: Pairs) -> None:
    def make_up(seed: int, epoch: int) -> set[frozenset[int]]:
        return {frozenset(batch.tolist()) for batch in many.order(16, seed, epoch)}

    assert not make_up(0, 0) & make_up(0, 1)
    assert not make_up(0, 0) & make_up(1, 0)


def test_long_batches_do_not_all_stand_together(many: Pairs) -> None:
    lengths = [int(many.target.lengths[batch].max()) for batch in many.order(16, 0, 0)]
    assert lengths != sorted(lengths)
    assert lengths != sorted(lengths, reverse=True)


def test_pairs_of_like_lengths_share_a_batch(many: Pairs) -> None:
    def padding(batches: list[np.ndarray], side: Rows) -> float:
        lengths = [side.lengths[batch] for batch in batches]
        return 1 - float(sum(n.sum() for n in lengths) / sum(len(n) * n.max() for n in lengths))

    shuffled = np.random.default_rng(0).permutation(len(many))
    for side in (many.source, many.target):
        assert padding(many.order(16, 0, 0), side) < 0.25
        assert padding([shuffled[k : k + 16] for k in range(0, len(many), 16)], side) > 0.4


def test_a_batch_is_padded_to_its_own_longest(many: Pairs) -> None:
    for rows in many.order(16, 0, 0):
        batch = many.batch(rows)
        assert batch.source.shape == (len(rows), many.source.lengths[rows].max())
        assert batch.given.shape == batch.wanted.shape == (len(rows), many.target.lengths[rows].max() - 1)


def test_a_batch_holds_the_rows_and_nothing_but_padding_behind_them() -> None:
    batch = pairs_of_lengths([2, 3], [4, 2]).batch(np.array([1, 0]))
    assert batch.source.tolist() == [[11, 11, 11], [10, 10, PAD]]
    assert batch.given.tolist() == [[11, 11, PAD], [10, 10, 10]]
    assert batch.wanted.tolist() == [[11, PAD, PAD], [10, 10, 10]]
    assert batch.source.dtype == torch.int64


def test_what_is_wanted_is_what_is_given_one_step_later(config: Config) -> None:
    pairs = Corpus.open(config.data_folder).pairs("train")
    batch = pairs.batch(np.arange(len(pairs)))
    assert (batch.given[:, 0] == SOS).all()
    assert torch.equal(batch.given[:, 1:][batch.wanted[:, 1:] != PAD], batch.wanted[:, :-1][batch.wanted[:, 1:] != PAD])
    assert [int(row[row != PAD][-1]) for row in batch.wanted] == [EOS] * len(pairs)
    assert [int(row[row != PAD][-1]) for row in batch.source] == [EOS] * len(pairs)


def test_in_order_holds_every_pair_once(many: Pairs) -> None:
    first = [row for batch in many.in_order(16) for row in batch.source[:, 0].tolist()]
    assert sorted(first) == [10 + k for k in range(len(many))]


# ---------------------------------------------------------------- the data folder


def test_shards_are_read_as_one_part(config: Config) -> None:
    corpus = Corpus.open(config.data_folder)
    assert len(corpus.figures["shards"]["train"]) == 3
    pairs = corpus.pairs("train")
    texts = corpus.texts("train")
    assert [(row["prompt"], row["code"]) for row in texts] == PAIRS[: len(pairs)]
    for k, row in enumerate(texts):
        batch = pairs.batch(np.array([k]))
        encoded = corpus.tokenizer.encode_prompt(row["prompt"])
        assert batch.source[0].tolist() == encoded.ids
        assert corpus.tokenizer.decode(batch.wanted[0].tolist(), encoded.slots) == row["code"]


def test_a_part_may_be_empty(tmp_path: Path) -> None:
    config = small_config(tmp_path, {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0})
    preprocess(config)
    pairs = Corpus.open(config.data_folder).pairs("val")
    assert len(pairs) == 0
    assert list(pairs.in_order(4)) == []


def spoiled(config: Config, tmp_path: Path) -> Path:
    shutil.copytree(config.data_folder, tmp_path / "data")
    return tmp_path / "data"


def other_data(tmp_path: Path) -> Path:
    other: list[Pair] = [("cube of it", "it * it * it"), *PAIRS]
    write_corpus(tmp_path / "other" / "corpus.toml", other)
    config = small_config(tmp_path / "other")
    preprocess(config)
    return config.data_folder


def test_a_tokenizer_of_another_corpus_is_refused(config: Config, tmp_path: Path) -> None:
    folder = spoiled(config, tmp_path)
    shutil.copy(other_data(tmp_path) / "tokenizer.json", folder)
    with pytest.raises(ArtefactError, match=r"tokenizer\.json: not the tokenizer of corpus\.json.*pipeline preprocess"):
        Corpus.open(folder)


def test_a_shard_of_another_corpus_is_refused(config: Config, tmp_path: Path) -> None:
    folder = spoiled(config, tmp_path)
    shutil.copy(other_data(tmp_path) / "train-00000.parquet", folder)
    corpus = Corpus.open(folder)
    with pytest.raises(ArtefactError, match=r"train-00000\.parquet: encoded with another tokenizer"):
        corpus.pairs("train")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("corpus.json", None, r"corpus\.json: missing"),
        ("corpus.json", "{", r"corpus\.json: damaged"),
        ("corpus.json", "[]", r"corpus\.json: damaged"),
        ("corpus.json", "{}", r"corpus\.json: damaged"),
        ("tokenizer.json", None, r"tokenizer\.json: cannot be read"),
        ("tokenizer.json", "{}", r"tokenizer\.json: not a tokenizer"),
        ("tokenizer.json", "", r"tokenizer\.json: not a tokenizer"),
        ("train-00001.parquet", None, r"train-00001\.parquet: cannot be read"),
        ("train-00001.parquet", "PAR1", r"train-00001\.parquet: cannot be read"),
    ],
)
def test_a_missing_or_damaged_file_is_named_with_what_to_do(
    config: Config, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    folder = spoiled(config, tmp_path)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content, encoding="utf-8")
    with pytest.raises(ArtefactError, match=message + ".*run `pipeline preprocess`"):
        Corpus.open(folder).pairs("train")


def test_a_truncated_shard_is_refused(config: Config, tmp_path: Path) -> None:
    folder = spoiled(config, tmp_path)
    path = folder / "train-00000.parquet"
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ArtefactError, match=r"train-00000\.parquet: cannot be read"):
        Corpus.open(folder).pairs("train")


def test_the_figures_name_the_tokenizer_they_belong_to(config: Config) -> None:
    figures = json.loads((config.data_folder / "corpus.json").read_text(encoding="utf-8"))
    assert figures["tokenizer"] == Corpus.open(config.data_folder).tokenizer.fingerprint
