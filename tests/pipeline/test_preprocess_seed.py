"""Preprocessing the seed corpus: it is cut as the seed cut it, and every code comes back from its tokens."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from builders import prompts
from wgsl_infer.naming import requested_function
from wgsl_infer.tokens import EOS, SOS
from wgsl_pipeline.config import Config, load_config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.preprocess import PARTS, Report, preprocess

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def seed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Config, Report]:
    folder = tmp_path_factory.mktemp("seed")
    overrides = [f"dataset.train_path={REPOSITORY / 'data' / 'wgsl_training_data.toml'}", f"output.dir={folder}"]
    config = load_config(REPOSITORY / "config" / "wgsl_generation.toml", overrides)
    return config, preprocess(config)


def test_the_85_seed_pairs_are_cut_as_the_seed_cut_them(seed: tuple[Config, Report]) -> None:
    config, report = seed
    assert report.figures["examples"] == 85
    assert report.figures["parts"] == {"train": 68, "val": 8, "test": 9}
    assert report.warnings == []
    assert [len(found) for found in prompts(config).values()] == [68, 8, 9]


def test_the_seed_corpus_has_the_seeds_categories_and_counts(seed: tuple[Config, Report]) -> None:
    counts = {
        "basic_colors": 8,
        "vector_operations": 15,
        "builtin_functions": 25,
        "chromatic_operations": 12,
        "shader_fragments": 25,
    }
    assert seed[1].figures["categories"] == counts


def test_every_training_code_of_the_seed_comes_back_from_its_tokens(seed: tuple[Config, Report]) -> None:
    corpus = Corpus.open(seed[0].data_folder)
    split = corpus.tokenizer.language.split
    for row in corpus.table("train", ["prompt", "code", "source", "target"]).to_pylist():
        encoded = corpus.tokenizer.encode_prompt(row["prompt"])
        assert row["source"] == encoded.ids
        assert (row["source"][-1], row["target"][0], row["target"][-1]) == (EOS, SOS, EOS)
        decoded = corpus.tokenizer.decode(row["target"], encoded.slots)
        code = split(row["code"])
        given = requested_function(split(decoded))
        if given and (own := requested_function(code)) and own not in row["prompt"].split():
            code = [given if lexeme == own else lexeme for lexeme in code]
        assert split(decoded) == code
        assert corpus.tokenizer.encode_answer(decoded, encoded.slots) == row["target"]


def test_the_figures_are_those_of_the_shards(seed: tuple[Config, Report]) -> None:
    config, report = seed
    corpus = Corpus.open(config.data_folder)
    rows = [row for part in PARTS for row in corpus.table(part, ["source", "target"]).to_pylist()]
    # the specials at the ends are not counted
    assert report.figures["prompt_tokens"] == round(np.mean([len(row["source"]) - 1 for row in rows]), 2)
    assert report.figures["code_tokens"] == round(np.mean([len(row["target"]) - 2 for row in rows]), 2)
    assert report.figures["vocabulary"] == len(corpus.tokenizer)
    assert json.loads((config.data_folder / "corpus.json").read_text(encoding="utf-8")) == report.figures
