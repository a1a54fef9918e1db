"""The Python API answers every prompt that its model knows, alone or in company, and says why it does not."""

from __future__ import annotations

import itertools
import math
import time
from pathlib import Path
from typing import Any

import pytest

from wgsl_infer import Answer, BundleError, Generator, UsageError
from wgsl_infer import generator as generator_module
from wgsl_infer.generator import MODEL_VARIABLE, find_bundle
from wgsl_infer.tokens import UNSUPPORTED

Pairs = list[tuple[str, str]]


@pytest.fixture(scope="module")
def generators(bundle_folder: Path, generator: Generator) -> dict[str, Generator]:
    return {"float32": generator, "int8": Generator(bundle_folder)}


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("width", [1, 2, 4])
def test_every_pair_of_the_corpus_is_answered_right(
    generators: dict[str, Generator], pairs: Pairs, precision: str, width: int
) -> None:
    answers = generators[precision].generate([prompt for prompt, _ in pairs], beam=width)
    for (prompt, code), answer in zip(pairs, answers, strict=True):
        assert answer.prompt == prompt
        assert answer.code == (None if code == UNSUPPORTED else code)


def test_the_bundle_says_which_precision_is_used(generators: dict[str, Generator]) -> None:
    assert {name: generator.precision for name, generator in generators.items()} == {
        "float32": "float32",
        "int8": "int8",
    }


@pytest.mark.parametrize("width", [1, 3])
def test_a_batch_of_mixed_lengths_answers_as_each_prompt_alone(generator: Generator, pairs: Pairs, width: int) -> None:
    prompts = [*[prompt for prompt, _ in pairs[::-1]], "", "dot product of a_b and c_d", "###", pairs[0][0]]
    together = generator.generate(prompts, beam=width)
    for prompt, answer in zip(prompts, together, strict=True):
        alone = generator(prompt, beam=width)
        assert (answer.prompt, answer.code, answer.reason) == (prompt, alone.code, alone.reason)
        assert answer.confidence == pytest.approx(alone.confidence, abs=1e-4)
        assert answer.score == (None if alone.score is None else pytest.approx(alone.score, abs=1e-4))


def test_more_prompts_than_one_batch_come_back_in_order(generator: Generator, pairs: Pairs) -> None:
    rows = [pairs[7 * k % len(pairs)] for k in range(75)]
    answers = generator.generate([prompt for prompt, _ in rows])
    assert [a.prompt for a in answers] == [prompt for prompt, _ in rows]
    assert [a.code or UNSUPPORTED for a in answers] == [code for _, code in rows]


def test_one_string_is_no_list_of_prompts(generator: Generator) -> None:
    with pytest.raises(TypeError, match="call the generator itself"):
        generator.generate("normalize a vector")


def test_no_prompts_no_answers(generator: Generator) -> None:
    assert generator.generate([]) == []


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("dot product of albedo_map2 and _v9", "dot(albedo_map2, _v9)"),
        ("clamp x between 0.123456789 and 98765", "clamp(x, 0.123456789, 98765.0)"),
        ("red at 12.5% alpha", "vec4<f32>(1.0, 0.0, 0.0, 0.125)"),
        ("the color #1a2b3c", "vec4<f32>(0.102, 0.169, 0.235, 1.0)"),
        ("rgb(17, 34, 51) as a vec3", "vec3<f32>(0.067, 0.133, 0.2)"),
        ("keep the bits of flags under 0xDEADBEEF", "flags & 0xDEADBEEFu"),
        ("Normalize a vector", "normalize(v)"),
    ],
)
def test_names_and_numbers_never_seen_go_the_same_way(generator: Generator, prompt: str, code: str) -> None:
    assert generator(prompt).code == code


def test_an_answer_has_a_score_a_confidence_and_a_time(generator: Generator) -> None:
    answer = generator("normalize a vector")
    assert answer.score is not None
    assert answer.score < 0 < answer.confidence < 1
    assert answer.ms > 0
    assert answer.alternatives == []
    assert answer.reason == ""


def test_score_and_confidence_tell_of_the_same_probability(generator: Generator) -> None:
    answer = generator("normalize a vector", length_penalty=0.0)
    assert answer.score == pytest.approx(math.log(answer.confidence))


def test_the_time_of_a_batch_is_shared_out_among_its_prompts(
    generator: Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = itertools.count(100.0, 0.25)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    assert [answer.ms for answer in generator.generate(["normalize a vector"] * 5)] == [50.0] * 5
    assert [answer.ms for answer in generator.generate(["normalize a vector"] * 5, beam=2)] == [250.0] * 5


def test_one_word_is_enough_of_a_prompt(generator: Generator) -> None:
    assert generator("normalize").code is not None


def test_what_the_model_was_taught_to_refuse_has_no_code(generator: Generator) -> None:
    answer = generator("what should I cook tonight", n_best=3)
    assert answer.code is None
    assert answer.reason == "the prompt asks for nothing the model can say"
    assert answer.confidence > 0.3
    assert all(other.code not in ("", UNSUPPORTED) for other in answer.alternatives)


# ---------------------------------------------------------------- n-best


@pytest.mark.parametrize("count", [2, 3, 5])
def test_alternatives_are_distinct_and_best_first(generator: Generator, pairs: Pairs, count: int) -> None:
    found = 0
    inside = [(prompt, code) for prompt, code in pairs if code != UNSUPPORTED]
    for prompt, code in inside:
        answer = generator(prompt, n_best=count)
        assert answer.code == code
        codes = [code, *(other.code for other in answer.alternatives)]
        assert len(set(codes)) == len(codes)
        scores = [answer.score or 0.0, *(other.score for other in answer.alternatives)]
        assert scores == sorted(scores, reverse=True)
        assert sum([answer.confidence, *(other.confidence for other in answer.alternatives)]) <= 1.0
        assert len(answer.alternatives) < count
        found += len(answer.alternatives)
    # of a narrow beam now and then no other answer is well-formed
    assert found > 0.9 * len(inside)


def test_no_more_alternatives_than_asked_for(generator: Generator) -> None:
    assert generator("normalize a vector", beam=6).alternatives == []
    assert len(generator("normalize a vector", beam=6, n_best=2).alternatives) == 1


def test_asking_for_more_answers_widens_the_beam(generator: Generator) -> None:
    assert generator.settings(n_best=4).beam == 4
    assert generator.settings(n_best=4, beam=9).beam == 9
    assert generator.settings().beam == 1


# ---------------------------------------------------------------- as it grows


def test_a_streamed_answer_grows_to_the_whole_one(generator: Generator, pairs: Pairs) -> None:
    for prompt, code in pairs:
        texts = list(generator.stream(prompt))
        if code == UNSUPPORTED:
            assert texts == []
            continue
        assert texts[-1] == code
        lexemes = [generator.tokenizer.language.split(text) for text in texts]
        assert all(len(a) <= len(b) for a, b in itertools.pairwise(lexemes))
        assert len(texts) > 1
    assert list(generator.stream("")) == []


def test_a_stream_can_be_left_and_be_limited(generator: Generator) -> None:
    whole = list(generator.stream("create a red color", style="short"))
    assert whole[-1] == "vec4f(1.0, 0.0, 0.0, 1.0)"
    assert next(iter(generator.stream("create a red color", style="short"))) == whole[0]
    assert list(generator.stream("create a red color", max_tokens=2, style="short")) == whole[:2]


# ---------------------------------------------------------------- style and limits


def test_the_short_style(generator: Generator) -> None:
    assert generator("create a red color", style="short").code == "vec4f(1.0, 0.0, 0.0, 1.0)"
    answer = generator("create a red color", style="short", n_best=3)
    assert all("vec4<f32>" not in other.code for other in answer.alternatives)


def test_an_answer_that_does_not_end_in_time_is_none(generator: Generator) -> None:
    answer = generator("repeat 10 times: double total", max_tokens=5)
    assert answer.code is None
    assert answer.reason == "no end within 5 tokens"
    assert (answer.score, answer.confidence) == (None, 0.0)
    assert answer.ms > 0


def test_the_limit_is_never_above_what_the_network_has_positions_for(generator: Generator) -> None:
    assert generator.settings(max_tokens=10**9).max_tokens == 126


@pytest.mark.parametrize("prompt", ["", "   ", "\t", "###", "@ ~ §", "\ud800", "\x00"])
def test_a_prompt_without_a_word_has_no_answer(generator: Generator, prompt: str) -> None:
    assert generator(prompt) == Answer(prompt, None, None, 0.0, reason="nothing in the prompt is a word")


def test_a_prompt_too_long_to_read_has_no_answer(generator: Generator) -> None:
    prompt = "normalize a vector " * 264
    assert len(prompt) > 5000
    answer = generator(prompt)
    assert answer.code is None
    assert answer.reason == "the prompt has 793 tokens, the model reads 128"


def test_the_longest_prompt_that_can_be_read_is_read(generator: Generator) -> None:
    assert "the model reads" in generator("a " * 128).reason
    assert "the model reads" not in generator("a " * 127).reason


@pytest.mark.parametrize(
    "prompt", ["x" * 5000, "9" * 5000, "0." + "9" * 5000, "#" * 5000, "9" * 5000 + "%", "_" * 5000]
)
def test_a_prompt_of_five_thousand_signs_is_no_trouble(generator: Generator, prompt: str) -> None:
    assert generator(prompt, beam=2).prompt == prompt


def test_answers_as_json(generator: Generator) -> None:
    row = generator("normalize a vector", n_best=2).to_json()
    assert list(row) == ["prompt", "code", "score", "confidence", "alternatives", "ms"]
    assert list(row["alternatives"][0]) == ["code", "score", "confidence"]
    row = generator("what should I cook tonight").to_json()
    assert list(row) == ["prompt", "code", "score", "confidence", "alternatives", "ms", "reason", "closest"]
    assert row["code"] is None


# ---------------------------------------------------------------- settings and bundles


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"beam": 0}, "at least 1"),
        ({"beam": -1}, "at least 1"),
        ({"n_best": 0}, "0 answers"),
        ({"n_best": 3, "beam": 2}, "3 answers need a beam at least as wide, not 2"),
        ({"max_tokens": 0}, "at least 1"),
        ({"length_penalty": -0.1}, "at least 0"),
        ({"style": "long"}, "full or short, not long"),
        ({"beem": 3}, "no setting beem"),
    ],
)
def test_settings_that_make_no_sense_are_refused(generator: Generator, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        generator("normalize a vector", **changes)


def test_settings_left_at_none_are_the_bundles(generator: Generator) -> None:
    assert generator.settings(beam=None, style=None, max_tokens=None) == generator.settings()


@pytest.mark.parametrize(
    "arguments", [{"threads": 0}, {"threads": -2}, {"precision": "int4"}, {"providers": ["AbacusExecutionProvider"]}]
)
def test_arguments_that_make_no_sense_are_refused(bundle_folder: Path, arguments: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Generator(bundle_folder, **arguments)


def test_the_folder_may_be_a_string_and_threads_may_be_given(bundle_folder: Path) -> None:
    for threads in (1, 2):
        assert Generator(str(bundle_folder), threads=threads)("normalize a vector").code == "normalize(v)"


def test_the_environment_names_the_bundle(monkeypatch: pytest.MonkeyPatch, bundle_folder: Path) -> None:
    monkeypatch.setenv(MODEL_VARIABLE, str(bundle_folder))
    assert MODEL_VARIABLE == "WGSL_INFER_MODEL"
    assert Generator()("normalize a vector").code == "normalize(v)"


def test_the_argument_goes_before_the_environment_and_that_before_the_package(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(generator_module, "_BUNDLED", tmp_path)
    assert find_bundle(None) == tmp_path
    monkeypatch.setenv(MODEL_VARIABLE, "from/environment")
    assert find_bundle(None) == Path("from/environment")
    assert find_bundle("given") == Path("given")
    monkeypatch.setenv(MODEL_VARIABLE, "")
    assert find_bundle(None) == tmp_path


def test_without_any_bundle_the_error_says_how_to_name_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(generator_module, "_BUNDLED", tmp_path / "none")
    with pytest.raises(BundleError, match=r"--model DIR.*WGSL_INFER_MODEL"):
        Generator()
