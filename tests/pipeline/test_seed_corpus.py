"""The seed corpus holds the 85 pairs it promises, and all of them compile."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path

import pytest

from wgsl_infer.validation import Validator

SEED = Path(__file__).parents[2] / "data" / "wgsl_training_data.toml"
COUNTS = {
    "basic_colors": 8,
    "vector_operations": 15,
    "builtin_functions": 25,
    "chromatic_operations": 12,
    "shader_fragments": 25,
}


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, str]]:
    examples: list[dict[str, str]] = tomllib.loads(SEED.read_text(encoding="utf-8"))["examples"]
    return examples


def test_categories_in_order(pairs: list[dict[str, str]]) -> None:
    categories = [pair["category"] for pair in pairs]
    assert list(Counter(categories).items()) == list(COUNTS.items())
    assert categories == [category for category, count in COUNTS.items() for _ in range(count)]


def test_prompts_are_distinct_lines(pairs: list[dict[str, str]]) -> None:
    prompts = [pair["natural_language"] for pair in pairs]
    assert len({prompt.lower() for prompt in prompts}) == len(prompts) == 85
    assert all(prompt == prompt.strip() and "\n" not in prompt for prompt in prompts)


def test_types_are_spelled_in_full(pairs: list[dict[str, str]]) -> None:
    short = [pair["natural_language"] for pair in pairs if "vec4f" in pair["wgsl_code"]]
    assert short == []


def test_every_code_compiles(pairs: list[dict[str, str]], validator: Validator) -> None:
    refused = {pair["natural_language"]: validator.check(pair["wgsl_code"]) for pair in pairs}
    assert {prompt: why for prompt, why in refused.items() if why} == {}
