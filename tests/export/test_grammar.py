"""The grammar of WGSL: everything that is written here parses, and nothing that is broken does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
from lark.exceptions import LarkError

from wgsl_export.grammar import grammar_tables
from wgsl_infer.errors import TokenizerError
from wgsl_infer.grammar import FORMS, Grammar
from wgsl_infer.lexemes import split
from wgsl_pipeline.corpus import corpus_files, read_examples

REPOSITORY = Path(__file__).parents[2]
CASES = {
    name: tomllib.loads((REPOSITORY / "tests" / "fixtures" / "wgsl" / f"{name}.toml").read_text("utf-8"))["cases"]
    for name in ("valid", "broken")
}


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar(grammar_tables())


def by_name(case: dict[str, Any]) -> str:
    return str(case["name"])


def test_there_are_enough_cases_and_each_once() -> None:
    assert len(CASES["valid"]) >= 150
    assert len(CASES["broken"]) >= 200
    for cases in CASES.values():
        assert len({case["name"] for case in cases}) == len({case["code"] for case in cases}) == len(cases)
        assert {case["form"] for case in cases} == {"expression", "statement", "function", "shader"}


@pytest.mark.parametrize("case", CASES["valid"], ids=by_name)
def test_valid_code_is_well_formed(grammar: Grammar, case: dict[str, Any]) -> None:
    assert grammar.fault(split(case["code"])) is None


@pytest.mark.parametrize("case", CASES["broken"], ids=by_name)
def test_broken_code_is_not(grammar: Grammar, case: dict[str, Any]) -> None:
    if case["name"] == "comment-never-closed":
        with pytest.raises(TokenizerError):
            split(case["code"])
        return
    lexemes = split(case["code"])
    place = grammar.fault(lexemes)
    assert place is not None and place <= len(lexemes)


def test_every_code_of_the_corpora_is_well_formed(grammar: Grammar) -> None:
    wrong = []
    files = [
        *corpus_files(REPOSITORY / "data" / "pairs"),
        *corpus_files(REPOSITORY / "data" / "wgsl_training_data.toml"),
    ]
    for file in files:
        for example in read_examples(file):
            if example.code != "<unsupported>" and grammar.fault(split(example.code)) is not None:
                wrong.append(f"{file.name}:{example.line}: {example.code[:60]}")
    assert wrong == []


def test_a_part_of_well_formed_code_can_always_go_on(grammar: Grammar) -> None:
    for case in CASES["valid"]:
        states = grammar.start()
        for lexeme in split(case["code"]):
            states = grammar.after(states, lexeme)
            assert any(grammar.after_classes(states, [terminal]) for terminal in grammar.terminals)


def test_the_tables_do_not_depend_on_the_order_of_sets() -> None:
    code = "import json; from wgsl_export.grammar import grammar_tables; print(json.dumps(grammar_tables()))"
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert json.loads(texts.pop())["starts"].keys() == set(FORMS)


def test_a_grammar_that_is_not_lalr_is_refused() -> None:
    rules = "answer_expression: a | b\na: NAME\nb: NAME\nanswer_statements: NAME\nanswer_module: NAME\n"
    with pytest.raises(LarkError, match=r"Reduce/Reduce"):
        grammar_tables("%declare NAME\n" + rules)
