"""What makes sense and what does not, in expressions, statements, functions and shaders."""

from __future__ import annotations

import pytest

from wgsl_infer.sense import fault

FRAGMENT = "@fragment fn main(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32> { "
TEXTURE = "@group(0) @binding(0) var t: texture_2d<f32>; "
IMAGE = "@group(0) @binding(0) var image: texture_storage_2d<rgba8unorm, write>; "
SAMPLE = "fn f(t: texture_2d<f32>, s: sampler) -> vec4<f32> { return "

LINES = """
normalize(v)
dot(a - b, c) * 0.5 + 0.5
mix(a, b, t)
clamp(color, vec3<f32>(0.0), vec3<f32>(1.0))
max(x, 0.0)
select(a, b, x > 0.0)
v.xyz * 2.0
m * vec4<f32>(p, 1.0)
(m * vec4<f32>(p, 1.0)).xyz
vec4<f32>(color.rgb, 0.5)
textureSample(tex, samp, uv).rgb
textureLoad(tex, vec2<i32>(p), 0)
light.pos - hit.pos
rays[i].origin + rays[i].dir * t
f32(count) / 2.0
(bits >> 3u) & 1u
x << 2u
a < b && c > d
!(a && b)
modf(x).fract
frexp(x).exp
bitcast<u32>(x)
atomicAdd(&counter, 1u)
arrayLength(&data)
array<f32, 3>(1.0, 2.0, 3.0)[i]
pow(color, vec3<f32>(1.0 / 2.2))
-v
any(v > vec3<f32>(0.0))
mat2x2<f32>(cos(x), sin(x), -sin(x), cos(x)) * (uv - 0.5) + 0.5
abs(-3)
let x = 1.0;
var total: f32 = 0.0;
x += 1.0; y = x * 2.0;
v.x = 3.0;
if (x > 1.0) { discard; } else { x = 0.0; }
for (var i = 0; i < 10; i++) { sum += values[i]; }
loop { i++; if (i > 3) { break; } }
switch (mode) { case 0: { x = 1.0; } default: { x = 2.0; } }
textureStore(image, vec2<i32>(p), color);
workgroupBarrier();
struct Light { pos: vec3<f32>, power: f32, }
@group(0) @binding(1) var<uniform> camera: Camera;
var<workgroup> tile: array<f32, 64>;
const pi: f32 = 3.14159265;
alias Color = vec4<f32>;
*p = 3.5;
fn square(x: f32) -> f32 { return x * x; }
fn f(x: f32) -> f32 { if (x > 0.0) { return 1.0; } else { return 0.0; } }
fn f(p: ptr<function, f32>) { *p = 0.0; }
fn g(x: f32) -> f32 { return h(x) * 2.0; } fn h(x: f32) -> f32 { return x; }
"""
SENSE = [
    *LINES.strip().splitlines(),
    FRAGMENT + "return vec4<f32>(uv, 0.0, 1.0); }",
    "@group(0) @binding(0) var<uniform> time: f32;\n" + FRAGMENT + "return vec4<f32>(vec3<f32>(sin(time)), 1.0); }",
    "struct P { pos: vec2<f32>, }\nfn f(p: P) -> vec2<f32> { var q = p; q.pos += vec2<f32>(1.0); return q.pos; }",
]

NONSENSE = {
    "normalize(v": "expected",
    "normalize(v))": "behind the expression",
    "lerp(a, b, t)": "no function `lerp`",
    "clamp(x, 0.0)": "takes 3 arguments, not 2",
    "dot(a)": "takes 2 arguments",
    "x > 0.0 ? a : b": "behind the expression",
    "a & b == c": "needs brackets",
    "a && b || c": "needs brackets",
    "a << b + 1u": "needs brackets",
    "a < b < c": "do not chain",
    "vec3<f32>(1.0, 2.0)": "vec3<f32> of",
    "vec2<f32>(v.xyz, 1.0)": "vec2<f32> of",
    "v.xyz + v.xy": "do not go together",
    "(v + a).xg": "",
    "(v.xy).z": "has no .z",
    "max(v.xyz, 0.0)": "do not go together",
    "cross(v.xy, w)": "cross of",
    "length(x > 1.0)": "length of",
    "f32(x) & 1u": "do not go together",
    "1.0 + 1u": "do not go together",
    "select(a, b)": "takes 3 arguments",
    "mod(x, 2.0)": "`mod` is no name",
    "x y": "behind the expression",
    "frac(x)": "no function `frac`",
    "vec3<f32>(0.0).w": "has no .w",
    "m4x4<f32>(1.0)": "",
    "!1.0": "! of",
    "sin(true)": "sin of",
    "workgroupBarrier()": "has no value",
    "let x = 1.0": "`let` is no name",
    "x = 1.0; y": "behind what is no statement",
    "float x = 1.0;": "behind what is no statement",
    "var x;": "has no value",
    "let x: f32 = 1u;": "u32 is no f32",
    "let x = 1.0; x = 2.0;": "cannot be assigned to",
    "v.xy = vec2<f32>(0.0);": "several components",
    "if (1.0) { y = 1.0; }": "a condition of type",
    "normalize(v);": "is not used",
    "var i = 0; i += 1.0;": "do not go together",
    "let f = 1.5; for (var i = f; i < 3.0; i++) { x += i; }": "++ of f32",
    "let a = 1.0; let a = 2.0;": "declared twice",
    "fn f(x: f32) -> f32 { x * x; }": "behind what is no statement",
    "fn f(x: f32) -> f32 { let y = x; }": "does not always return",
    "fn f(x: f32) -> f32 { return vec2<f32>(x); }": "returns vec2<f32>, not f32",
    "fn f(x: f32) { return x; }": "returns f32, not nothing",
    "fn f(x: f32) -> f32 { return y; }": "`y` is not declared",
    "fn f(x: f32) -> f32 { x += 1.0; return x; }": "cannot be assigned to",
    "fn f(x: real) -> f32 { return 1.0; }": "no type `real`",
    "fn f(a: f32, b: f32) -> f32 { return a; } fn g() -> f32 { return f(1.0); }": "f takes 2 arguments",
    "fn f(x: f32) -> f32 { return x; } fn f(x: f32) -> f32 { return x; }": "declared twice",
    "struct P { a: f32, } fn f(p: P) -> f32 { return p.b; }": "has no .b",
    "fn pack4x8unorm(c: vec4<f32>) -> u32 { return pack4x8unorm(c); }": "calls itself",
    "fn f(@location(0) a: f32, @location(0) b: f32) { }": "@location(0) stands twice",
    "struct P { @location(1) a: f32, @location(1) b: f32, }": "@location(1) stands twice",
    "@group(0) @binding(0) var<uniform> a: f32; @binding(0) @group(0) var<uniform> b: f32;": "stands twice",
    "x >> 32u": "shifted by more bits",
    "bitcast<f32>(1u, 2u)": "bitcast takes 1 argument",
    "vec2<f32>(a, b, c)": "vec2<f32> of 3 values",
    "mat2x2<f32>(a, b, c)": "mat2x2<f32> of 3 values",
    "f32(a, b)": "f32 of 2 values",
    "textureSample(t, s, uv) * t": "`t` is a texture, no value",
    "t * textureSample(t, s, uv)": "`t` is not a texture alone",
    "textureSample(t, t, uv)": "`t` is not a sampler alone",
    "textureStore(t, p, v.xyz);": "writes four components",
    SAMPLE + "textureSample(t, s, vec2<f32>(0.5), 1); }": "textureSample of",
    SAMPLE + "textureSample(t, s, vec3<f32>(0.5)); }": "textureSample of",
    FRAGMENT + "return vec4<f32>(uv, time, 1.0); }": "`time` is not declared",
    FRAGMENT + "return textureSample(tex, samp, uv); }": "`tex` is not declared",
    FRAGMENT + "return textureGather(0, tex, samp, uv); }": "`tex` is not declared",
    FRAGMENT + "return vec4<f32>(colors[0], 1.0); }": "`colors` is not declared",
    FRAGMENT + "return vec4<f32>(light.color, 1.0); }": "`light` is not declared",
    FRAGMENT + "return vec4<f32>(f32(arrayLength(&data))); }": "`data` is not declared",
    "@group(0) @binding(0) var s: sampler; " + FRAGMENT + "return textureSample(s, s, uv); }": "takes a texture",
    TEXTURE + FRAGMENT + "return textureSample(t, t, uv); }": "takes a sampler",
    TEXTURE
    + FRAGMENT
    + "textureStore(t, vec2<i32>(uv), vec4<f32>(1.0)); return vec4<f32>(1.0); }": "a storage texture",
    IMAGE + FRAGMENT + "return textureLoad(image, vec2<i32>(uv), 0); }": "written to",
    "array<f32, 3>(1.0, 2.0)": "2 elements for an array of 3",
    FRAGMENT + "return vec3<f32>(uv, 1.0); }": "returns vec3<f32>, not vec4<f32>",
    "": "expected more",
}


@pytest.mark.parametrize("code", SENSE)
def test_what_compiles_makes_sense(code: str) -> None:
    assert fault(code) is None


@pytest.mark.parametrize("code", NONSENSE)
def test_what_makes_no_sense_is_told_why(code: str) -> None:
    found = fault(code)
    assert found is not None and NONSENSE[code] in found


def test_functions_the_prompt_names_may_be_called() -> None:
    assert fault("noise(p) * 0.5") == "there is no function `noise`"
    assert fault("noise(p) * 0.5", ["noise"]) is None


def test_deep_nesting_is_no_crash() -> None:
    assert fault("(" * 5000 + "x" + ")" * 5000) == "nested too deeply"


def test_names_are_given_one_type_throughout() -> None:
    assert fault("a + vec3<f32>(1.0) * a.xyz") is None
    assert fault("vec2<f32>(1.0) + a * vec3<f32>(1.0)") is not None
    assert fault("cross(a, b) + vec2<f32>(a.x)") is not None
