"""Values go from the prompt to the answer under the conversion that the answer asks for."""

from __future__ import annotations

import pytest

from wgsl_infer.slots import (
    CAPACITY,
    CONVERSIONS,
    Slots,
    all_tokens,
    convert,
    hex_channels,
    number_family,
    reference_token,
    source_token,
)


def test_capacities_are_part_of_every_tokenizer_and_stay_as_they_are() -> None:
    assert CAPACITY == {"name": 12, "int": 12, "float": 12, "percent": 4, "hex": 4}


def test_all_tokens_are_distinct_and_complete() -> None:
    tokens = list(all_tokens())
    assert len(tokens) == len(set(tokens)) == 1 + sum(CAPACITY[f] * len(CONVERSIONS[f]) for f in CAPACITY)
    assert tokens[0] == "<function>"
    assert {"<name0>", "<int11:byte>", "<float3>", "<percent0>", "<hex2:g>", "<int0>", "<hex3>"} <= set(tokens)


def test_a_reference_without_conversion_is_the_prompts_own_token() -> None:
    assert reference_token("int", 3, "") == source_token("int", 3) == "<int3>"
    assert reference_token("hex", 0, "r") == "<hex0:r>"


# ---------------------------------------------------------------- values


@pytest.mark.parametrize(
    ("text", "family", "value"),
    [
        ("7", "int", "7"),
        ("007", "int", "7"),
        ("1e3", "int", "1000"),
        ("12E2", "int", "1200"),
        ("0.5", "float", "0.5"),
        (".5", "float", "0.5"),
        ("2.", "float", "2.0"),
        ("2.50", "float", "2.5"),
        ("3.0", "float", "3.0"),
        ("1e-3", "float", "0.001"),
        ("1.5e3", "float", "1500.0"),
        ("10e-1", "float", "1.0"),
        ("0.1234567890123456789012345678901234", "float", "0.1234567890123456789012345678901234"),
        ("12345678901234567890123456789012345", "int", "12345678901234567890123456789012345"),
        ("٣", "int", "3"),
    ],
)
def test_numbers_as_typed(text: str, family: str, value: str) -> None:
    assert number_family(text) == (family, value)


CONVERTED = [
    ("name", "lightDir", "", "lightDir"),
    ("int", "7", "", "7"),
    ("int", "7", "f32", "7.0"),
    ("int", "7", "u32", "7u"),
    ("int", "255", "byte", "1.0"),
    ("int", "128", "byte", "0.502"),
    ("int", "12", "byte", "0.047"),
    ("int", "65", "percent", "0.65"),
    ("int", "100", "percent", "1.0"),
    ("int", "9" * 60, "f32", "9" * 60 + ".0"),
    ("int", "9" * 60, "percent", "9" * 58 + ".99"),
    ("int", "255" + "0" * 5000, "byte", "1" + "0" * 5000 + ".0"),
    ("float", "0.15", "", "0.15"),
    ("percent", "40", "", "0.4"),
    ("percent", "12.5", "", "0.125"),
    ("percent", "250", "", "2.5"),
    ("percent", "0.1234567890123456789012345678901", "", "0.001234567890123456789012345678901"),
    ("hex", "#ff8800", "", "#ff8800"),
    ("hex", "0xff", "", "0xff"),
    ("hex", "0xff", "u32", "0xffu"),
    ("hex", "#ff8800", "r", "1.0"),
    ("hex", "#ff8800", "g", "0.533"),
    ("hex", "#ff8800", "b", "0.0"),
    ("hex", "#ff8800", "a", "1.0"),
    ("hex", "#33669980", "a", "0.502"),
    ("hex", "0x336699", "g", "0.4"),
    # no color, no channel; a color is no integer
    ("hex", "0xfff", "r", None),
    ("hex", "0xffff", "a", None),
    ("hex", "#12345", "r", None),
    ("hex", "#ff8800", "u32", None),
]


@pytest.mark.parametrize(("family", "value", "conversion", "text"), CONVERTED)
def test_conversions(family: str, value: str, conversion: str, text: str | None) -> None:
    assert convert(family, value, conversion) == text


def test_every_conversion_of_every_family_is_tried_above() -> None:
    tried = {(family, conversion) for family, _, conversion, _ in CONVERTED}
    assert tried == {(family, c) for family, conversions in CONVERSIONS.items() for c in conversions}


@pytest.mark.parametrize(
    ("value", "channels"),
    [
        ("#f80", (255, 136, 0, 255)),
        ("#f808", (255, 136, 0, 136)),
        ("#FF8800", (255, 136, 0, 255)),
        ("#ff880040", (255, 136, 0, 64)),
        ("0xff8800", (255, 136, 0, 255)),
        ("0Xff880040", (255, 136, 0, 64)),
        ("0xf80", None),
        ("0xf808", None),
        ("0x1", None),
        ("#ff880", None),
        ("#ff88001", None),
    ],
)
def test_hexadecimal_colors_of_every_length(value: str, channels: tuple[int, int, int, int] | None) -> None:
    assert hex_channels(value) == channels


# ---------------------------------------------------------------- slots of one prompt


def test_values_are_numbered_by_first_appearance_within_their_family() -> None:
    slots = Slots()
    added = [slots.add(*row) for row in [("name", "n0"), ("int", "7"), ("name", "l"), ("name", "n0"), ("float", "0.5")]]
    assert added == ["<name0>", "<int0>", "<name1>", "<name0>", "<float0>"]
    assert slots.uses == {"<name0>": 2, "<int0>": 1, "<name1>": 1, "<float0>": 1}


@pytest.mark.parametrize("family", list(CAPACITY))
def test_a_full_family_takes_no_further_value_but_knows_its_own(family: str) -> None:
    slots = Slots()
    for k in range(CAPACITY[family]):
        assert slots.add(family, f"{k}") == f"<{family}{k}>"
    assert slots.add(family, "999") is None
    assert slots.add(family, "0") == f"<{family}0>"
    assert len(slots.values[family]) == CAPACITY[family]
    assert slots.uses[f"<{family}0>"] == 2


def test_references_are_those_that_have_a_text() -> None:
    slots = Slots()
    slots.add("hex", "0xff")
    slots.add("int", "7")
    assert slots.references() == {
        "<int0:f32>": "7.0",
        "<int0>": "7",
        "<int0:u32>": "7u",
        "<int0:byte>": "0.027",
        "<int0:percent>": "0.07",
        "<hex0>": "0xff",
        "<hex0:u32>": "0xffu",
    }


def test_two_prompts_share_nothing() -> None:
    Slots().add("name", "n0")
    assert Slots().references() == {}


# ---------------------------------------------------------------- alignment


def _aligned(values: list[tuple[str, str]], literals: str) -> list[str | None]:
    slots = Slots()
    for family, value in values:
        slots.add(family, value)
    aligner = slots.aligner()
    return [aligner.reference(literal) for literal in literals.split()]


def test_an_unusual_literal_is_read_as_copied_every_time() -> None:
    assert _aligned([("float", "0.15")], "0.15 0.15 0.16") == ["<float0>", "<float0>", None]


def test_a_usual_literal_is_read_as_copied_once_for_every_time_it_is_in_the_prompt() -> None:
    assert _aligned([("int", "255")], "1.0 1.0") == ["<int0:byte>", None]
    assert _aligned([("int", "255"), ("int", "255")], "1.0 1.0 1.0") == ["<int0:byte>", "<int0:byte>", None]


def test_each_conversion_has_a_count_of_its_own() -> None:
    assert _aligned([("hex", "#ff00ff")], "1.0 0.0 1.0 1.0 1.0") == [
        "<hex0:r>",
        "<hex0:g>",
        "<hex0:b>",
        "<hex0:a>",
        None,
    ]


def test_values_of_equal_text_are_taken_in_turn() -> None:
    assert _aligned([("percent", "50"), ("int", "50")], "0.5 0.5 0.5") == [
        "<int0:percent>",
        "<percent0>",
        "<int0:percent>",
    ]


def test_conversions_are_tried_in_order() -> None:
    assert _aligned([("int", "7")], "7.0 7 7u 0.027 0.07 8") == [
        "<int0:f32>",
        "<int0>",
        "<int0:u32>",
        "<int0:byte>",
        "<int0:percent>",
        None,
    ]


def test_a_new_answer_begins_with_full_counts() -> None:
    slots = Slots()
    slots.add("int", "255")
    assert slots.aligner().reference("1.0") == slots.aligner().reference("1.0") == "<int0:byte>"


# ---------------------------------------------------------------- a function without a name


def test_a_requested_function_that_the_prompt_does_not_name_is_a_slot() -> None:
    slots = Slots(function="wrapAngle")
    assert slots.references() == {"<function>": "wrapAngle"}
    aligner = slots.aligner("wrapPi")
    assert [aligner.reference(lexeme) for lexeme in ("fn", "wrapPi", "wrapAngle")] == [None, "<function>", None]


def test_a_function_that_the_prompt_names_is_a_name_like_any_other() -> None:
    slots = Slots(function="wrap")
    slots.add("name", "wrapPi")
    assert slots.aligner("wrapPi").reference("wrapPi") == "<name0>"


def test_without_a_name_to_give_the_model_spells_its_own() -> None:
    assert Slots().aligner("wrapPi").reference("wrapPi") is None
