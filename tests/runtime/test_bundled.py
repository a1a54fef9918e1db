"""The model that comes with the package, end to end, on plain prompts: what a newcomer tries first."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import wgsl_infer
from wgsl_infer import Generator

FOLDER = Path(wgsl_infer.__file__).parent / "model"

ANSWERS = {
    "normalize a vector": "normalize(v)",
    "length of velocity": "length(velocity)",
    "dot product of lightDir and surfaceNormal": "dot(lightDir, surfaceNormal)",
    "cross product of edge1 and edge2": "cross(edge1, edge2)",
    "distance between camPos and hitPoint": "distance(camPos, hitPoint)",
    "reflect rayDir about norm0": "reflect(rayDir, norm0)",
    "clamp heat between 0.15 and 7": "clamp(heat, 0.15, 7.0)",
    "sine of phase": "sin(phase)",
    "square root of area": "sqrt(area)",
    "absolute value of x minus y": "abs(x - y)",
    "lerp between dawn and dusk by 0.3": "mix(dawn, dusk, 0.3)",
    "smoothstep from 0.2 to 0.8 of d": "smoothstep(0.2, 0.8, d)",
    "the larger of height and 0": "max(height, 0.0)",
    "fract of time": "fract(time)",
    "round speed down": "floor(speed)",
    "two to the power of n": "exp2(n)",
    "x squared": "x * x",
    "one minus alpha": "1.0 - alpha",
    "a red color": "vec4<f32>(1.0, 0.0, 0.0, 1.0)",
    "tomato": "vec4<f32>(1.0, 0.388, 0.278, 1.0)",
    "teal as rgb": "vec3<f32>(0.0, 0.502, 0.502)",
    "#ff8800": "vec4<f32>(1.0, 0.533, 0.0, 1.0)",
    "half transparent blue": "vec4<f32>(0.0, 0.0, 1.0, 0.5)",
    "invert color": "1.0 - color",
    "xz of worldPos": "worldPos.xz",
    "squared length of p": "dot(p, p)",
    "transpose of m": "transpose(m)",
    "convert count to a float": "f32(count)",
    "sample tex at uv": "textureSample(tex, samp, uv)",
    "increment counter": "counter++;",
    "declare a variable speed equal to 3.5": "var speed = 3.5;",
    "set x to y": "x = y;",
    "set x to y plus 1": "x = y + 1.0;",
    "for loop from 0 to 9 that adds i to sum": "for (var i: u32 = 0u; i <= 9u; i++) {\n    sum += i;\n}",
    "function isPowerOfTwo for u32": (
        "fn isPowerOfTwo(x: u32) -> bool {\n    return x != 0u && (x & (x - 1u)) == 0u;\n}"
    ),
    "function to convert celsius into fahrenheit": (
        "fn celsiusToFahrenheit(celsius: f32) -> f32 {\n    return celsius * 1.8 + 32.0;\n}"
    ),
    "normalize foo": "normalize(foo)",
    "swap a and b": "let tmp = a;\na = b;\nb = tmp;",
    "write me a poem about autumn": None,
}


@pytest.fixture(scope="module")
def generate() -> Generator:
    return Generator(FOLDER)


@pytest.mark.parametrize("prompt", ANSWERS)
def test_plain_prompts_are_answered(generate: Generator, prompt: str) -> None:
    assert generate(prompt).code == ANSWERS[prompt]


def test_names_and_numbers_nobody_has_seen_come_back(generate: Generator) -> None:
    answer = generate("dot product of qzxv_77 and wLmpF9")
    assert answer.code == "dot(qzxv_77, wLmpF9)"
    assert generate("clamp jkqp3 between 0.73519 and 48113").code == "clamp(jkqp3, 0.73519, 48113.0)"


def test_it_is_the_model_taken_unless_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WGSL_INFER_MODEL", raising=False)
    assert Generator().bundle.folder == FOLDER


def test_the_download_is_small() -> None:
    files = {path.name: path.stat().st_size for path in FOLDER.iterdir()}
    assert sum(files.values()) <= 8_000_000
    manifest = json.loads((FOLDER / "manifest.json").read_text(encoding="utf-8"))
    assert set(files) == {"manifest.json", *manifest["files"]}
