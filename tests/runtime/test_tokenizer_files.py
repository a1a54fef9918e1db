"""A tokenizer is told from every other one, comes back from its file as it was, and is refused when damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from runtime_builders import VOCABULARY, make, merge_of
from wgsl_infer import Tokenizer, TokenizerError
from wgsl_infer.tokens import PROMPT

RULES: list[dict[str, Any]] = [
    {"learned": ["b", *list(VOCABULARY)[1:]]},
    {"learned": list(VOCABULARY)[::-1], "uses": list(VOCABULARY.values())[::-1]},
    {"uses": [PROMPT, *list(VOCABULARY.values())[1:]]},
    {"kind": "plain"},
    {"lowercase": False},
    {"max_length": 511},
    {"merges": [(5, 6)]},
]


@pytest.mark.parametrize("change", RULES, ids=[next(iter(rule)) for rule in RULES])
def test_every_rule_changes_the_fingerprint(change: dict[str, Any]) -> None:
    assert make(**change).fingerprint != make().fingerprint


def test_the_order_of_merges_changes_the_fingerprint() -> None:
    merges = [merge_of("vec3", "<"), merge_of("f32", ">")]
    assert make(merges=merges).fingerprint != make(merges=merges[::-1]).fingerprint


def test_a_saved_tokenizer_is_the_same(tmp_path: Path) -> None:
    tokenizer = make(merges=[merge_of("vec3", "<")], max_length=99, lowercase=False)
    path = tmp_path / "tokenizer.json"
    path.write_text(tokenizer.to_text(), encoding="utf-8")
    loaded = Tokenizer.load(path)
    assert loaded.fingerprint == tokenizer.fingerprint
    assert loaded.to_json() == tokenizer.to_json()
    assert loaded.to_text() == tokenizer.to_text()


def test_the_fingerprint_is_of_the_contents_and_not_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(make().to_json(), indent=4, sort_keys=True), encoding="utf-8")
    assert Tokenizer.load(path).fingerprint == make().fingerprint


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 2}, "another version"),
        ({"reserved": 7}, "another version"),
        ({"kind": "cobol"}, "no tokenizer of kind 'cobol'"),
        ({"tokens": ["a", "a"], "uses": [1, 1]}, "twice"),
        ({"tokens": ["<pad>"], "uses": [1]}, "twice"),
        ({"uses": [1]}, "another length"),
        ({"uses": None}, "not a tokenizer"),
        ({"uses": ["1"] * len(VOCABULARY)}, "not a tokenizer"),
        ({"tokens": 5}, "not a tokenizer"),
        ({"merges": [[1]]}, "not a tokenizer"),
        ({"merges": [[1, 10**6]]}, "not a tokenizer"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(json.dumps(make().to_json() | change), encoding="utf-8")
    with pytest.raises(TokenizerError, match=message) as error:
        Tokenizer.load(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("key", list(make().to_json()))
def test_a_file_without_one_of_its_keys_is_refused(tmp_path: Path, key: str) -> None:
    path = tmp_path / "tokenizer.json"
    data = make().to_json()
    del data[key]
    path.write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(TokenizerError, match=str(path)):
        Tokenizer.load(path)


@pytest.mark.parametrize("contents", [b"", b"{", b"[]", b"null", b'"text"', b"\xff\xfe", b"3"])
def test_a_file_that_is_no_tokenizer_is_refused(tmp_path: Path, contents: bytes) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_bytes(contents)
    with pytest.raises(TokenizerError, match=str(path)):
        Tokenizer.load(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TokenizerError, match=r"none\.json: cannot be read"):
        Tokenizer.load(tmp_path / "none.json")
