"""Preprocessing splits, encodes and shards a corpus, tells what is odd about it, and leaves all or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from builders import PAIRS, Pair, prompts, small_config, tree, write_corpus
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.tokens import ANSWER, PROMPT
from wgsl_pipeline import preprocess as module
from wgsl_pipeline import spool
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.errors import CorpusError
from wgsl_pipeline.preprocess import PARTS, Report, inputs_digest, preprocess


def run(folder: Path, pairs: list[Pair] = PAIRS, changes: Mapping[str, Any] | None = None) -> tuple[Config, Report]:
    """Preprocess these pairs below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    write_corpus(folder / "corpus.toml", pairs)
    config = small_config(folder, changes)
    return config, preprocess(config)


def everything(config: Config) -> list[str]:
    return [prompt for part in prompts(config).values() for prompt in part]


def numbered(count: int) -> list[Pair]:
    return [(f"value of item{k} times {k + 10}", f"item{k} * {k + 10}.0") for k in range(count)]


# ---------------------------------------------------------------- the same every time


def test_the_same_corpus_gives_the_same_bytes(tmp_path: Path) -> None:
    config, _ = run(tmp_path, PAIRS, {"dataset.rows_per_shard": 3, "tokenizer.phrases": 8})
    first = tree(config.data_folder)
    preprocess(config)
    assert tree(config.data_folder) == first
    assert sorted(first) == [
        "corpus.json",
        "test-00000.parquet",
        "tokenizer.json",
        "train-00000.parquet",
        "train-00001.parquet",
        "train-00002.parquet",
        "val-00000.parquet",
    ]


def test_how_much_is_in_memory_at_a_time_does_not_change_the_data(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, _ = run(tmp_path)
    whole = prompts(config), (config.data_folder / "tokenizer.json").read_bytes()
    monkeypatch.setattr(module, "SPOOL_ROWS", 2)
    monkeypatch.setattr(spool, "SPOOL_ROWS", 2)
    preprocess(config)
    assert (prompts(config), (config.data_folder / "tokenizer.json").read_bytes()) == whole


def test_the_inputs_digest_changes_with_corpus_and_settings(tmp_path: Path) -> None:
    config, report = run(tmp_path)
    assert report.figures["inputs"] == inputs_digest(config)
    assert inputs_digest(small_config(tmp_path, {"training.seed": 5})) == inputs_digest(config)
    assert inputs_digest(small_config(tmp_path, {"tokenizer.min_freq": 2})) != inputs_digest(config)
    assert inputs_digest(small_config(tmp_path, {"dataset.val_ratio": 0.2})) != inputs_digest(config)
    with (tmp_path / "corpus.toml").open("a", encoding="utf-8") as file:
        file.write("# a remark\n")
    assert inputs_digest(config) != report.figures["inputs"]


# ---------------------------------------------------------------- splitting


def test_the_corpus_is_cut_in_the_order_of_the_file(tmp_path: Path) -> None:
    pairs = numbered(10)
    config, _ = run(tmp_path, pairs, {"dataset.train_ratio": 0.6, "dataset.val_ratio": 0.3})
    wanted = [prompt for prompt, _ in pairs]
    assert prompts(config) == {"train": wanted[:6], "val": wanted[6:9], "test": wanted[9:]}


@pytest.mark.parametrize(
    ("count", "train", "val", "sizes"),
    [(100, 0.57, 0.29, [57, 29, 14]), (10, 0.7, 0.3, [7, 3, 0]), (3, 1.0, 0.0, [3, 0, 0])],
)
def test_shares_are_not_lost_to_rounding(
    tmp_path: Path, count: int, train: float, val: float, sizes: list[int]
) -> None:
    _, report = run(tmp_path, numbered(count), {"dataset.train_ratio": train, "dataset.val_ratio": val})
    assert list(report.figures["parts"].values()) == sizes


def test_a_split_by_hash_does_not_depend_on_the_order_or_the_rest_of_the_corpus(tmp_path: Path) -> None:
    pairs = numbered(60)
    changes = {"dataset.split": "hash", "dataset.train_ratio": 0.5, "dataset.val_ratio": 0.25}
    found = [
        {prompt: part for part, rows in prompts(run(tmp_path / name, given, changes)[0]).items() for prompt in rows}
        for name, given in (("as", pairs), ("reversed", pairs[::-1]), ("grown", numbered(70)))
    ]
    assert found[0] == found[1]
    assert found[0].items() <= found[2].items()
    sizes = [list(found[0].values()).count(part) for part in PARTS]
    assert all(abs(size - wanted) <= 12 for size, wanted in zip(sizes, (30, 15, 15), strict=True))


def test_a_repeated_prompt_stays_in_one_part_of_a_split_by_hash(tmp_path: Path) -> None:
    pairs = [pair for prompt, code in numbered(30) for pair in ((prompt, code), (prompt, f"-{code}"))]
    config, _ = run(tmp_path, pairs, {"dataset.split": "hash", "dataset.train_ratio": 0.5, "dataset.val_ratio": 0.25})
    parts = [set(rows) for rows in prompts(config).values()]
    assert sum(len(part) for part in parts) == 30
    assert all(parts)


# ---------------------------------------------------------------- what is odd


def test_repeated_pairs_are_left_out_and_reported_with_both_places(tmp_path: Path) -> None:
    pairs = [*PAIRS[:4], PAIRS[1], *PAIRS[4:], PAIRS[1]]
    config, report = run(tmp_path, pairs)
    file = tmp_path / "corpus.toml"
    lines = [k for k, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if line == "[[examples]]"]
    assert report.warnings == [
        f"{file}:{lines[4]}: the same pair as {file}:{lines[1]}; left out",
        f"{file}:{lines[-1]}: the same pair as {file}:{lines[1]}; left out",
    ]
    assert report.figures["duplicates"] == 2
    assert report.figures["examples"] == len(PAIRS)
    assert everything(config) == [prompt for prompt, _ in PAIRS]


def test_contradictions_are_kept_and_reported_with_both_places(tmp_path: Path) -> None:
    pairs = [*PAIRS, (PAIRS[2][0], "other(velocity)")]
    _, report = run(tmp_path, pairs)
    file = tmp_path / "corpus.toml"
    lines = [k for k, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1) if line == "[[examples]]"]
    assert report.warnings == [
        f"{file}:{lines[-1]}: the same prompt as {file}:{lines[2]} with other code; both are kept"
    ]
    assert report.figures["examples"] == len(pairs)
    assert report.figures["duplicates"] == 0


def test_a_pair_that_repeats_a_contradiction_is_left_out_too(tmp_path: Path) -> None:
    prompt = PAIRS[2][0]
    config, report = run(tmp_path, [*PAIRS, (prompt, "other(velocity)"), (prompt, "other(velocity)"), PAIRS[2]])
    assert [warning.split("; ")[-1] for warning in report.warnings] == ["both are kept", "left out", "left out"]
    assert report.figures["examples"] == len(PAIRS) + 1
    assert everything(config).count(prompt) == 2


def test_a_repetition_in_another_file_is_found(tmp_path: Path) -> None:
    one = write_corpus(tmp_path / "many" / "a.toml", PAIRS)
    two = write_corpus(tmp_path / "many" / "b.toml", PAIRS[:1])
    report = preprocess(small_config(tmp_path, {"dataset.train_path": str(tmp_path / "many")}))
    assert report.warnings == [f"{two}:1: the same pair as {one}:1; left out"]


def test_pairs_with_too_many_tokens_are_left_out_and_counted(tmp_path: Path) -> None:
    long_code = ("sum of everything", " + ".join("abcdefgh"))
    long_prompt = (" ".join(["very"] * 40) + " long", "length(v)")
    config, report = run(
        tmp_path,
        [long_code, *PAIRS, long_prompt],
        {"tokenizer.max_length": 12, "dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0},
    )
    kept = everything(config)
    assert long_code[0] not in kept
    assert long_prompt[0] not in kept
    assert PAIRS[0][0] in kept
    assert report.figures["too_long"] == len(PAIRS) + 2 - len(kept)
    assert report.warnings == [f"{report.figures['too_long']} pairs have more than 12 tokens and are left out"]
    for row in Corpus.open(config.data_folder).table("train", ["source", "target"]).to_pylist():
        assert max(len(row["source"]), len(row["target"])) <= 12


# ---------------------------------------------------------------- shards


def test_a_part_is_cut_into_shards_of_so_many_rows(tmp_path: Path) -> None:
    config, report = run(tmp_path, numbered(25), {"dataset.rows_per_shard": 8})
    shards = report.figures["shards"]
    assert [pq.read_metadata(config.data_folder / name).num_rows for name in shards["train"]] == [8, 8, 4]
    assert (len(shards["val"]), len(shards["test"])) == (1, 1)
    assert prompts(config)["train"] == [prompt for prompt, _ in numbered(20)]


def test_shards_carry_ids_texts_category_and_the_fingerprint(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus.toml", PAIRS, category="everything")
    config = small_config(tmp_path)
    report = preprocess(config)
    tokenizer = Tokenizer.load(config.data_folder / "tokenizer.json")
    for names in report.figures["shards"].values():
        for name in names:
            table = pq.read_table(config.data_folder / name)
            assert table.column_names == ["prompt", "code", "category", "source", "target"]
            assert table.schema.metadata[b"tokenizer"].decode() == tokenizer.fingerprint
            assert table.schema.metadata[b"settings"].decode() == config.digest("tokenizer", "dataset")
            assert set(table["category"].to_pylist()) == {"everything"}
    assert report.figures["tokenizer"] == tokenizer.fingerprint


# ---------------------------------------------------------------- the vocabulary


def test_the_vocabulary_comes_from_the_training_part_alone(tmp_path: Path) -> None:
    pairs = [*PAIRS[:10], ("bitcount of flags", "countOneBits(flags)"), ("bitcount of mask", "countOneBits(mask)")]
    config, _ = run(tmp_path, pairs, {"dataset.train_ratio": 10 / 12, "dataset.val_ratio": 1 / 12})
    alone, _ = run(tmp_path / "alone", PAIRS[:10], {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0})
    tokens = [Tokenizer.load(c.data_folder / "tokenizer.json").tokens for c in (config, alone)]
    assert tokens[0] == tokens[1]
    assert "bitcount" not in tokens[0]
    assert "normalize" in tokens[0]


def test_min_freq_counts_uses(tmp_path: Path) -> None:
    pairs = [("length of v", "length(v)"), ("size of v", "length(v)"), ("length of w", "length(w)")]
    changes = {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0}
    for least, words in ((1, {"length", "of", "size"}), (2, {"length", "of"}), (3, {"of"})):
        config, _ = run(tmp_path / str(least), pairs, changes | {"tokenizer.min_freq": least})
        tokenizer = Tokenizer.load(config.data_folder / "tokenizer.json")
        uses = dict(zip(tokenizer.tokens[-len(tokenizer.uses) :], tokenizer.uses, strict=True))
        assert {word for word, use in uses.items() if use & PROMPT} == words
        assert [lexeme for lexeme, use in uses.items() if use & ANSWER and lexeme.isalpha()] == ["length"] * (least < 3)


# ---------------------------------------------------------------- all or nothing


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_text("[[examples]]\nbroken\n", encoding="utf-8"), "not TOML"),
        (lambda path: path.write_text("", encoding="utf-8"), "no pair is left to train on"),
        (lambda path: path.unlink(), "no such corpus"),
        (lambda path: write_corpus(path, [*PAIRS, ("bad", "x = \x00`;")]), "not TOML"),
        (lambda path: write_corpus(path, [("bad", "/* never closed"), *PAIRS]), "corpus.toml"),
        (lambda path: write_corpus(path, [("a " * 100, "a")]), "no pair to train on is short enough"),
    ],
)
def test_a_failure_leaves_what_was_there_before(tmp_path: Path, spoil: Any, message: str) -> None:
    config, _ = run(tmp_path)
    before = tree(config.folder)
    config = small_config(tmp_path, {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0})
    spoil(tmp_path / "corpus.toml")
    with pytest.raises(CorpusError, match=message):
        preprocess(config)
    assert tree(config.folder) == before
    assert [path.name for path in config.folder.iterdir()] == ["data"]


def test_an_interruption_leaves_what_was_there_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config, _ = run(tmp_path)
    before = tree(config.folder)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module._ShardWriter, "close", interrupt)
    with pytest.raises(KeyboardInterrupt):
        preprocess(config)
    assert tree(config.folder) == before


def test_shards_of_an_earlier_corpus_do_not_stay_behind(tmp_path: Path) -> None:
    config, _ = run(tmp_path, PAIRS, {"dataset.rows_per_shard": 2})
    assert len(list(config.data_folder.glob("*.parquet"))) > 3
    run(tmp_path, PAIRS)
    assert len(list(config.data_folder.glob("*.parquet"))) == 3
