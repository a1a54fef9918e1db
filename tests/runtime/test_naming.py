"""Functions whose names the model made up letter by letter get names that can be read."""

from __future__ import annotations

import pytest

from wgsl_infer.naming import with_names

WORDS = set("celsius to fahrenheit smooth step maximum of three floats hue rgb distance is even sphere".split())


def named(code: str, prompt: str) -> str:
    return " ".join(with_names(code.split(), prompt, WORDS.__contains__, {"main", "qx7"}.__contains__))


@pytest.mark.parametrize(
    ("name", "prompt", "wanted"),
    [
        ("samplerToDistion", "celsius to fahrenheit function", "celsiusToFahrenheit"),
        ("sanenenene", "write a function that returns the maximum of three floats", "maximumFloats"),
        ("smoothStep", "smooth step function", "smoothStep"),
        ("sdSphere", "sphere sdf function", "sdSphere"),
        ("hueToRgb2", "hue function", "hueToRgb2"),
        ("qqqq", "function qqqq for spheres", "qqqq"),
        ("amisersesere", "3d sphere function, Euclid's way", "sphereEuclid"),
        ("main", "celsius to fahrenheit", "main"),
        ("xxxxx", "function", "xxxxx"),
        ("xxxxx", "distance function", "xxxxx"),
    ],
)
def test_only_names_that_cannot_be_read_are_replaced(name: str, prompt: str, wanted: str) -> None:
    assert named(f"fn {name} ( ) {{ }}", prompt) == f"fn {wanted} ( ) {{ }}"


def test_every_use_is_renamed_and_nothing_else() -> None:
    code = "fn zzzz ( x : f32 ) -> f32 { return zzzz ( x ) ; }"
    assert named(code, "celsius to fahrenheit") == code.replace("zzzz", "celsiusToFahrenheit")


def test_a_name_that_the_code_has_already_is_not_given_twice() -> None:
    code = "fn zzzz ( smoothStep : f32 ) { }"
    assert named(code, "smooth step") == code
    two = "fn zzzz ( ) { } fn yyyy ( ) { }"
    assert named(two, "smooth step") == "fn smoothStep ( ) { } fn yyyy ( ) { }"


def test_what_holds_no_function_stays() -> None:
    assert named("zzzz + 1.0", "celsius to fahrenheit") == "zzzz + 1.0"


def test_the_names_of_parameters_tell_nothing_of_the_function() -> None:
    code = "fn zzzz ( hue : f32 ) -> f32 { return hue ; }"
    assert named(code, "function maximum of hue and rgb") == code.replace("zzzz", "maximumRgb")
