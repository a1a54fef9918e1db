"""The validator accepts right answers of every form and refuses wrong ones, for the right reason."""

from __future__ import annotations

import re
import sys

import pytest

from wgsl_infer.validation.diagnostics import one_line
from wgsl_infer.validation.validator import UNSUPPORTED, Validator, ValidatorUnavailable, fillings

EXPRESSIONS = [
    "1.0",
    "-x",
    "&x",
    "a * b // with a remark",
    "mix(a, b, t)",
    "mix(a, b, vec4<f32>(t))",
    "vec4<f32>(color, 0.5)",
    "vec4<f32>(uv, 0.0, 1.0)",
    "4.0 * x * (1.0 - x)",
    "max(v, vec3<f32>(0.0))",
    "refract(i, n, 1.0 / ior)",
    "(m * vec4<f32>(p, 1.0)).xyz",
    "determinant(m) * m[0][0]",
    "select(a, b, mask)",
    "all(a < b)",
    "~bits",
    "(x << 2u) | y",
    "x % 3u",
    "extractBits(word, 4u, 8u)",
    "unpack4x8unorm(packed)",
    "bitcast<u32>(x)",
    "f32(i) / f32(count)",
    "modf(x).whole",
    "ldexp(x, e)",
    "array<vec2<f32>, 3>(vec2<f32>(0.0, 1.0), uv, uv)",
    "positions[index]",
    "grid[y * width + x]",
    "colors[k].rgb",
    "params.offset.x + params.scale",
    "scene.lights[k].color * scene.ambient",
    "particles[i].position + particles[i].velocity * dt",
    "fwidth(v)",
    "textureSample(tex, samp, uv).rgb",
    "textureSample(tex, samp, reflect(i, n))",
    "textureSample(layers, samp, uv, layer)",
    "textureSampleCompare(shadowMap, shadowSampler, uv, depth)",
    "photo * texture_layer",
    "textureGather(1, tex, samp, uv)",
    "textureGather(depthTex, samp, uv)",
    "textureLoad(tex, coord, level)",
    "textureDimensions(tex)",
    "textureNumSamples(tex)",
    "arrayLength(&data)",
    "data[arrayLength(&data) - 1u]",
    "atomicLoad(&counter)",
    "atomicCompareExchangeWeak(&counter, 0u, 1u).exchanged",
    "workgroupUniformLoad(&flag)",
]
STATEMENTS = [
    "let d = length(v);",
    "let x = x + 1.0;",
    "let d = distance * 2.0;",
    "const tau: f32 = 6.2831853;",
    "const area = WIDTH * HEIGHT;",
    "var light: Light; light.color = vec3<f32>(1.0);",
    "_ = x;",
    "i++;",
    "bits <<= 1u;",
    "color.r = 1.0;",
    "*p = 3.0;",
    "(*p).x += 1.0;",
    "grid[y][x] = 1;",
    "cells[idx].alive = true;",
    "particles[i].position += particles[i].velocity * dt;",
    "break;",
    "discard;",
    "return;",
    "return vec4<f32>(color, 1.0);",
    "if (x < 0.0) { return -x; } else { x *= 0.5; }",
    "if (id.x >= arrayLength(&data)) { return; }",
    "if (a < b && !done) { count += 1u; }",
    "for (var k = 0u; k < count; k++) { sum += values[k]; }",
    "while (x < limit) { x += step; }",
    "loop { i++; continuing { break if i >= 10; } }",
    "switch (mode) { case MODE_A, MODE_B: { x = 1.0; } default: { } }",
    "textureStore(img, vec2<u32>(x, y), color);",
    "atomicAdd(&bins[id.x % 16u], 1u);",
    "atomicMax(&stats.highest, value);",
    "workgroupBarrier();",
    "override scale: f32 = 2.0;",
    "alias Color = vec4<f32>;",
    "diagnostic(off, derivative_uniformity);",
    "const_assert N > 4;",
    "var<private> seed: u32 = 1u;",
    "var<workgroup> tile: array<f32, SIZE * SIZE>;",
    "const N = 8u; var<workgroup> tile: array<f32, N>;",
    "struct Ray { origin: vec3<f32>, dir: vec3<f32> } var ray: Ray; ray.dir = n;",
    "@group(0) @binding(0) var<uniform> camera: Camera;",
    "@group(0) @binding(1) var<storage, read_write> particles: array<Particle>;",
    "@group(0) @binding(2) var video: texture_external;",
]
FUNCTIONS = [
    "fn double(x: f32) -> f32 { return x * 2.0; }",
    "fn clear(p: ptr<function, vec3<f32>>) { *p = vec3<f32>(0.0); }",
    "fn area(c: Circle) -> f32 { return 3.14159265 * c.radius * c.radius; }",
    "fn look(uv: vec2<f32>) -> vec4<f32> { return textureSample(tex, samp, uv); }",
    "fn count() { atomicAdd(&counter, 1u); }",
    "const K = 3.0; fn triple(x: f32) -> f32 { return K * x; }",
    "fn half(x: f32) -> f32 { return x / 2.0; } fn quarter(x: f32) -> f32 { return half(half(x)); }",
]
SHADERS = [
    "@fragment fn main(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32> { return uv.xyxy; }",
    "@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3<u32>) { let x = id.x; }",
    "@vertex fn main(@location(0) p: vec4<f32>) -> @builtin(position) vec4<f32> { return p * 2.0; }",
]
# Right answers that need a feature of the device: a software GL has neither half floats nor subgroups.
OPTIONAL = ["vec3<f16>(1.0h)", "var h: f16 = 0.5h;", "enable f16;", "subgroupAdd(x)"]

WRONG = [
    ("lerp(a, b, t)", "`lerp`"),
    ("mod(x, 2.0)", "`mod`"),
    ("noise(p)", "`noise`"),
    ("float3(1.0)", "`float3`"),
    ("Ray(origin, dir)", "`Ray`"),
    ("x > 0.0 ? a : b", "found"),
    ("vec3<f32>(1.0) + vec2<f32>(1.0)", "Add"),
    ("max(vec3<f32>(0.5), 0.0)", "argument #2"),
    ("max(normalize(a), 0.0)", "max"),
    ("vec3<f32>(1.0, 2.0)", "3 components"),
    ("vec2<f32>(1.0).z", "`z`"),
    ("cross(a.xy, b.xy)", "vec2"),
    ("textureSample(tex, uv)", "expected 3"),
    ("saturate(x, y)", "too many"),
    ("1.0 + true", ""),
    ("sin(x", "`(` is never closed"),
    ("sin(x))", "`)` closes nothing"),
    ("x = 1.0", "found"),
    ("let x = 1.0", "found"),
    ("hello world", "found"),
    ("", "found"),
    ("$0$", "'$'"),
    ("x + \ud800", "no character"),
    ("let target = 1.0;", "reserved"),
    ("let x: f32 = 1u;", "`f32`"),
    ("const x = 1.0; x = 2.0;", "assign"),
    ("if x > 0.0 x = 1.0;", "found"),
    ("switch (x) { case 1: { } }", "default"),
    ("x = 1.0; } fn other() {", "closes nothing"),
    ("struct A { x: f32 y: f32 }", "found"),
    ("fn f(x: f32) -> f32 { let y = x; }", "return"),
    ("fn f(x: f32) -> f32 { return x * y; }", "`y`"),
    ("@fragment fn main() -> @location(0) vec4<f32> { return color; }", "`color`"),
    ("@compute @workgroup_size(1) fn main() { let x = dpdx(1.0); }", ""),
]


@pytest.mark.parametrize("code", [*EXPRESSIONS, *STATEMENTS, *FUNCTIONS, *SHADERS, UNSUPPORTED])
def test_accepts(validator: Validator, code: str) -> None:
    assert validator.check(code) is None


@pytest.mark.parametrize("code", OPTIONAL)
def test_accepts_what_the_device_can(validator: Validator, code: str) -> None:
    diagnostic = validator.check(code)
    if diagnostic and re.search("support|capabilit", diagnostic, re.IGNORECASE):
        pytest.skip(diagnostic)
    assert diagnostic is None


@pytest.mark.parametrize(("code", "reason"), WRONG)
def test_refuses_in_one_line(validator: Validator, code: str, reason: str) -> None:
    diagnostic = validator.check(code)
    assert diagnostic is not None
    assert reason in diagnostic
    assert "\n" not in diagnostic


def test_finding_nothing_is_silent(validator: Validator, capfd: pytest.CaptureFixture[str]) -> None:
    validator.check("fn f(x: f32) -> f32 { }")
    assert capfd.readouterr() == ("", "")


def test_types_change_together_before_they_mix() -> None:
    slots = [["f32", "vec2<f32>"], ["f32", "vec2<f32>"]]
    tried = [tuple(types) for types in fillings(slots)]
    assert tried[0] == ("f32", "f32")
    assert tried.index(("vec2<f32>", "vec2<f32>")) < tried.index(("f32", "vec2<f32>"))
    assert len(set(tried)) == 4


def test_report_becomes_one_line() -> None:
    report = "Validation Error\n\nShader '' parsing error: no `q`\n  |\n1 | q\n  | ^ unknown\n\n"
    assert one_line(report) == "no `q` (unknown)"


def test_missing_wgpu_says_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wgpu", None)
    with pytest.raises(ValidatorUnavailable, match=r"pip install 'wgsl-infer\[validate\]'"):
        Validator()
