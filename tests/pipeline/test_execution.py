"""Answers that compute the same count as equal, others do not, and nothing an answer does stops the evaluation."""

from __future__ import annotations

import json
import math
import os
import signal
from collections.abc import Iterator

import numpy as np
import pytest

from wgsl_infer.validation import Validator
from wgsl_pipeline.evaluation.comparison import Function
from wgsl_pipeline.evaluation.execution import (
    DIFFERENT,
    EQUAL,
    HUNG,
    NOT_RUN,
    NOT_VALID,
    SECONDS,
    Executor,
    Verdict,
    agree,
)
from wgsl_pipeline.evaluation.probes import SAMPLES, Operand, ValueType, make_probe

UV = "(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32>"
TINTED = (
    "@group(0) @binding({time}) var<uniform> time: f32; @group(0) @binding({tex}) var tex: texture_2d<f32>;"
    "@group(0) @binding({samp}) var samp: sampler;"
    f"@fragment fn main{UV} {{{{ return {{value}}; }}}}"
)
COMPUTE = "@compute @workgroup_size(64) fn main() { let x = 1.0; }"

KERNEL = (
    "@group(0) @binding(0) var<storage, read_write> data: array<f32>; @compute @workgroup_size({})"
    "fn main(@builtin(global_invocation_id) id: vec3<u32>) {{"
    "if (id.x >= arrayLength(&data)) {{ return; }} data[id.x] = {}; }}"
)
COUNTING = (
    "@group(0) @binding(1) var<storage, read_write> counter: atomic<u32>; @compute @workgroup_size(8)"
    "fn main() {{ atomicAdd(&counter, {}); }}"
)
IMAGE = (
    "@group(0) @binding(0) var tex: texture_2d<f32>; @group(0) @binding(1) var output: texture_storage_2d<{}, write>;"
    "@compute @workgroup_size(8, 8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {{"
    "textureStore(output, id.xy, {}); }}"
)
INVERTED = IMAGE.format("rgba16float", "vec4<f32>(1.0) - textureLoad(tex, id.xy, 0)")

VERTEX = (
    "@group(0) @binding(0) var<uniform> mvp: mat4x4<f32>; struct Out {{ @location(0) n: vec3<f32>, "
    "@builtin(position) p: vec4<f32>, }} @vertex fn main(@location(0) position: vec3<f32>, @location(1) normal: "
    "vec3<f32>) -> Out {{ var out: Out; out.p = {}; out.n = {}; return out; }}"
)
CORNERS = (
    "struct In {{ @builtin(vertex_index) index: u32, @builtin(instance_index) one: u32 }} struct VOut {{ "
    "@builtin(position) @invariant clip: vec4<f32>, @location(0) @interpolate(flat) which: u32, @location(1) uv: "
    "vec2<f32> }} @vertex fn vs(in: In) -> VOut {{ var at = array<vec2<f32>, 4>({}); "
    "return VOut(vec4f(at[in.index], 0.0, 1.0), {}, at[in.index] * 0.5); }}"
)
SQUARE = "vec2f(0.0), vec2f(1.0, 0.0), vec2f(0.0, 1.0), vec2f(1.0)"
SCREEN = (
    "@vertex fn main(@builtin(vertex_index) i: u32) -> @builtin(position) vec4<f32> {{ "
    "let uv = vec2f(f32((i << 1u) & 2u), f32(i & 2u)); return vec4f({}, 0.0, 1.0); }}"
)
LISTED = (
    "@vertex fn vs_main(@builtin(vertex_index) k: u32) -> @builtin(position) vec4f { var corners = array<vec2f, 3>("
    "vec2f(-1.0, -1.0), vec2f(3.0, -1.0), vec2f(-1.0, 3.0)); return vec4f(corners[k], 0.0, 1.0); }"
)

COMPARISONS = [
    ("normalize(v)", "v / length(v)", EQUAL),
    ("normalize(v)", "normalize(a)", DIFFERENT),
    ("normalize(v)", "normalise(v)", NOT_VALID),
    ("mix(a, b, t)", "a + (b - a) * t", EQUAL),
    ("a < b", "b > a", EQUAL),
    ("a < b", "a > b", DIFFERENT),
    ("x & 3u", "x % 4u", EQUAL),
    ("3", "1 + 2", EQUAL),
    ("3", "3.0", DIFFERENT),
    ("x * x * x", "pow(x, 3.0)", DIFFERENT),  # pow has no value below 0
    ("log(x)", "log2(x) * 0.693147", EQUAL),  # neither has
    ("m * vec4<f32>(p, 1.0)", "m[0] * p.x + m[1] * p.y + m[2] * p.z + m[3]", EQUAL),
    ("params.offset.x + params.scale", "params.scale + params.offset.x", EQUAL),
    ("palette[k].rgb", "palette[0].rgb", DIFFERENT),
    ("textureSample(tex, samp, uv).rgb", "textureSample(tex, samp, uv.xy).xyz", EQUAL),
    ("textureSample(tex, samp, uv).rgb", "textureSample(tex, samp, uv * 2.0).rgb", DIFFERENT),
    ("fwidth(x)", "abs(dpdx(x)) + abs(dpdy(x))", EQUAL),
    ("log(-1.0 - x * x)", "x", NOT_RUN),  # is never a number
    ("modf(x)", "fract(x)", NOT_RUN),
    ("arrayLength(&data)", "4u", NOT_RUN),
    ("x += 1.0;", "x = x + 1.0;", EQUAL),
    ("x += 1.0;", "x += 2.0;", DIFFERENT),
    ("x += 1.0;", "x + 1.0", DIFFERENT),
    ("i++;", "i += 1;", EQUAL),
    ("lights[k].color *= s;", "lights[k].color = lights[k].color * s;", EQUAL),
    ("lights[k].color *= s;", "lights[0].color *= s;", DIFFERENT),
    ("for (var i = 0; i < 10; i++) { sum += i; }", "for (var k = 0; k <= 9; k++) { sum += k; }", EQUAL),
    ("for (var i = 0; i < 10; i++) { sum += i; }", "for (var i = 0; i < 9; i++) { sum += i; }", DIFFERENT),
    ("let t = a; a = b; b = t;", "let old = a; a = b; b = old;", EQUAL),
    ("if (x > 1.0) { return; }", "if (1.0 < x) { return; }", EQUAL),
    ("if (x > 1.0) { return; }", "if (1.0 < x) { discard; }", DIFFERENT),
    ("if (x > 1.0) { break; }", "if (x > 1.0) { continue; }", DIFFERENT),
    ("if (x > 1.0) { return; }", "if (x > 1.0) { break; }", DIFFERENT),
    ("let d = length(p);", "let d = sqrt(dot(p, p));", EQUAL),
    ("let d = length(p);", "var d = length(p);", DIFFERENT),
    ("let d = length(p);", "let dist = length(p);", DIFFERENT),
    ("const pi = 3.14159265;", "const pi: f32 = 3.14159;", EQUAL),
    ("return x;", "return x + 0.0;", NOT_RUN),
    ("struct Ray { origin: vec3<f32>, }", "struct Ray { origin: vec3<f32> }", NOT_RUN),
    ("textureStore(output, id.xy, color);", "textureStore(output, id.yx, color);", NOT_RUN),
    ("fn f(x: f32) -> f32 { return x * 2.0; }", "fn twice(a: f32) -> f32 { return a + a; }", EQUAL),
    ("fn f(x: f32) -> f32 { return x * 2.0; }", "fn twice(a: vec2<f32>) -> f32 { return a.x; }", DIFFERENT),
    ("fn f(x: f32) -> f32 { return x * 2.0; }", "x * 2.0", DIFFERENT),
    (
        "fn tint(t: texture_2d<f32>, s: sampler, p: vec2<f32>) -> vec3<f32> { return textureSample(t, s, p).rgb; }",
        "fn look(a: texture_2d<f32>, b: sampler, c: vec2<f32>) -> vec3<f32> { return textureSample(a, b, c).xyz; }",
        EQUAL,
    ),
    ("fn clear(p: ptr<function, f32>) { *p = 0.0; }", "fn clear(p: ptr<function, f32>) { *p = 1.0; }", NOT_RUN),
    ("acosh(x)", "log(x + sqrt(x * x - 1.0))", EQUAL),
    (
        "fn g(x: f32) -> f32 { return f(x) + 1.0; } fn f(x: f32) -> f32 { return x * x; }",
        "fn g(x: f32) -> f32 { return x * x + 1.0; }",
        EQUAL,
    ),
    (f"@fragment fn main{UV} {{ return uv.xyxy; }}", f"@fragment fn fs{UV} {{ return vec4f(uv, uv); }}", EQUAL),
    (f"@fragment fn main{UV} {{ return uv.xyxy; }}", f"@fragment fn main{UV} {{ return uv.yxyx; }}", DIFFERENT),
    (
        TINTED.format(time=0, tex=1, samp=2, value="time * textureSample(tex, samp, uv)"),
        TINTED.format(time=2, tex=0, samp=1, value="textureSample(tex, samp, uv) * time"),
        EQUAL,
    ),
    (f"@fragment fn main{UV} {{ return uv.xyxy; }}", COMPUTE, DIFFERENT),
    (KERNEL.format(64, "data[id.x] * 2.0"), KERNEL.format(32, "data[id.x] + data[id.x]"), EQUAL),
    (KERNEL.format(64, "data[id.x] * 2.0"), KERNEL.format(64, "data[id.x] * 3.0"), DIFFERENT),
    (KERNEL.format(64, "data[id.x] * 2.0"), "data[id.x] *= 2.0;", DIFFERENT),
    (COUNTING.format("1u"), COUNTING.format("2u / 2u"), EQUAL),
    (COUNTING.format("1u"), COUNTING.format("2u"), DIFFERENT),
    (IMAGE.format("rgba8unorm", "1.0 - textureLoad(tex, id.xy, 0)"), INVERTED, EQUAL),
    (IMAGE.format("rgba8unorm", "1.0 - textureLoad(tex, id.yx, 0)"), INVERTED, DIFFERENT),
    (COMPUTE, f"@fragment fn main{UV} {{ return uv.xyxy; }}", NOT_RUN),
    (
        VERTEX.format("mvp * vec4f(position, 1.0)", "normal"),
        VERTEX.format("mvp * vec4f(position.xyz, 1.0)", "normal.xyz"),
        EQUAL,
    ),
    (
        VERTEX.format("mvp * vec4f(position, 1.0)", "normal"),
        VERTEX.format("mvp * vec4f(position, 1.0)", "position"),
        DIFFERENT,
    ),
    (VERTEX.format("mvp[0]", "normal"), SCREEN.format("uv"), DIFFERENT),
    (SCREEN.format("uv * 2.0 - 1.0"), LISTED, EQUAL),
    (SCREEN.format("uv"), LISTED, DIFFERENT),
    (
        CORNERS.format(SQUARE, "in.one"),
        CORNERS.format(SQUARE.replace("vec2f(1.0)", "vec2f(1.0, 1.0)"), "in.one"),
        EQUAL,
    ),
    (CORNERS.format(SQUARE, "in.one"), CORNERS.format(SQUARE, "in.index"), DIFFERENT),
    (CORNERS.format(SQUARE, "1u"), CORNERS.format(SQUARE.replace("vec2f(1.0)", "vec2f(2.0)"), "1u"), DIFFERENT),
    (SCREEN.format("uv"), f"@fragment fn main{UV} {{ return uv.xyxy; }}", DIFFERENT),
]


@pytest.fixture(scope="module")
def executor(validator: Validator) -> Iterator[Executor]:
    """As for `validator`: a device that cannot run answers skips the tests that need one, and fails them on CI."""
    with Executor() as found:
        if not found.runs:
            (pytest.fail if os.environ.get("CI") else pytest.skip)(f"{found.device} cannot run answers")
        yield found


@pytest.mark.parametrize(("reference", "answer", "outcome"), COMPARISONS)
def test_outcome(executor: Executor, reference: str, answer: str, outcome: str) -> None:
    verdict = executor.compare(reference, answer)
    assert verdict.outcome == outcome
    assert bool(verdict.diagnostic) == (outcome == NOT_VALID)


def test_checking_compiles(executor: Executor) -> None:
    assert executor.check("sin(x)").diagnostic == ""
    assert "never closed" in executor.check("sin(x").diagnostic


def test_a_hang_ends_at_the_time_limit_and_the_next_comparison_works(executor: Executor) -> None:
    os.kill(executor._process.pid, signal.SIGSTOP)
    executor._seconds = 0.2
    try:
        assert executor.check("sin(x)").outcome == HUNG
    finally:
        executor._seconds = SECONDS
    assert executor.compare("sin(x)", "sin(x + 0.0)").outcome == EQUAL


def test_a_crash_is_survived(executor: Executor) -> None:
    os.kill(executor._process.pid, signal.SIGKILL)
    assert executor.compare("sin(x)", "cos(x)") == Verdict(HUNG, HUNG)
    assert executor.compare("sin(x)", "cos(x)") == Verdict("", DIFFERENT)


class DyingChild:
    """Both process and pipe of a child that dies after these replies."""

    def __init__(self, *replies: dict[str, str]) -> None:
        self.replies = list(replies)

    def poll(self, seconds: float) -> bool:
        return True

    def recv_bytes(self) -> bytes:
        if not self.replies:
            raise EOFError
        return json.dumps(self.replies.pop(0)).encode()

    def ignore(self, *arguments: object) -> None:
        pass

    send_bytes = kill = join = close = ignore


@pytest.mark.parametrize(
    ("replies", "verdict"),
    [
        ([], Verdict(HUNG, HUNG)),
        ([{"diagnostic": ""}], Verdict("", NOT_RUN)),  # it was the reference
        ([{"diagnostic": ""}, {"reference": ""}], Verdict("", HUNG)),
        ([{"diagnostic": "bad"}, {"outcome": NOT_VALID}], Verdict("bad", NOT_VALID)),
    ],
)
def test_the_blame_falls_on_what_was_under_way(replies: list[dict[str, str]], verdict: Verdict) -> None:
    executor = object.__new__(Executor)  # without a device
    executor._seconds = 1.0
    executor._process = executor._pipe = DyingChild(*replies)
    assert executor.compare("sin(x)", "cos(x)") == verdict


def test_the_child_is_gone_at_the_end(validator: Validator) -> None:
    with Executor() as executor:
        process = executor._process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


# ---------------------------------------------------------------- probes


@pytest.mark.parametrize(
    ("code", "operands", "result"),
    [
        ("mix(a, b, t)", "a:vec3<f32> b:vec3<f32> t:f32", "vec3<f32>"),
        ("x % 3u", "x:u32", "u32"),
        ("m * vec4<f32>(p, 1.0)", "m:mat4x4<f32> p:vec3<f32>", "vec4<f32>"),
        ("ray.origin + ray.dir * t", "ray.origin:vec3<f32> ray.dir:vec3<f32> t:f32", "vec3<f32>"),
        ("lights[k].color * s", "lights[].color:vec3<f32> k:u32 s:f32", "vec3<f32>"),
        ("weights[k]", "weights[]:f32 k:u32", "f32"),
    ],
)
def test_operands_have_the_types_of_the_validator(validator: Validator, code: str, operands: str, result: str) -> None:
    probe = make_probe(validator, code)
    assert probe is not None
    assert " ".join(f"{operand.path}:{operand.kind.text}" for operand in probe.operands) == operands
    assert probe.result.text == result


def test_the_function_no_other_calls_is_run(validator: Validator) -> None:
    probe = make_probe(validator, "fn g(x: f32) -> f32 { return f(x); } fn f(x: f32) -> f32 { return x; }")
    assert probe is not None
    assert probe.function == Function("g", ("f32",), "f32")


def test_types() -> None:
    assert ValueType.parse("mat3x2<f32>") == ValueType("mat3x2<f32>", "f32", 3, 2)
    assert ValueType.parse("vec3<f32>") == ValueType("vec3<f32>", "f32", 1, 3)
    for text in ("array<f32,4>", "Ray", "f16", "vec2<f16>", "ptr<function,f32>", ""):
        assert ValueType.parse(text) is None


def test_inputs_are_half_positive_and_unsigned_ones_wholly() -> None:
    rng = np.random.default_rng(1)
    floats, signed, unsigned = (Operand("x", ValueType(kind, kind)).sample(rng)[:, 0] for kind in ("f32", "i32", "u32"))
    half = SAMPLES // 2
    assert floats[:half].min() < 0 < floats[half:].min()
    assert signed[:half].min() < 0 <= signed[half:].min()
    assert unsigned.min() >= 0
    assert (unsigned == unsigned.round()).all()


# ---------------------------------------------------------------- agreement


@pytest.mark.parametrize(
    ("wanted", "found", "exact", "same"),
    [
        ([1.0, 1000.0], [1.0005, 1000.9], False, True),
        ([1.0], [1.003], False, False),
        ([7.0], [7.0005], True, False),
        ([math.nan, 2.0], [5.0, 2.0], False, True),
        ([5.0, 2.0], [math.nan, 2.0], False, False),
        ([5.0], [math.inf], False, False),
        ([1.0, 2.0], [1.0], False, False),
    ],
)
def test_agreement(wanted: list[float], found: list[float], exact: bool, same: bool) -> None:
    assert agree(np.array(wanted), np.array(found), exact) is same
