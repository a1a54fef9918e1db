"""Parameter lists added to requests for functions."""

from __future__ import annotations

import random
import re

import pytest

from wgsl_infer.sense import fault
from wgsl_pipeline.recipes.signature import Request, signed
from wgsl_pipeline.recipes.words import is_free

HIT = """fn hit(ro: vec3<f32>, radius: f32) -> f32 {
    let b = dot(ro, ro);
    return b - radius * radius;
}"""


def requests(text: str, code: str, copied: frozenset[str] = frozenset()) -> list[Request]:
    return [signed(random.Random(seed), text, code, copied) for seed in range(200)]


def test_the_parameters_of_the_prompt_are_those_of_the_code_in_order() -> None:
    for request in requests("sphere hit function", HIT):
        found = re.match(r"fn (\w+)\((\w+): vec3<f32>, (\w+): f32\) -> f32 \{\n", request.code)
        assert found
        said = [word for word in re.findall(r"\w+", request.text) if word in found.groups()[1:]]
        assert said == list(found.groups()[1:])
        assert set(found.groups()) == request.names


def test_every_use_of_a_renamed_parameter_is_renamed() -> None:
    for request in requests("sphere hit function", HIT):
        assert fault(request.code) is None
        ro, radius = re.findall(r"(\w+): ", request.code)[:2]
        assert f"dot({ro}, {ro})" in request.code
        assert f"{radius} * {radius}" in request.code


def test_names_are_ones_that_wgsl_allows_and_the_code_has_not() -> None:
    for request in requests("sphere hit function", HIT):
        assert all(is_free(name) for name in request.names)
        assert "b" not in request.names


def test_a_function_that_is_named_keeps_its_name() -> None:
    for request in requests("fn hit for spheres", HIT, frozenset({"hit"})):
        assert request.code.startswith("fn hit(")
        assert request.text.startswith("fn hit for spheres")


def test_members_are_not_renamed() -> None:
    code = "fn flip(x: vec2<f32>) -> vec2<f32> {\n    return vec2<f32>(x.x, -x.y);\n}"
    for request in requests("flip function", code):
        name = re.findall(r"\((\w+):", request.code)[0]
        assert f"vec2<f32>({name}.x, -{name}.y)" in request.code


@pytest.mark.parametrize(
    ("text", "code", "copied"),
    [
        ("hit(ro, radius) for spheres", HIT, ""),
        ("a function hit with the parameters ro and radius", HIT, ""),
        ("how do i write sphere hit as a function?", HIT, ""),
        ("function of ro and radius", HIT, "ro"),
        ("function that returns one", "fn one() -> f32 {\n    return 1.0;\n}", ""),
        ("sine of x", "sin(x)", ""),
        ("two functions", HIT + "\n\n" + HIT.replace("hit", "miss"), ""),
    ],
)
def test_other_requests_stay_as_they_are(text: str, code: str, copied: str) -> None:
    for request in requests(text, code, frozenset(copied.split())):
        assert request == Request(text, code)
