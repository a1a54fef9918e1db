"""The baseline finds the most similar training prompt and puts the new prompt's names and numbers into its code."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from builders import small_config
from wgsl_infer.slots import Slots
from wgsl_pipeline.dataset import Corpus, Rows
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.evaluation.retrieval import Retrieval, TfIdf, refilled
from wgsl_pipeline.preprocess import preprocess

EOS = 3


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    config = small_config(tmp_path_factory.mktemp("corpus"), {"dataset.train_ratio": 1.0, "dataset.val_ratio": 0.0})
    preprocess(config, lambda line: None)
    return Corpus.open(config.data_folder)


def index(*prompts: list[int]) -> TfIdf:
    return TfIdf(Rows(pa.chunked_array([pa.array([[*p, EOS] for p in prompts], pa.list_(pa.int32()))])), 20)


def test_the_same_prompt_is_found_with_similarity_one() -> None:
    found = index([5, 6, 7], [8, 9], [5, 9, 7])
    assert found.nearest([8, 9, EOS]) == (1, pytest.approx(1.0, abs=1e-6))


def test_order_of_words_counts() -> None:
    assert index([5, 6, 7, 8], [8, 7, 6, 5]).nearest([7, 6, 5, 8, EOS])[0] == 1


def test_rare_words_weigh_more() -> None:
    found = index([5, 6], [5, 7], [5, 8], [5, 9])
    assert found.nearest([10, 8, 11, 5, 12, EOS])[0] == 2


def test_unknown_words_lower_the_similarity() -> None:
    found = index([5, 6], [7, 8])
    row, alone = found.nearest([5, 6, EOS])
    same, beside = found.nearest([5, 6, 15, EOS])
    assert (row, same) == (0, 0)
    assert 0.0 < beside < alone


def test_a_pair_left_out_is_not_found() -> None:
    assert index([5, 6], [5, 7]).nearest([5, 6, EOS], without=0)[0] == 1


def test_nothing_alike_has_similarity_zero() -> None:
    assert index([5, 6]).nearest([7]) == (0, 0.0)


def test_names_and_numbers_of_the_prompt_fill_the_code(corpus: Corpus) -> None:
    found = Retrieval(corpus)("clamp weirdName7 between 0.125 and 3.75")
    assert found.neighbour == "clamp heat between 0.25 and 7.5"
    assert found.code == "clamp(weirdName7, 0.125, 3.75)"
    assert 0.8 < found.similarity <= 1.0


def test_values_the_prompt_lacks_stay_those_of_the_neighbour() -> None:
    old = Slots({"name": ["a", "b"], "int": [], "float": ["0.5"], "percent": [], "hex": []})
    new = Slots({"name": ["u"], "int": [], "float": ["0.1", "0.2"], "percent": [], "hex": []})
    assert refilled(new, old).values["name"] == ["u", "b"]
    assert refilled(new, old).values["float"] == ["0.1", "0.2"]


def test_a_prompt_like_no_other_has_no_answer(corpus: Corpus) -> None:
    assert Retrieval(corpus)("?!").code is None


def test_no_training_pairs_is_an_error(corpus: Corpus, tmp_path: Path) -> None:
    empty = Corpus(tmp_path, corpus.tokenizer, {**corpus.figures, "shards": {"train": []}})
    with pytest.raises(ArtefactError, match="no training pairs"):
        Retrieval(empty)
