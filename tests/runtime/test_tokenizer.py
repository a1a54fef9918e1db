"""Prompts and answers become token ids and come back."""

from __future__ import annotations

import numpy as np
import pytest

from runtime_builders import VOCABULARY, make, merge_of
from wgsl_infer import Tokenizer, TokenizerError
from wgsl_infer.slots import Slots
from wgsl_infer.tokens import ANSWER, EOS, FUNCTION, PAD, PROMPT, SOS, SPECIAL_TOKENS, SPELL, UNK, UNSUPPORTED

TOKENIZER = make()
BLANK = Tokenizer([], [])


def read(prompt: str, tokenizer: Tokenizer = TOKENIZER) -> tuple[str, dict[str, list[str]]]:
    """The tokens of a prompt between blanks, and the values its slots hold."""
    encoded = tokenizer.encode_prompt(prompt)
    assert encoded.ids[-1] == EOS
    values = {family: texts for family, texts in encoded.slots.values.items() if texts}
    return " ".join(tokenizer.tokens[k] for k in encoded.ids[:-1]), values


# ---------------------------------------------------------------- prompts


def test_special_tokens_have_the_first_ids() -> None:
    assert TOKENIZER.tokens[:4] == list(SPECIAL_TOKENS) == ["<pad>", "<unk>", "<sos>", "<eos>"]
    assert (PAD, UNK, SOS, EOS) == (0, 1, 2, 3)


@pytest.mark.parametrize(
    ("prompt", "tokens", "names"),
    [
        # a known word is its meaning alone
        ("normalize a vector", "normalize a vector", []),
        ("a RGB vector", "a RGB vector", []),
        # a capital at the start of a sentence says nothing
        ("Normalize a vector", "normalize a vector", []),
        ("a. Normalize a! Vector? Of: A", "a normalize a vector of a", []),
        # elsewhere it may be a name
        ("a Vector", "a vector <name0>", ["Vector"]),
        ("NORMALIZE a vector", "normalize <name0> a vector", ["NORMALIZE"]),
        ("norMalize", "normalize <name0>", ["norMalize"]),
        # a word that is also used as a name carries a slot wherever it stands
        ("a color", "a color <name0>", ["color"]),
        ("Color of a", "color <name0> of a", ["color"]),
        ("of Color", "of color <name0>", ["Color"]),
        # a slip of the keys may be one, or a name
        ("normalise a vctor", "normalize <name0> a vector <name1>", ["normalise", "vctor"]),
        ("Normalise a vector", "normalize <name0> a vector", ["Normalise"]),
        # what looks like a name is no slip
        ("Vectorr_", "<name0>", ["Vectorr_"]),
        ("a vectoR9", "a <name0>", ["vectoR9"]),
        # unknown words are names
        ("dot of lightDir, n0", "dot of <name0> , <name1>", ["lightDir", "n0"]),
        ("LightDir", "<name0>", ["LightDir"]),
        ("Wibble of wibble", "<name0> of <name1>", ["Wibble", "wibble"]),
        ("n0 of n0 of n1", "<name0> of <name0> of <name1>", ["n0", "n1"]),
        ("größe of 名前", "<name0> of <name1>", ["größe", "名前"]),
        # unknown signs say nothing
        ("a ; # ~ vector", "a vector", []),
        ("a, vector", "a , vector", []),
        ("", "", []),
    ],
)
def test_a_word_is_its_meaning_or_a_name_or_both(prompt: str, tokens: str, names: list[str]) -> None:
    assert read(prompt) == (tokens, {"name": names} if names else {})


@pytest.mark.parametrize(
    ("prompt", "tokens", "values"),
    [
        ("0 1 2 3 4", "0 1 2 3 4", {}),
        ("03 and 1e0", "3 <name0> 1", {"name": ["and"]}),
        ("0.0 1.0 4.00", "0.0 1.0 4.0", {}),
        ("5 7 5", "<int0> <int1> <int0>", {"int": ["5", "7"]}),
        ("0.25 .25 2.50", "<float0> <float0> <float1>", {"float": ["0.25", "2.5"]}),
        ("40% 12.5%", "<percent0> <percent1>", {"percent": ["40", "12.5"]}),
        ("#ff8800 0xff", "<hex0> <hex1>", {"hex": ["#ff8800", "0xff"]}),
        ("5 5.0", "<int0> <float0>", {"int": ["5"], "float": ["5.0"]}),
    ],
)
def test_small_numbers_are_words_and_others_are_slots(prompt: str, tokens: str, values: dict[str, list[str]]) -> None:
    assert read(prompt) == (tokens, values)


def test_a_color_without_its_hash_is_one_in_wgsl_alone() -> None:
    assert read("color 1e90ff") == ("color <name0> <hex0>", {"name": ["color"], "hex": ["#1e90ff"]})
    assert "hex" not in read("color 1e90ff", Tokenizer([], [], kind="plain"))[1]


def test_values_past_the_capacity_are_dropped() -> None:
    tokens, values = read(" ".join(f"name_{k}" for k in range(13)) + " name_3")
    assert tokens == " ".join(f"<name{k}>" for k in range(12)) + " <name3>"
    assert values == {"name": [f"name_{k}" for k in range(12)]}


@pytest.mark.parametrize(
    ("lowercase", "word", "folded"),
    [
        (True, "Vector", "vector"),
        (True, "VECTOR", "vector"),
        (True, "vector", "vector"),
        (True, "lightDir", "lightDir"),
        (False, "Vector", "Vector"),
        (False, "VECTOR", "VECTOR"),
    ],
)
def test_words_are_counted_in_lower_case_unless_spelled_like_a_name(lowercase: bool, word: str, folded: str) -> None:
    assert make(lowercase=lowercase).fold(word) == folded


def test_the_rest_of_an_apostrophe_is_never_a_name() -> None:
    tokenizer = Tokenizer(["what", "red"], [PROMPT, PROMPT])
    assert tokenizer.encode_prompt("what's red").slots.values["name"] == []


def test_what_begins_with_a_digit_is_no_name() -> None:
    tokenizer = Tokenizer(["2d", "point"], [PROMPT, PROMPT], lowercase=True)
    for text in ("2D point", "2d point"):
        encoded = tokenizer.encode_prompt(text)
        assert not encoded.slots.values["name"]
        assert [tokenizer.tokens[k] for k in encoded.ids[:-1]] == ["2d", "point"]


# ---------------------------------------------------------------- answers


def round_trip(tokenizer: Tokenizer, prompt: str, code: str) -> str:
    slots = tokenizer.encode_prompt(prompt).slots
    return tokenizer.decode(tokenizer.encode_answer(code, slots), slots)


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("dot of foo_Bar9 and __x", "dot(foo_Bar9, __x)"),
        ("98765432109876543210", "98765432109876543210.0"),
        ("98765432109876543210", "98765432109876543210u"),
        ("0.12345678901234567890123456789", "vec3<f32>(0.12345678901234567890123456789)"),
        ("1e-7 of 33.25%", "vec2<f32>(0.0000001, 0.3325)"),
        ("rgb 17 34 51", "vec3<f32>(0.067, 0.133, 0.2)"),
        ("#1a2b3c4d", "vec4<f32>(0.102, 0.169, 0.235, 0.302)"),
        ("0xDEADBEEF", "0xDEADBEEFu"),
        ("größe of 名前", "größe * 名前"),
    ],
)
def test_unknown_names_and_numbers_come_back_exactly_and_unspelled(prompt: str, code: str) -> None:
    slots = BLANK.encode_prompt(prompt).slots
    learned = sorted({"vec2", "vec3", "vec4", "f32", "dot", *"<>(),*"})
    tokenizer = Tokenizer(learned, [ANSWER] * len(learned))
    ids = tokenizer.encode_answer(code, slots)
    assert UNK not in ids
    assert tokenizer.ids[SPELL] not in ids
    assert tokenizer.decode(ids, slots) == code


CODES = [
    ("normalize( v )", "normalize(v)"),
    ("vec3<f32>(0.5)//half", "vec3<f32>(0.5)"),
    ("let x=0.5;", "let x = 0.5;"),
    ("array<vec4<f32>>(a,b)>>2u", "array<vec4<f32>>(a, b) >> 2u"),
    ("fn f(p:ptr<function,i32>){*p+=-1;}", "fn f(p: ptr<function, i32>) {\n    *p += -1;\n}"),
    ("0x1p-4f + 1.5e+3", "0x1p-4f + 1.5e+3"),
    ("A_very_Long9Name.xyzw", "A_very_Long9Name.xyzw"),
    ("2u+3+0.0", "2u + 3 + 0.0"),
]


SIGNS = "( ) , ; : < > << >> * += { } = + -".split()  # these are learnt, never spelled


@pytest.mark.parametrize(("code", "formatted"), CODES)
@pytest.mark.parametrize("words", [[], ["normalize", "v", "vec3", "f32", "fn", "let", "array", "0.5"]], ids=len)
def test_code_comes_back_formatted_whatever_the_vocabulary_knows(words: list[str], code: str, formatted: str) -> None:
    tokenizer = Tokenizer([*SIGNS, *words], [ANSWER] * len([*SIGNS, *words]))
    ids = tokenizer.encode_answer(code, Slots())
    assert tokenizer.decode(ids, Slots()) == formatted
    assert tokenizer.encode_answer(formatted, Slots()) == ids
    assert ids[0] == SOS
    assert ids[-1] == EOS
    assert UNK not in ids


def test_a_lexeme_outside_the_vocabulary_is_spelled() -> None:
    ids = TOKENIZER.encode_answer("dot", Slots()), TOKENIZER.encode_answer("x_9", Slots())
    assert [TOKENIZER.tokens[k] for k in ids[0]] == ["<sos>", "dot", "<eos>"]
    assert [TOKENIZER.tokens[k] for k in ids[1]] == ["<sos>", "<spell>", "<char:x>", "<char:_>", "<char:9>", "<eos>"]


def test_two_spelled_lexemes_stay_apart() -> None:
    assert TOKENIZER.decode_lexemes(TOKENIZER.encode_answer("xy zw", Slots()), Slots()) == ["xy", "zw"]


def test_a_prompt_word_is_no_lexeme_unless_marked() -> None:
    assert TOKENIZER.ids["vector"] not in TOKENIZER.encode_answer("vector", Slots())


def test_only_a_letter_that_cannot_be_spelled_is_unknown() -> None:
    assert TOKENIZER.encode_answer("größe", Slots()) == [SOS, UNK, EOS]


def test_the_answer_outside_the_domain_is_one_token() -> None:
    ids = TOKENIZER.encode_answer(f"  {UNSUPPORTED}\n", Slots())
    assert ids == [SOS, TOKENIZER.ids[UNSUPPORTED], EOS]
    assert TOKENIZER.decode(ids, Slots()) == UNSUPPORTED


def test_reading_stops_at_the_end_and_skips_padding() -> None:
    dot = TOKENIZER.ids["dot"]
    assert TOKENIZER.decode_lexemes([SOS, PAD, dot, PAD, dot, EOS, dot], Slots()) == ["dot", "dot"]


def test_the_short_style_is_a_matter_of_printing() -> None:
    ids = TOKENIZER.encode_answer("vec3<f32>(0.5)", Slots())
    assert TOKENIZER.decode(ids, Slots(), style="full") == "vec3<f32>(0.5)"
    assert TOKENIZER.decode(ids, Slots(), style="short") == "vec3f(0.5)"


def test_code_that_cannot_be_split_is_an_error() -> None:
    with pytest.raises(TokenizerError, match="comment"):
        TOKENIZER.encode_answer("a /* b", Slots())


def test_phrases_shorten_answers_and_change_nothing_else() -> None:
    first = len(TOKENIZER)
    merges = [merge_of("vec3", "<"), merge_of("f32", ">"), (first, first + 1), (first + 2, merge_of("(")[0])]
    phrased = make(merges=merges)
    code = "dot(vec3<f32>(0.5), v)"
    ids, plain = phrased.encode_answer(code, Slots()), TOKENIZER.encode_answer(code, Slots())
    assert len(phrased) == first + 4
    assert len(ids) == len(plain) - 4
    assert ids[3] == first + 3
    assert phrased.decode(ids, Slots()) == phrased.decode(plain, Slots()) == code


def test_every_pair_of_the_fixture_corpus_comes_back(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    for prompt, code in pairs:
        assert round_trip(tokenizer, prompt, code) == code


def test_answers_in_another_language_keep_their_layout() -> None:
    code = "SELECT *  FROM t\n  WHERE x = 'y'"
    pieces = ["SELECT", "*", "FROM", "t", "WHERE", "x", "y", " ", "  ", "\n  ", "'", "="]
    tokenizer = Tokenizer(pieces, [ANSWER] * len(pieces), kind="plain")
    assert round_trip(tokenizer, "all of t", code) == code
    assert tokenizer.decode(tokenizer.encode_answer("SELECT x", Slots()), Slots(), style="short") == "SELECT x"


# ---------------------------------------------------------------- mask


def test_an_answer_may_hold_lexemes_spelling_phrases_and_the_slots_of_its_prompt() -> None:
    tokenizer = make(merges=[merge_of("vec3", "<")])
    slots = tokenizer.encode_prompt("lightDir of 0xff").slots
    mask = tokenizer.answer_mask(slots)
    assert mask.dtype == np.bool_
    assert mask.shape == (len(tokenizer),)
    allowed = {tokenizer.tokens[k] for k in np.flatnonzero(mask[:-1])}
    assert mask[-1], "the phrase"
    assert {"<eos>", UNSUPPORTED, SPELL, "<char:a>", "<char:->", "<name0>", "<hex0>", "<hex0:u32>"} <= allowed
    assert {t for t, use in VOCABULARY.items() if use & ANSWER} <= allowed
    assert {"0", "1.0", "4u"} <= allowed
    assert not allowed & {"<pad>", "<unk>", "<sos>", "<name1>", "<int0>", "<hex0:r>", "vector", "of", "color"}


def test_whatever_an_answer_encodes_to_is_allowed(tokenizer: Tokenizer, pairs: list[tuple[str, str]]) -> None:
    for prompt, code in pairs:
        slots = tokenizer.encode_prompt(prompt).slots
        assert tokenizer.answer_mask(slots)[tokenizer.encode_answer(code, slots)[1:]].all()


FUNCTIONS = make(learned=["fn", "(", ")", "{", "}", "v", "return", ";", "color"], uses=[ANSWER] * 8 + [PROMPT | ANSWER])


def test_a_function_that_the_prompt_does_not_name_is_named_after_the_prompt() -> None:
    encoded = FUNCTIONS.encode_prompt("function to normalize a color")
    ids = FUNCTIONS.encode_answer("fn zzzz() { return v; }", encoded.slots)
    assert FUNCTIONS.ids[FUNCTION] in ids
    assert FUNCTIONS.decode(ids, encoded.slots) == "fn normalizeColor() {\n    return v;\n}"
    assert FUNCTIONS.answer_mask(encoded.slots)[ids[1:]].all()


def test_that_name_is_no_other_name_of_the_answer() -> None:
    encoded = FUNCTIONS.encode_prompt("color function")
    ids = FUNCTIONS.encode_answer("fn zzzz() { return color; }", encoded.slots)
    assert FUNCTIONS.decode(ids, encoded.slots) == "fn getColor() {\n    return color;\n}"


def test_of_a_compound_name_the_model_is_shown_the_words_that_it_knows_once() -> None:
    assert read("normalize vectorOfFog, then vectorOfFog") == (
        "normalize vector of <name0> , <name1> <name0>",
        {"name": ["vectorOfFog", "then"]},
    )


def test_a_longer_name_of_which_the_model_knows_no_word_stands_for_an_input() -> None:
    tokenizer = make(learned=["normalize", "input"], uses=[PROMPT, PROMPT])
    assert read("normalize qzxv_7 qzxv_7 q", tokenizer)[0] == "normalize input <name0> <name0> <name1>"
    assert read("normalize qzxv_7")[0] == "normalize <name0>"
