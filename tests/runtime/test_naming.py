"""Functions that nobody named get names made of the prompt's words."""

from __future__ import annotations

import pytest

from wgsl_infer.english import pieces
from wgsl_infer.lexemes import split
from wgsl_infer.naming import free_name, function_name, requested_function

UNNAMED = "fn zzzz(x: f32) -> f32 { return x * 2.0; }"


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("function to convert celsius into fahrenheit", "celsiusToFahrenheit"),
        ("Kelvin from Celsius function", "kelvinCelsius"),
        ("function that decodes a normal from a normal map", "decodeNormalMap"),
        ("write a function that returns the maximum of three floats", "maximumOfThree"),
        ("smooth step function", "smoothStep"),
        ("luminance of a color as a function", "colorLuminance"),
        ("fn that wraps an angle into 0..tau", "wrapAngle"),
        ("function that multiplies by four", "multiply"),
        ("function to darken a color by an amount", "darkenColor"),
        ("function which mixes colors", "mixColors"),
        ("fn checking whether n is even", "isEven"),
        ("is a point inside a circle? function", "isInsideCircle"),
        ("2d cross product function", "crossProduct2d"),
        ("hemisphere fn: sky color, ground color, normal", "hemisphere"),
        ("falloff function with radius and power", "falloff"),
        ("function: scanlines over uv", "scanlinesOverUv"),
    ],
)
def test_a_name_says_what_the_prompt_asks_for(prompt: str, name: str) -> None:
    assert function_name([piece.text for piece in pieces(prompt)]) == name


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("function named wrapPi for an angle", "wrapPi"),
        ("clamp to 0..1, call it sat", "sat"),
        ("wrap an angle, function name norm", "norm"),
        ("fn sdBox of p and b", "sdBox"),
        ("function sq(x) that squares", "sq"),
        ("remap(value, inMin, inMax): function", "remap"),
        ("byte extraction fn: getByte(word, index)", "getByte"),
        ("rot2d function by an angle", "rot2d"),
        ("function `is_left` (a, b)", "is_left"),
        ("function quantize a float to n levels", "quantize"),
        ("function stripes with x and frequency", "stripes"),
        ("function swap exchanging a and b", "swap"),
        ("function that negates a bool called flip", "negateFlip"),  # the name of a parameter
        ("normalized gaussian function of x", "normalizedGaussian"),
        ("opSubtract fn d1 d2", "opSubtract"),
        ("sphere function: center (vec3), radius", "sphere"),
    ],
)
def test_a_name_that_the_prompt_gives_is_taken(prompt: str, name: str) -> None:
    assert function_name([piece.text for piece in pieces(prompt)]) == name


def test_a_name_is_taken_as_it_was_typed() -> None:
    assert function_name("fn blink that blinks".split(), "fn blinky that blinks".split()) == "blinky"


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("distance function", "computeDistance"),  # a builtin has that name
        ("function loop", "computeLoop"),  # a keyword
        ("function final", "computeFinal"),  # a reserved word
        ("function fragment", "computeFragment"),
        ("function of x", "compute"),
        ("", "compute"),
    ],
)
def test_a_name_that_wgsl_knows_is_never_given(prompt: str, name: str) -> None:
    assert function_name([piece.text for piece in pieces(prompt)]) == name


def test_the_requested_function_is_the_one_that_no_other_calls() -> None:
    assert requested_function(split(UNNAMED)) == "zzzz"
    assert requested_function(split("fn a() -> f32 { return 1.0; } fn b() -> f32 { return a(); }")) == "b"
    assert requested_function(split("fn a() { } fn b() { }")) is None
    assert requested_function(split("zzzz(x)")) is None


def test_entry_points_keep_their_names() -> None:
    assert requested_function(split("@fragment fn main() { }")) is None
    assert requested_function(split("fn a() -> f32 { return 1.0; } @compute @workgroup_size(1) fn main() { }")) is None


def test_a_name_that_the_code_has_already_is_not_given_twice() -> None:
    assert free_name("scale", ["fn", "x"]) == "scale"
    assert free_name("scale", ["fn", "scale"]) == "getScale"
