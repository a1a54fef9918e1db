"""The reader finds the names that a piece of WGSL leaves undeclared, and what their use tells."""

from __future__ import annotations

import pytest

from wgsl_infer.validation.free_names import Reader, guess_type


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("mix(a, b, t)", "a b t"),
        ("v.xyz * color.rgb", "v color"),
        ("let d = length(p); d * scale", "p scale"),
        ("var<private> seed: u32 = start;", "start"),
        ("fn f(x: f32, y: f32) -> f32 { return x * y; }", ""),
        ("@builtin(position) p: vec4<f32>", ""),
        ("var<storage, read_write> data: array<f32, N>;", "N"),
        ("var t: texture_storage_2d<rgba8unorm, write>;", ""),
        ("switch (kind) { case LOW: { } default: { } }", "kind LOW"),
        ("a /* b */ + c // d", "a c"),
        ("1.0e3 + 0xffu + 2.5f", ""),
    ],
)
def test_free_names_in_order_of_use(code: str, names: str) -> None:
    assert list(Reader(code, set()).free) == names.split()


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("v", "vec3<f32>"),
        ("n0", "vec3<f32>"),
        ("lightDir", "vec3<f32>"),
        ("light_positions", "vec3<f32>"),
        ("uv", "vec2<f32>"),
        ("modelMatrix", "mat4x4<f32>"),
        ("index", "u32"),
        ("roughness", "f32"),
    ],
)
def test_guess_from_the_last_word(name: str, kind: str) -> None:
    assert guess_type(name) == kind


def test_use_tells_the_role() -> None:
    free = Reader("textureSample(tex, samp, uv) * table[k] + ray.origin.x; atomicAdd(&hits, 1u);", set()).free
    assert free["tex"].resource[0] == "texture_2d<f32>"
    assert free["samp"].resource == ["sampler"]
    assert free["uv"].candidates("uv")[:2] == ["vec2<f32>", "vec3<f32>"]
    assert free["table"].candidates("table")[0] == "array<f32, 64>"
    assert free["k"].candidates("k") == ["u32", "i32"]
    assert free["ray"].is_struct()
    assert free["hits"].atomic
