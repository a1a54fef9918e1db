"""A prompt falls into the pieces that a writer of WGSL means."""

from __future__ import annotations

import pytest

from wgsl_infer.english import parts, pieces, with_hashes


@pytest.mark.parametrize(
    ("prompt", "texts"),
    [
        ("normalize a vector", "normalize a vector"),
        ("Clamp x, please!", "Clamp x , please !"),
        ("lightDir and albedo_map2", "lightDir and albedo_map2"),
        ("it's what you're after", "it 's what you 're after"),
        ("the light's color", "the light 's color"),
        ("'quoted'", "' quoted '"),
        ("x=y+1", "x = y + 1"),
        ("a->b => c ** 2", "a -> b => c ** 2"),
        ("i++ and x*=2", "i ++ and x *= 2"),
        ("a<=b && !c", "a <= b && ! c"),
        ("rgb(255, 0, 7)", "rgb ( 255 , 0 , 7 )"),
        ("größe café", "größe café"),
        ("", ""),
        (" \t\n", ""),
    ],
)
def test_words_and_signs(prompt: str, texts: str) -> None:
    assert [piece.text for piece in pieces(prompt)] == texts.split()


@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("2d noise in 3D", "word:2d word:noise word:in word:3D"),
        ("a 3x3 matrix", "word:a word:3x3 word:matrix"),
        ("an 8x6 grid", "word:an number:8 word:x number:6 word:grid"),
        ("5d", "number:5 word:d"),
        ("from 0..1", "word:from number:0 sign:.. number:1"),
        ("0.5 and .25", "number:0.5 word:and number:.25"),
        ("(1., 2.)", "sign:( number:1. sign:, number:2. sign:)"),
        ("up to 3.", "word:up word:to number:3 sign:."),
        ("version 1.2.3", "word:version number:1.2 sign:. number:3"),
        ("1e3 2.5E-2", "number:1e3 number:2.5E-2"),
        ("3u 2.5f", "number:3 word:u number:2.5 word:f"),
        ("-4", "sign:- number:4"),
        ("2em", "number:2 word:em"),
        # an exponent that no float has is none
        ("1e999999999", "number:1 word:e999999999"),
    ],
)
def test_numbers_and_dimensions(prompt: str, kinds: str) -> None:
    assert [f"{piece.kind}:{piece.text}" for piece in pieces(prompt)] == kinds.split()


@pytest.mark.parametrize(
    ("prompt", "kinds"),
    [
        ("40% gray", "percent:40% word:gray"),
        ("12.5%.", "percent:12.5% sign:."),
        ("10 % 3", "number:10 sign:% number:3"),
        ("10%3", "number:10 sign:% number:3"),
        ("x%(y)", "word:x sign:% sign:( word:y sign:)"),
        ("10%(y)", "number:10 sign:% sign:( word:y sign:)"),
        ("#fff", "hex:#fff"),
        ("#FF8800 and #ff880080", "hex:#FF8800 word:and hex:#ff880080"),
        ("0xFF", "hex:0xFF"),
        ("0x9e3779b9u and 0x1i", "hex:0x9e3779b9 word:u word:and hex:0x1 word:i"),
        ("0xg", "number:0 word:xg"),
        ("#red", "sign:# word:red"),
        ("#12", "sign:# number:12"),
    ],
)
def test_percentages_and_hexadecimal_values(prompt: str, kinds: str) -> None:
    assert [f"{piece.kind}:{piece.text}" for piece in pieces(prompt)] == kinds.split()


def test_typographic_signs_read_as_those_of_the_keyboard() -> None:
    assert [p.text for p in pieces("it’s “x” – y − 1…\u00a0z")] == [
        "it",
        "'s",
        '"',
        "x",
        '"',
        "-",
        "y",
        "-",
        "1",
        "...",
        "z",
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("isPowerOfTwo", "is power of two"),
        ("fog_density", "fog density"),
        ("N_DOT_L", "dot"),
        ("rotate2d", "rotate 2d"),
        ("uv2", "uv"),
        ("distance", ""),
        ("x1", ""),
        ("norm0", "normal"),
    ],
)
def test_the_words_of_a_compound_name(name: str, words: str) -> None:
    assert parts(name) == words.split()


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("hex ff8800", "hex #ff8800"),
        ("HEX code 1E90FF as vec4", "HEX code #1E90FF as vec4"),
        ("hexadecimal value: 80ff00cc", "hexadecimal value: #80ff00cc"),
        ("hex 336699 to rgb", "hex #336699 to rgb"),
        ("hex f80 and hex fff", "hex #f80 and hex #fff"),
        ("web color 4b0082, solid", "web color #4b0082, solid"),
        ("colour 4b0082", "colour #4b0082"),
        ("hex #ff8800 or 0xff8800", "hex #ff8800 or 0xff8800"),
        ("hex 255", "hex 255"),
        ("hex add", "hex add"),
        ("color 255000", "color 255000"),
        ("color facade", "color facade"),
        ("add abc123 to color x1", "add abc123 to color x1"),
        ("hexagon 123456", "hexagon 123456"),
    ],
)
def test_a_color_without_its_hash_gets_one(prompt: str, wanted: str) -> None:
    assert with_hashes(prompt) == wanted
