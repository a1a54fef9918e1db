"""Code of any other language comes back to the letter, with its white space."""

from __future__ import annotations

import random

import pytest

from wgsl_infer.plain_layout import JOIN, layout_plain, split_plain

PYTHON = '''
def mean(values: list[float]) -> float:
    """The mean, or 0 for none."""
    if not values:
        return 0.0

    total = 0.0
    for k, value in enumerate(values):
        total += value ** 2 if k % 2 == 0 else -value
\treturn total / len(values)   # two  blanks
'''
SQL = """
SELECT u.id,  count(*) AS n
FROM   users AS u
  LEFT JOIN orders o ON o.user_id = u.id
WHERE  u.name LIKE 'O''Brien%' AND o.total >= 12.50
GROUP BY u.id;
"""
TEXTS = [
    "",
    "x",
    "  two ends  ",
    "a b",
    "a  b",
    "a\tb",
    "a \t b",
    "a\nb",
    "a\r\nb",
    "a\n\n\n  b",
    "a, b,c ,d",
    "f( x )",
    "1.5a",
    "1. 5",
    "1 .5",
    "a1 1a",
    "x_ _y",
    "x__y",
    "'it''s'",
    "größe = 名前 + é",
    "a<join>b <join> c",
    "a \n b",
    "x\u00a0y",
    "x\u2028y",
    "if (a) {\n    return b;\n}",
    PYTHON,
    SQL,
]


@pytest.mark.parametrize("text", TEXTS)
def test_the_text_comes_back_exactly(text: str) -> None:
    assert layout_plain(split_plain(text)) == text.strip()


def test_random_texts_come_back_exactly() -> None:
    generator = random.Random(0)
    parts = [
        "a",
        "b1",
        "_",
        "7",
        "2.5",
        ".",
        " ",
        "  ",
        "\n",
        "\n    ",
        "\t",
        "(",
        "é",
        "²",
        "\r",
        "\u3000",
        "\u0301",
        "'",
    ]
    for _ in range(3000):
        text = "".join(generator.choices(parts, k=generator.randint(0, 9)))
        assert layout_plain(split_plain(text)) == text.strip()


def test_usual_blanks_are_no_lexemes() -> None:
    assert split_plain("select a from t") == ["select", "a", "from", "t"]
    assert split_plain("f(x);") == ["f", "(", "x", ")", ";"]


def test_unusual_white_space_is_a_lexeme() -> None:
    assert split_plain("a, b") == ["a", ",", " ", "b"]
    assert split_plain("a  b") == ["a", "  ", "b"]
    assert split_plain("if x:\n    y") == ["if", "x", ":", "\n    ", "y"]


def test_words_written_without_a_blank_are_joined() -> None:
    assert split_plain("1.5em") == ["1.5", JOIN, "em"]


def test_numbers_are_whole() -> None:
    assert split_plain("12.50-3") == ["12.50", "-", "3"]
