"""An answer that makes no sense yields to the next, and one that ignores what was asked is worth less."""

from __future__ import annotations

from typing import Any

import pytest

from wgsl_infer import Generator, plausibility
from wgsl_infer.lexemes import split
from wgsl_infer.search import Hypothesis
from wgsl_infer.tokens import UNSUPPORTED


def test_an_answer_that_makes_no_sense_yields_to_the_next(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "dot product of a_b and c_d"
    usual = generator(prompt, beam=4, n_best=3)
    assert usual.alternatives
    monkeypatch.setattr(plausibility, "fault", lambda lexemes, calls: "no" if lexemes == split(usual.code) else None)
    monkeypatch.setattr(plausibility, "NO_SENSE", 1e6)
    monkeypatch.setattr(plausibility, "IGNORED", {})
    assert generator(prompt, second_look=0).code == usual.code
    second = generator(prompt, second_look=4)
    assert second.code not in (None, usual.code)
    assert generator(prompt, beam=4, n_best=2, second_look=4).alternatives[0].code != second.code


def test_where_nothing_makes_sense_the_best_answer_stays(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = generator("dot product of a_b and c_d")
    monkeypatch.setattr(plausibility, "fault", lambda lexemes, calls: "no")
    assert generator("dot product of a_b and c_d", second_look=4).code == usual.code


def test_functions_that_the_prompt_names_are_no_nonsense(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    monkeypatch.setattr(plausibility, "fault", lambda lexemes, calls: seen.append(list(calls)))
    generator("dot product of a_b and c_d", second_look=4)
    assert seen == [["a_b", "c_d"]]


@pytest.mark.parametrize(
    ("prompt", "code", "against"),
    [
        ("mix colA and colB by 0.3", "mix(colA, colB, 0.3)", 0.0),
        ("mix colA and colB by 0.3", "mix(colA, colA, 0.3)", 2.0),
        ("mix colA and colB by 0.3", "mix(colA, colB, t)", 2.0),
        ("mix colA and colB by 0.3", "mix(colA, colB)", 10.0),
        ("mix colA and colB by 12", "mix(colA, colB, t)", 1.0),
        ("mix some and others by 30%", "mix(a, b, t)", 0.0),
        ("mix colA and colB by 0.3", UNSUPPORTED, 0.0),
    ],
)
def test_what_an_answer_ignores_speaks_against_it(generator: Generator, prompt: str, code: str, against: float) -> None:
    encoded = generator.tokenizer.encode_prompt(prompt)
    ids = generator.tokenizer.encode_answer(code, encoded.slots)[1:-1]
    hypothesis = Hypothesis(tuple(ids), -1.0, -1.0, complete=True)
    assert plausibility.Candidate(generator.tokenizer, encoded, hypothesis).objections == against


def test_the_second_look_does_not_run_on(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = []
    really = Generator._beam

    def watched(self: Generator, encoded: Any, settings: Any) -> Any:
        limits.append((settings.beam, settings.max_tokens))
        return really(self, encoded, settings)

    monkeypatch.setattr(Generator, "_beam", watched)
    monkeypatch.setattr(plausibility, "fault", lambda lexemes, calls: "no")
    answer = generator("dot product of a_b and c_d", second_look=5)
    ((width, limit),) = limits
    assert width == 5 and limit < generator.settings().max_tokens
    assert answer.score is not None and answer.score <= 0.0


@pytest.mark.parametrize(("code", "refused"), [(-15.0, True), (-5.0, False)])
def test_of_a_refusal_and_a_code_the_more_probable_is_given(
    generator: Generator, monkeypatch: pytest.MonkeyPatch, code: float, refused: bool
) -> None:
    encoded = generator.tokenizer.encode_prompt("function that adds a_b and c_d")

    def candidate(answer: str, log_probability: float) -> plausibility.Candidate:
        ids = generator.tokenizer.encode_answer(answer, encoded.slots)[1:-1]
        hypothesis = Hypothesis(tuple(ids), log_probability, log_probability, True, 0.1)
        return plausibility.Candidate(generator.tokenizer, encoded, hypothesis)

    given, none = candidate("a_b + c_d", code), candidate(UNSUPPORTED, -9.0)
    monkeypatch.setattr(generator, "_look_again", lambda best, settings: [none, given])
    found = generator._plausible([given], generator.settings(second_look=8))
    assert found[0].refuses == refused
