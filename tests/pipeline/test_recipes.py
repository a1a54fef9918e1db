"""Recipes: what is read, what is refused, and what is drawn from them."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest

from wgsl_infer.lexemes import split
from wgsl_pipeline.errors import CorpusError
from wgsl_pipeline.recipes import words
from wgsl_pipeline.recipes.grammar import Cookbook
from wgsl_pipeline.recipes.noise import slipped, third_person
from wgsl_pipeline.recipes.precedence import embed
from wgsl_pipeline.recipes.read import read_cookbook
from wgsl_pipeline.recipes.sample import Sample, Sampler

HEAD = '[[recipes]]\nname = "scaled"\n'
SCALED = HEAD + 'code = "{v} * {s}"\noperands = { v = "V", s = "f32" }\nresult = "V"\n'
BOOK = (
    """category = "vectors"

[choices.side]
"left" = "0.0"
"right" = "1.0"

"""
    + SCALED
    + '''nouns = ["{v} scaled by {s}", "the product of {v} and {s}"]
verbs = ["scale {v} by {s}", "scale a vector by a factor"]
after = ["then scale it by {s}"]

[[recipes]]
name = "lengthOf"
code = "length({v})"
operands = { v = "V" }
result = "f32"
nouns = ["the length of {v}", "how long {v} is"]
questions = ["how long is {v}"]

[[recipes]]
name = "clamped"
code = "clamp({x}, {lo}, {hi})"
operands = { x = "f32", lo = "low", hi = "high" }
result = "f32"
verbs = ["clamp {x} between {lo} and {hi}"]

[[recipes]]
name = "sideOf"
code = "step({x}, {side})"
operands = { x = "f32", side = "side" }
result = "f32"
nouns = ["the {side} side of {x}"]

[[recipes]]
name = "hexColor"
code = "vec4<f32>({h.r}, {h.g}, {h.b}, 1.0)"
operands = { h = "hex6" }
result = "vec4"
nouns = ["the color {h}"]

[[recipes]]
name = "store"
code = "let {n} = {value};"
operands = { n = "name", value = "value" }
result = "statement"
verbs = ["store {value} in {n}"]
after = ["and store it in {n}"]

[[recipes]]
name = "wrap"
code = "fn {value.name}({value.params}) -> {value.type} { return {value}; }"
operands = { value = "value" }
result = "function"
verbs = ["a function that {value:verbs}", "a function of {value.list} for {value}"]

[[recipes]]
name = "shown"
code = """
{value.bindings}@fragment fn main(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32> {
    return vec4<f32>({value});
}"""
operands = { value = "field" }
result = "shader"
verbs = ["show {value} in a fragment shader"]

[openers]
nouns = ["give me {}"]
verbs = ["please {}"]
'''
)


def cookbook(folder: Path, text: str) -> Cookbook:
    (folder / "book.toml").write_text(text)
    return read_cookbook(folder / "book.toml")


def drawn(folder: Path, text: str = BOOK, count: int = 400, held_out: float = 0.0) -> list[Sample]:
    return list(itertools.islice(Sampler(cookbook(folder, text), 7, held_out), count))


def test_what_is_read(tmp_path: Path) -> None:
    book = cookbook(tmp_path, BOOK)
    assert [recipe.name for recipe in book.recipes][:3] == ["scaled", "lengthOf", "clamped"]
    assert book.recipes[0].place == f"{tmp_path / 'book.toml'}:7"
    assert {recipe.category for recipe in book.recipes} == {"vectors"}
    assert book.count_phrases() == 20


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (HEAD, "code is needed"),
        (SCALED, "neither nouns nor verbs"),
        (SCALED + 'nouns = ["{v} by {t}"]', "{t} is no operand"),
        (SCALED + 'nouns = ["{v.r}"]', "has no r"),
        (SCALED + 'nouns = ["a {v"]', "a brace that is no hole"),
        (SCALED + 'nouns = ["x"]\nafter = ["{v} by {s}"]', "leaves no operand out"),
        (SCALED + 'nouns = ["x"]\ncolour = 1', "unknown key colour"),
        (SCALED.replace("scaled", "dot") + 'nouns = ["x"]', "no free WGSL identifier"),
        (SCALED.replace('"f32"', '"float"') + 'nouns = ["x"]', "'float' is no type, literal or choice"),
        (SCALED.replace('result = "V"', 'result = "T"') + 'nouns = ["x"]', "T is the type of no operand"),
        (SCALED.replace("* {s}", "* 2.0") + 'nouns = ["x"]', "operand s is not used"),
        (SCALED.replace('"f32"', '"number"') + 'nouns = ["{v} twice"]', "has no {s}, which has no default"),
        (re.sub("operands = .*", "operands = ['v']", SCALED) + "nouns = ['x']", "operands"),
        (SCALED + "nouns = 'x'", "nouns"),
        (SCALED + "nouns = ['x', 2]", "nouns"),
        (SCALED + "nouns = ['x']\nweight = 'much'", "weight"),
        ("category = 3\n" + SCALED + "nouns = ['x']", "category"),
        ("[choices]\nside = 'left'\n", "side"),
        ("openers = 'please {}'\n", "openers"),
        ("[openers]\nnouns = ['hello']", "one {} each"),
        ("[[recipe]]\n", "unknown key recipe"),
        ("category = 'none'\n", "holds no recipe"),
    ],
)
def test_a_wrong_recipe_is_named_with_its_place(tmp_path: Path, text: str, complaint: str) -> None:
    with pytest.raises(CorpusError, match=re.escape(complaint)) as found:
        cookbook(tmp_path, text)
    assert str(tmp_path / "book.toml") in str(found.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(CorpusError) as found:
        cookbook(tmp_path, SCALED + "\n" + SCALED.replace("scaled", "other"))
    assert len(str(found.value).splitlines()) == 2


def test_the_same_seed_draws_the_same(tmp_path: Path) -> None:
    assert [s.prompt for s in drawn(tmp_path)] == [s.prompt for s in drawn(tmp_path)]


def test_every_recipe_comes_up_in_every_form(tmp_path: Path) -> None:
    rows = drawn(tmp_path)
    names = {recipe for row in rows for use in row.piece.used for recipe in [use.split("|")[0]]}
    assert names == {"scaled", "lengthOf", "clamped", "sideOf", "hexColor", "store", "wrap", "shown"}
    texts = {use.split("|")[1] for row in rows for use in row.piece.used}
    assert "then scale it by {s}" in texts and "and store it in {n}" in texts and "how long is {v}" in texts
    assert any(row.prompt.startswith("give me") for row in rows)


def test_prompt_and_code_say_the_same(tmp_path: Path) -> None:
    for row in drawn(tmp_path):
        assert "{" not in row.prompt
        assert not re.search(r"\{\w+\}", row.code)
        said = set(re.findall(r"\w+", row.prompt))
        made = {word for word in row.piece.copied if word not in said}
        assert row.misspelt or not made, row
        if row.piece.used[0].startswith("clamped"):
            low, high = re.findall(r"[\d.]+", row.code)[-2:]
            assert float(low) < float(high)


def test_operands_that_a_phrase_leaves_out_have_the_recipes_names(tmp_path: Path) -> None:
    codes = {row.code for row in drawn(tmp_path) if row.prompt.endswith("scale a vector by a factor")}
    assert "v * s" in codes


def test_colors_are_computed_from_their_digits(tmp_path: Path) -> None:
    rows = [row for row in drawn(tmp_path) if re.search(r"(#|0x)\w{6}$", row.prompt)]
    assert rows
    for row in rows:
        digits = row.prompt[-6:]
        shares = [int(digits[k : k + 2], 16) / 255 for k in (0, 2, 4)]
        found = [float(text) for text in re.findall(r"\d\.\d+", row.code)][:3]
        assert found == pytest.approx(shares, abs=0.0006)


def test_functions_take_what_their_value_needs_in_the_order_of_mention(tmp_path: Path) -> None:
    rows = [row for row in drawn(tmp_path) if row.prompt.startswith("a function of")]
    assert rows
    for row in rows:
        listed = re.match(r"a function of (.*?) for ", row.prompt)
        parameters = re.search(r"\((.*?)\) ->", row.code)
        assert listed and parameters
        names = re.split(r", | and ", listed[1])
        assert [parameter.split(":")[0] for parameter in parameters[1].split(", ")] == names


def test_shaders_use_what_they_are_given(tmp_path: Path) -> None:
    rows = [row for row in drawn(tmp_path) if row.piece.recipe.name == "shown"]
    assert any("time" in row.code for row in rows)
    for row in rows:
        assert ("var<uniform> time" in row.code) == (len(re.findall(r"\btime\b", row.code)) > 1)


def test_held_out_phrasings_and_combinations_are_marked(tmp_path: Path) -> None:
    rows = drawn(tmp_path, held_out=0.3)
    kept = {key for row in rows if not row.held_out for key in (*row.piece.used, *row.piece.pairs)}
    assert 0 < sum(row.held_out for row in rows) < len(rows)
    for row in rows:
        if row.held_out:
            assert not {*row.piece.used, *row.piece.pairs} <= kept


@pytest.mark.parametrize(
    ("inner", "before", "after", "wanted"),
    [
        ("a + b", "sin(", ")", "sin(a + b)"),
        ("a + b", "", " * c", "(a + b) * c"),
        ("a * b", "", " + c", "a * b + c"),
        ("a * b", "x * ", "", "x * a * b"),
        ("a / b", "x * ", "", "x * (a / b)"),
        ("a - b", "x - ", "", "x - (a - b)"),
        ("a - b", "", " - x", "a - b - x"),
        ("-a", "x * ", "", "x * -a"),
        ("-a", "x - ", "", "x - (-a)"),
        ("a + b", "-", "", "-(a + b)"),
        ("a + b", "", ".xy", "(a + b).xy"),
        ("a < b", "", " && c", "a < b && c"),
        ("a && b", "", " || c", "(a && b) || c"),
        ("a && b", "!", "", "!(a && b)"),
        ("a + b", "x << ", "", "x << (a + b)"),
        ("a + b", "", " & 3u", "(a + b) & 3u"),
        ("a & b", "", " == c", "(a & b) == c"),
        ("vec3<f32>(a + b)", "", " * c", "vec3<f32>(a + b) * c"),
        ("a[i] + b", "f(", ", c)", "f(a[i] + b, c)"),
        ("a < b", "select(x, y, ", ")", "select(x, y, a < b)"),
        ("a + b", "return ", ";", "return a + b;"),
    ],
)
def test_brackets_stand_where_precedence_needs_them(inner: str, before: str, after: str, wanted: str) -> None:
    assert before + embed(inner, before, after) + after == wanted
    assert split(wanted)


def test_commands_become_what_somebody_does() -> None:
    assert third_person("clamp x, then scale it") == "clamps x, then scales it"
    assert third_person("multiply a and b") == "multiplies a and b"
    assert third_person("mix a and b") == "mixes a and b"
    assert third_person("get x") == "gets x"


def test_a_slip_is_one_edit_of_a_long_word_and_never_of_a_name() -> None:
    for seed in range(200):
        text = slipped(random.Random(seed), "normalize the velocity of wind", {"velocity"})
        assert "velocity" in text and text.endswith(" of wind")
        assert abs(len(text) - len("normalize the velocity of wind")) <= 1


def test_names_are_no_words_that_mean_something_in_a_request() -> None:
    draw = random.Random(0)
    drawn_names = {words.name(draw, full, set()) for full in words.TYPED for _ in range(400)}
    drawn_names |= {words.made_name(draw) for _ in range(2000)}
    assert (
        not {"normal", "direction", "base", "light", "edge", "color", "vector", "angle", "first", "end"} & drawn_names
    )
    assert {"uv", "albedo"} <= drawn_names


def test_names_are_free_in_wgsl() -> None:
    draw = random.Random(1)
    for full in words.TYPED:
        for _ in range(200):
            assert words.is_free(words.name(draw, full, {"x"}))
    assert not words.is_free("target") and not words.is_free("vec3") and not words.is_free("xy")
