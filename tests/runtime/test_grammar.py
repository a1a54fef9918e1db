"""The automaton, and how it steers a search: no answer is malformed, whatever the network says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wgsl_infer import Generator
from wgsl_infer.bundle import GRAMMAR, MANIFEST, Bundle
from wgsl_infer.errors import BundleError
from wgsl_infer.grammar import Grammar, classes
from wgsl_infer.lexemes import split
from wgsl_infer.search import Guide, beam, greedy
from wgsl_infer.steering import Course, Steering
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.tokens import EOS, PAD, UNK


@pytest.fixture(scope="module")
def grammar(bundle_folder: Path) -> Grammar:
    found = Bundle.open(bundle_folder).grammar()
    assert found
    return found


# ---------------------------------------------------------------- lexemes


@pytest.mark.parametrize(
    ("lexeme", "wanted"),
    [
        ("x", "NAME"), ("lightDir", "NAME"), ("größe", "NAME"), ("_x", "NAME"), ("dot", "NAME"), ("f32", "f16 TYPE"),
        ("vec3f", "TYPE"), ("vec3", "TEMPLATE"), ("array", "TEMPLATE"), ("return", "return"), ("+=", "+="),
        ("size", "ATTRIBUTE NAME"), ("fragment", "MARK NAME"), ("position", "BUILTIN_VALUE NAME"), ("_", "_"),
        ("storage", "SPACE NAME"), ("read", "ACCESS NAME"), ("builtin", "builtin NAME"), ("f16", "f16 TYPE"),
        ("1", "NUMBER"), ("1u", "NUMBER"), (".5", "NUMBER"), ("1.", "NUMBER"), ("0x1Fu", "NUMBER"), ("1e-3f", "NUMBER"),
    ],
)  # fmt: skip
def test_what_a_lexeme_can_be(lexeme: str, wanted: str) -> None:
    assert set(classes(lexeme)) <= set(wanted.split()) and classes(lexeme)


@pytest.mark.parametrize("lexeme", ["target", "mod", "__x", "08", "1uu", "1.0.0", "0x", "1e", "2d"])
def test_words_and_numbers_that_wgsl_has_no_use_for(lexeme: str) -> None:
    assert classes(lexeme) == ()


# ---------------------------------------------------------------- the automaton


@pytest.mark.parametrize(
    "code",
    ["a + b * c", "x = 1.0;", "fn f() {}", "if (a) { b(); } else { c(); }", "(a & b) == c", "array<vec4<f32>>(x)"],
)
def test_well_formed(grammar: Grammar, code: str) -> None:
    assert grammar.fault(split(code)) is None


@pytest.mark.parametrize(
    ("code", "place"),
    [("a + * ;", 3), ("a & b == c", 3), ("a && b || c", 3), ("float x", 1), ("x ? y : z", 1), ("i++ + 1", 2),
     ("let target = 1.0;", 1), ("a +", 2), ("x = 1.0", 3), ("vec3<f32", 3), ("fn f() { return x }", 7), ("", 0),
     ("x = a; fn f() {}", 4), ("a = 1; b", 5)],
)  # fmt: skip
def test_the_first_fault_is_found(grammar: Grammar, code: str, place: int) -> None:
    assert grammar.fault(split(code)) == place


def test_equal_beginnings_share_their_states(grammar: Grammar) -> None:
    one = grammar.after(grammar.after(grammar.start(), "("), "x")
    other = grammar.after(grammar.after(grammar.start(), "("), "y")
    assert one == other and one[0] is other[0]


def test_what_is_kept_of_earlier_answers_is_bounded(grammar: Grammar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wgsl_infer.grammar._STATES_KEPT", 10)
    before = grammar.start()
    grammar.fault(split("f(g(h(i(j(k(l))))))"))
    assert grammar.start() is not before


# ---------------------------------------------------------------- tokens


def begin(grammar: Grammar, tokenizer: Tokenizer, prompt: str) -> Course:
    return Steering(grammar, tokenizer, tokenizer.encode_prompt(prompt)).begin()


def test_every_answer_of_the_corpus_is_admitted(
    grammar: Grammar, tokenizer: Tokenizer, pairs: Sequence[tuple[str, str]]
) -> None:
    for prompt, code in pairs:
        course: Course | None = begin(grammar, tokenizer, prompt)
        for token in tokenizer.encode_answer(code, tokenizer.encode_prompt(prompt).slots)[1:]:
            course = course and course.after(token)
            assert course, (prompt, token)
        assert course.ended


def test_a_lexeme_may_be_spelled_and_must_come_out_as_one(grammar: Grammar, tokenizer: Tokenizer) -> None:
    spell, letters = tokenizer.spelling_ids
    letter = {tokenizer.tokens[k][6:-1]: k for k in letters}

    def spelled(word: str) -> Course | None:
        course: Course | None = begin(grammar, tokenizer, "x").after(spell)
        for c in word:
            course = course and course.after(letter[c])
        return course and course.after(EOS)

    assert spelled("foo") and spelled("0.25")
    assert not spelled("target") and not spelled("0.2.5") and not spelled("")


def test_what_can_never_stand_in_an_answer(grammar: Grammar, tokenizer: Tokenizer) -> None:
    course = begin(grammar, tokenizer, "x")
    _, letters = tokenizer.spelling_ids
    assert not any(course.after(token) for token in (PAD, UNK, EOS, letters[0]))


def test_unsupported_is_a_whole_answer(grammar: Grammar, tokenizer: Tokenizer) -> None:
    course = begin(grammar, tokenizer, "x")
    refused = course.after(tokenizer.ids["<unsupported>"])
    assert refused and refused.after(EOS) and not refused.after(tokenizer.answer_ids[0])


def test_a_reserved_word_of_the_prompt_is_no_name(grammar: Grammar, tokenizer: Tokenizer) -> None:
    encoded = tokenizer.encode_prompt("length of targetPos and target")
    ids = {text: tokenizer.ids[token] for token, text in encoded.slots.references().items()}
    course = Steering(grammar, tokenizer, encoded).begin()
    assert course.after(ids["targetPos"])
    assert "target" not in ids or not course.after(ids["target"])


# ---------------------------------------------------------------- search


class Random:
    """A decoder that says anything."""

    def __init__(self, vocabulary: int, seed: int) -> None:
        self.columns, self.draw = np.arange(vocabulary), np.random.default_rng(seed)

    def step(self, tokens: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Logits without meaning."""
        return self.draw.normal(0.0, 3.0, (len(tokens), len(self.columns))).astype(np.float32)

    def select(self, rows: np.ndarray[Any, Any]) -> None:
        """Nothing depends on what came before."""


@pytest.mark.parametrize("seed", range(20))
def test_whatever_the_network_says_the_answer_is_well_formed(grammar: Grammar, tokenizer: Tokenizer, seed: int) -> None:
    encoded = tokenizer.encode_prompt("mix a and b by 0.25 in targetColor")
    mask = tokenizer.answer_mask(encoded.slots)
    guide: Guide = Steering(grammar, tokenizer, encoded).begin()
    found = [
        *greedy(Random(len(tokenizer), seed), mask[None], max_tokens=200, guides=[guide]),
        *beam(Random(len(tokenizer), seed), mask, width=4, max_tokens=60, guide=guide),
    ]
    for hypothesis in found:
        lexemes = tokenizer.decode_lexemes(hypothesis.ids, encoded.slots)
        place = None if lexemes == ["<unsupported>"] else grammar.fault(lexemes)
        # the last lexeme of an answer that is cut off may be half spelled
        assert place is None if hypothesis.complete else place in (None, len(lexemes), len(lexemes) - 1)


def test_a_guide_changes_nothing_where_the_answer_is_well_formed(
    generator: Generator, pairs: Sequence[tuple[str, str]]
) -> None:
    encoded = [generator.tokenizer.encode_prompt(prompt) for prompt, _ in pairs[:12]]
    settings = generator.settings()
    plain = generator._greedy(encoded, settings)
    steered = generator._greedy(encoded, settings, steered=True)
    assert [h.ids for h in plain] == [h.ids for h in steered]
    assert [h.log_probability for h in plain] == pytest.approx([h.log_probability for h in steered])


def test_a_malformed_answer_is_searched_again(generator: Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = generator._is_well_formed
    seen = []

    def refuse_first(candidate: Any) -> bool:
        seen.append(candidate)
        return len(seen) > 1 and whole(candidate)

    monkeypatch.setattr(generator, "_is_well_formed", refuse_first)
    steered = []
    search = generator._greedy

    def watch(*arguments: Any, **options: Any) -> Any:
        steered.append(options.get("steered", False))
        return search(*arguments, **options)

    monkeypatch.setattr(generator, "_greedy", watch)
    assert generator("normalize a vector").code
    assert steered == [False, True]


# ---------------------------------------------------------------- bundles


def test_a_bundle_without_a_grammar_answers(bundle_copy: Path) -> None:
    manifest = json.loads((bundle_copy / MANIFEST).read_text())
    del manifest["files"][GRAMMAR]
    (bundle_copy / MANIFEST).write_text(json.dumps(manifest))
    generator = Generator(bundle_copy)
    assert generator.bundle.grammar() is None
    assert generator("normalize a vector", beam=2).code


def test_a_damaged_grammar_is_refused_by_name(bundle_copy: Path) -> None:
    (bundle_copy / GRAMMAR).write_text("{}")
    with pytest.raises(BundleError, match=r"grammar\.json"):
        Generator(bundle_copy)
