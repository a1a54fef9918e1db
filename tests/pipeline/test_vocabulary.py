"""The vocabulary holds what words mean, and leaves to slots what answers copy."""

from __future__ import annotations

import random

import pytest

from builders import PAIRS, Pair
from wgsl_infer.errors import TokenizerError
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.tokens import ANSWER, NAME, PROMPT, UNSUPPORTED, reserved_tokens
from wgsl_pipeline.settings import TokenizerSettings
from wgsl_pipeline.vocabulary import learn_tokenizer


def learn(pairs: list[Pair], **settings: object) -> Tokenizer:
    return learn_tokenizer(lambda: iter(pairs), TokenizerSettings(**settings))  # type: ignore[arg-type]


def uses(pairs: list[Pair], **settings: object) -> dict[str, int]:
    """What each learned token can be."""
    tokenizer = learn(pairs, **settings)
    return dict(zip(tokenizer.tokens[len(reserved_tokens()) :], tokenizer.uses, strict=True))


def test_a_word_enters_for_its_meaning() -> None:
    found = uses([("normalize velocity", "normalize(velocity)")])
    assert found == {"normalize": PROMPT | ANSWER, "(": ANSWER, ")": ANSWER}


def test_a_word_that_is_always_copied_does_not_enter() -> None:
    tokenizer = learn([("length of velocity", "length(velocity)")])
    assert "velocity" not in tokenizer.tokens
    encoded = tokenizer.encode_prompt("length of velocity")
    assert [tokenizer.tokens[k] for k in encoded.ids] == ["length", "of", "<name0>", "<eos>"]
    assert tokenizer.decode(tokenizer.encode_answer("length(velocity)", encoded.slots), encoded.slots) == (
        "length(velocity)"
    )


def test_a_word_both_meant_and_copied_is_marked_as_a_name_too() -> None:
    found = uses([("wind speed", "length(w)"), ("unit vector of wind", "normalize(wind)")])
    assert found["wind"] == PROMPT | NAME
    assert found["speed"] == PROMPT


def test_a_single_letter_is_never_marked_as_a_name() -> None:
    found = uses([("a red color", "vec3<f32>(1.0, 0.0, 0.0)"), ("absolute value of a", "abs(a)")])
    assert found["a"] == PROMPT | ANSWER


def test_swizzles_attributes_and_the_languages_own_words_are_no_names() -> None:
    pairs = [("swap x and y of xy", "v.yx"), ("fragment shader", "@fragment fn main() {}"), ("float", "f32(v)")]
    pairs += [("take the rgb part", "v.rgb"), ("fragment color", "v.rgb"), ("an f32 cast", "f32(v)")]
    found = uses(pairs)
    assert [word for word in ("rgb", "fragment", "f32") if not found[word] & PROMPT or found[word] & NAME] == []


def test_a_lexeme_taken_from_the_prompt_does_not_enter() -> None:
    found = uses([("clamp heat between 0.25 and 77", "clamp(heat, 0.25, 77.0)"), ("clamp x", "clamp(x, 5.5, 6.5)")])
    assert {token for token, use in found.items() if use & ANSWER} == {"clamp", "(", ")", ",", "5.5", "6.5"}


def test_small_numbers_are_there_already() -> None:
    found = uses([("2 times x", "2.0 * x")])
    assert "2" not in found
    assert "2.0" not in found


def test_min_freq_counts_meanings_and_uncopied_lexemes() -> None:
    pairs = [("wind up", "ceil(w)"), ("the wind", "length(wind)"), ("half of wind", "wind * 0.5"), ("up", "ceil(w)")]
    found = uses(pairs, min_freq=2)
    assert set(found) == {"up", "ceil", "(", ")", "w"}
    # the third use of wind is no copy, and now there are two of them
    assert uses([*pairs, ("wind", "w")], min_freq=2)["wind"] == PROMPT | NAME


def test_words_are_folded_only_on_request_and_names_keep_their_case() -> None:
    pairs = [("Normalize it", "normalize(v)"), ("NORMALIZE it", "normalize(v)"), ("use lightDir", "normalize(v)")]
    folded = uses(pairs, lowercase=True)
    assert {"Normalize", "NORMALIZE"}.isdisjoint(folded)
    assert {"normalize", "lightDir"} <= folded.keys()
    assert {"Normalize", "NORMALIZE"} <= uses(pairs, lowercase=False).keys()


def test_an_unsupported_prompt_teaches_its_words_and_no_lexemes() -> None:
    found = uses([("what should I cook", UNSUPPORTED), ("sine of x", "sin(x)")])
    assert found["cook"] == PROMPT
    assert UNSUPPORTED not in found
    assert {"<", "unsupported", ">"}.isdisjoint(found)


def test_the_most_frequent_come_first_and_ties_go_by_spelling() -> None:
    tokenizer = learn([("b a a", "q"), ("c a", "q"), ("b", "q")])
    assert tokenizer.tokens[len(reserved_tokens()) :] == ["a", "q", "b", "c"]


def test_the_order_of_the_pairs_does_not_matter() -> None:
    shuffled = random.Random(1).sample(PAIRS * 4, len(PAIRS) * 4)
    for phrases in (0, 16):
        tokenizers = [learn(pairs, phrases=phrases) for pairs in (PAIRS * 4, shuffled)]
        assert tokenizers[0].fingerprint == tokenizers[1].fingerprint
        assert len(tokenizers[0].phrases.merges) == phrases


def test_phrases_shorten_answers_and_change_none() -> None:
    plain, phrased = learn(PAIRS * 4), learn(PAIRS * 4, phrases=16)
    lengths = []
    for tokenizer in (plain, phrased):
        ids = []
        for prompt, code in PAIRS:
            slots = tokenizer.encode_prompt(prompt).slots
            ids.append(tokenizer.encode_answer(code, slots))
            assert tokenizer.decode(ids[-1], slots) == code
        lengths.append(sum(map(len, ids)))
    assert lengths[1] < 0.9 * lengths[0]


def test_the_words_of_an_unknown_language_are_those_that_some_prompt_lacks() -> None:
    pairs = [("remember camp", 'mark("camp")'), ("mark it as pier", 'mark("pier")'), ("the camp site", "site()")]
    found = uses(pairs, tokenizer_type="plain")
    assert "pier" not in found  # always copied
    assert found["mark"] == PROMPT | ANSWER  # the language's own: an answer had it from elsewhere
    assert found["camp"] == PROMPT | NAME  # copied once, and once meant
    assert "site" not in found  # for all one can tell, a name


@pytest.mark.parametrize("code", ["/* never closed", "x /* a"])
def test_code_that_cannot_be_split_is_an_error(code: str) -> None:
    with pytest.raises(TokenizerError):
        learn([("bad", code)])
