"""Preprocessing with recipes: what is drawn, what is held out, and how pairs are copied."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from builders import PAIRS, small_config, write_corpus
from wgsl_pipeline.config import Config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.errors import CorpusError
from wgsl_pipeline.preprocess import Report, inputs_digest, preprocess
from wgsl_pipeline.recipes.vary import varied

RECIPES = """
[[recipes]]
name = "sineOf"
code = "sin({x})"
operands = { x = "f32" }
result = "f32"
nouns = ["the sine of {x}", "sin {x}", "{x} as a sine", "{x} under sin", "sin applied to {x}"]

[[recipes]]
name = "sumOf"
code = "{x} + {y}"
operands = { x = "f32", y = "f32" }
result = "f32"
nouns = ["the sum of {x} and {y}", "{x} plus {y}", "{x} and {y} together", "the total of {x} and {y}"]
"""


def run(folder: Path, **changes: Any) -> tuple[Config, Report]:
    write_corpus(folder / "corpus.toml", PAIRS)
    (folder / "recipes.toml").write_text(RECIPES)
    settings = {"dataset.recipes": str(folder / "recipes.toml"), "dataset.recipe_pairs": 200}
    config = small_config(folder, settings | {f"dataset.{key}": value for key, value in changes.items()})
    return config, preprocess(config)


def texts(config: Config, part: str) -> list[tuple[str, str]]:
    return [(row["prompt"], row["code"]) for row in Corpus.open(config.data_folder).texts(part)]


def test_as_many_pairs_are_drawn_as_asked_for_each_once(tmp_path: Path) -> None:
    config, report = run(tmp_path, held_out=0.0)
    assert report.figures["examples"] == len(PAIRS) + 200
    drawn = [pair for pair in texts(config, "train") if pair not in PAIRS]
    assert len({prompt for prompt, _ in drawn}) == len(drawn) == 200


def test_the_same_seed_gives_the_same_data(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    (tmp_path / "other").mkdir()
    first, second = (run(tmp_path / name)[0] for name in ("one", "other"))
    assert texts(first, "train") == texts(second, "train")
    different, _ = run(tmp_path / "other", draw_seed=1)
    assert texts(first, "train") != texts(different, "train")


def test_phrasings_held_out_are_validated_on_and_never_trained_on(tmp_path: Path) -> None:
    config, _ = run(tmp_path, held_out=0.3)
    own = {prompt for prompt, _ in PAIRS}
    validated = [prompt for prompt, _ in texts(config, "val") if prompt not in own]
    assert validated
    said = {
        text: {part for part in ("train", "val") for prompt, _ in texts(config, part) if re.fullmatch(pattern, prompt)}
        for text, pattern in {
            "as a sine": r"\w+ as a sine",
            "under": r"\w+ under sin",
            "sine of": r"the sine of \w+",
        }.items()
    }
    assert all(len(parts) <= 1 for parts in said.values())


def test_words_misspelt_by_rule_are_not_learnt(tmp_path: Path) -> None:
    config, _ = run(tmp_path, held_out=0.0, recipe_pairs=2000)
    tokens = Corpus.open(config.data_folder).tokenizer.tokens
    assert "together" in tokens
    assert not {"togetehr", "togther", "toghether", "applide", "aplied"} & set(tokens)


def test_recipes_that_run_dry_end_the_drawing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wgsl_pipeline.preprocess._VAIN_DRAWS", 50)
    (tmp_path / "recipes.toml").write_text(
        '[[recipes]]\nname = "one"\ncode = "1.0"\nresult = "f32"\nnouns = ["unity"]\n'
    )
    write_corpus(tmp_path / "corpus.toml", PAIRS)
    changes = {"dataset.recipes": str(tmp_path / "recipes.toml"), "dataset.recipe_pairs": 10_000}
    report = preprocess(small_config(tmp_path, changes))
    assert len(PAIRS) < report.figures["examples"] < len(PAIRS) + 100


def test_the_inputs_digest_covers_the_recipes(tmp_path: Path) -> None:
    config, report = run(tmp_path)
    assert inputs_digest(config) == report.figures["inputs"]
    (tmp_path / "recipes.toml").write_text(RECIPES.replace("total", "aggregate"))
    assert inputs_digest(config) != report.figures["inputs"]


def test_faults_of_recipes_leave_the_data_as_it_was(tmp_path: Path) -> None:
    config, _ = run(tmp_path)
    before = (config.data_folder / "corpus.json").read_bytes()
    (tmp_path / "recipes.toml").write_text(RECIPES.replace('x = "f32"', 'x = "real"'))
    with pytest.raises(CorpusError, match="'real' is no type"):
        preprocess(config)
    assert (config.data_folder / "corpus.json").read_bytes() == before


def test_training_pairs_are_copied_and_others_are_not(tmp_path: Path) -> None:
    _, report = run(tmp_path, recipes="", recipe_pairs=0, copies=5)
    _, single = run(tmp_path, recipes="", recipe_pairs=0)
    assert report.figures["parts"]["train"] == 5 * single.figures["parts"]["train"]
    assert report.figures["parts"]["val"] == single.figures["parts"]["val"]


def test_outside_pairs_have_their_own_number_of_copies(tmp_path: Path) -> None:
    write_corpus(tmp_path / "corpus.toml", [*PAIRS, ("hi there", "<unsupported>")])
    settings = {"train_ratio": 1.0, "val_ratio": 0.0, "copies": 2, "outside_copies": 7}
    config = small_config(tmp_path, {f"dataset.{key}": value for key, value in settings.items()})
    assert preprocess(config).figures["parts"]["train"] == 2 * len(PAIRS) + 7


def test_what_a_function_and_its_parameters_are_called_is_not_varied() -> None:
    code = "fn fadeOut(baseColor: vec3<f32>) -> vec3<f32> {\n    return baseColor * 0.5;\n}"
    for seed in range(50):
        varied_code = varied(random.Random(seed), "function fadeOut halving baseColor", code)[1]
        assert "fadeOut" in varied_code


def test_a_varied_pair_renames_in_prompt_and_code_alike() -> None:
    renamed = set()
    for seed in range(300):
        prompt, code = varied(random.Random(seed), "dot product of lightDir and n0", "dot(lightDir, n0)")
        found = re.fullmatch(r"dot\((\w+), (\w+)\)", code)
        assert found and re.search(rf"\b{found[1]}\b", prompt) and re.search(rf"\b{found[2]}\b", prompt)
        assert found[1] != found[2]
        renamed.add(found[1])
    assert "lightDir" in renamed and len(renamed) > 20


def test_plain_words_are_never_renamed() -> None:
    for seed in range(100):
        _, code = varied(random.Random(seed), "clamp speed to 0..1", "clamp(speed, 0.0, 1.0)")
        assert code == "clamp(speed, 0.0, 1.0)"
