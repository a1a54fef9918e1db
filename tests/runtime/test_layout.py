"""Lexemes are printed in the house style, whatever the layout they came in, and printing loses nothing."""

from __future__ import annotations

import pytest

from wgsl_infer.layout import layout, shorten
from wgsl_infer.lexemes import split

# One line of code in, the house style out.
EXPRESSIONS = [
    ("dot(a,b)", "dot(a, b)"),
    ("vec4 < f32 > ( 1.0 , 0.0 )", "vec4<f32>(1.0, 0.0)"),
    ("a*b+c/d%e-f", "a * b + c / d % e - f"),
    ("- x", "-x"),
    ("-x*-y", "-x * -y"),
    ("a- -b", "a - -b"),
    ("a-(-b)", "a - (-b)"),
    ("- -x", "- -x"),
    ("! ! ok", "!!ok"),
    ("~ m & ~n", "~m & ~n"),
    ("& data", "&data"),
    ("& & x", "& &x"),
    ("a & & b", "a & &b"),
    ("f( & data , * p )", "f(&data, *p)"),
    ("* p * * q", "*p * *q"),
    ("( * p ) . x", "(*p).x"),
    ("a&&!b||c", "a && !b || c"),
    ("a<b", "a < b"),
    ("a>=b", "a >= b"),
    ("a<-1.0", "a < -1.0"),
    ("x>>2u|y<<3u", "x >> 2u | y << 3u"),
    ("m [ 0 ] [ i+1 ] . xyz", "m[0][i + 1].xyz"),
    ("array<vec2<f32>,3>(a,b,c)[i]", "array<vec2<f32>, 3>(a, b, c)[i]"),
    ("select(a,b,x>0.0)", "select(a, b, x > 0.0)"),
    ("(a+b)*(c-d)", "(a + b) * (c - d)"),
    ("vec3<f32>(1.0)-v", "vec3<f32>(1.0) - v"),
    ("v.x-1.0", "v.x - 1.0"),
    ("m[0]*v", "m[0] * v"),
    ("textureSample(tex,samp,uv).rgb", "textureSample(tex, samp, uv).rgb"),
    ("1.0-x", "1.0 - x"),
    ("array<f32,N>()", "array<f32, N>()"),
]
STATEMENTS = [
    ("let x=-y;", "let x = -y;"),
    ("const a:vec3<f32>=vec3<f32>(1.0);", "const a: vec3<f32> = vec3<f32>(1.0);"),
    ("var<private>seed:u32=1u;", "var<private> seed: u32 = 1u;"),
    ("x+=1.0;", "x += 1.0;"),
    ("i ++ ; j -- ;", "i++;\nj--;"),
    ("_=f(x);", "_ = f(x);"),
    ("*p=*p+1;", "*p = *p + 1;"),
    ("return-x;", "return -x;"),
    ("return;", "return;"),
    ("return(a+b);", "return (a + b);"),
    ("workgroupBarrier ( ) ;", "workgroupBarrier();"),
    ("alias T=array<f32,4>;", "alias T = array<f32, 4>;"),
    ("override scale:f32=2.0;", "override scale: f32 = 2.0;"),
    ("@id(3)override scale:f32;", "@id(3) override scale: f32;"),
    ("const_assert N<4;", "const_assert N < 4;"),
    ("enable f16;", "enable f16;"),
    ("diagnostic(off,derivative_uniformity);", "diagnostic(off, derivative_uniformity);"),
    (
        "@group(0)@binding(1)var<storage,read_write>data:array<f32>;",
        "@group(0) @binding(1) var<storage, read_write> data: array<f32>;",
    ),
    ("if(a<b){x=1;}", "if (a < b) {\n    x = 1;\n}"),
    ("if a<b{x=1;}else{x=2;}", "if a < b {\n    x = 1;\n} else {\n    x = 2;\n}"),
    (
        "if(a){x=1;}else if(b){x=2;}else{x=3;}",
        "if (a) {\n    x = 1;\n} else if (b) {\n    x = 2;\n} else {\n    x = 3;\n}",
    ),
    ("for(var i=0;i<10;i++){s+=a[i];}", "for (var i = 0; i < 10; i++) {\n    s += a[i];\n}"),
    ("for(;;){break;}", "for (;;) {\n    break;\n}"),
    ("while(i<n){i++;}", "while (i < n) {\n    i++;\n}"),
    (
        "loop{if(x){continue;}continuing{i++;break if(i>3);}}",
        "loop {\n    if (x) {\n        continue;\n    }\n"
        "    continuing {\n        i++;\n        break if (i > 3);\n    }\n}",
    ),
    (
        "switch(k){case 0:{x=1;}case 1,-2:{x=2;}default:{}}",
        "switch (k) {\n    case 0: {\n        x = 1;\n    }\n    case 1, -2: {\n        x = 2;\n    }\n"
        "    default: {\n    }\n}",
    ),
    ("{let a=1;}", "{\n    let a = 1;\n}"),
    ("struct S{a:f32,b:vec3<f32>}", "struct S {\n    a: f32,\n    b: vec3<f32>\n}"),
    (
        "struct S{@size(16)a:f32,@location(0)@interpolate(flat,either)b:u32,c:array<vec4<f32>,4>,}",
        "struct S {\n    @size(16) a: f32,\n    @location(0) @interpolate(flat, either) b: u32,\n"
        "    c: array<vec4<f32>, 4>,\n}",
    ),
]
FUNCTIONS = [
    ("fn f(){}", "fn f() {\n}"),
    ("fn sq(x:f32)->f32{return x*x;}", "fn sq(x: f32) -> f32 {\n    return x * x;\n}"),
    ("fn a(){f();}fn b(){g();}", "fn a() {\n    f();\n}\n\nfn b() {\n    g();\n}"),
    (
        "@must_use fn f(p:ptr<function,f32>)->f32{return*p;}",
        "@must_use\nfn f(p: ptr<function, f32>) -> f32 {\n    return *p;\n}",
    ),
    ("fn f(a:f32,b:f32,)->f32{let c=a;return c;}", "fn f(a: f32, b: f32,) -> f32 {\n    let c = a;\n    return c;\n}"),
]
SHADERS = [
    (
        "@fragment fn main(@location(0)uv:vec2<f32>)->@location(0)vec4<f32>{return vec4<f32>(uv,0.0,1.0);}",
        "@fragment\nfn main(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32> {\n"
        "    return vec4<f32>(uv, 0.0, 1.0);\n}",
    ),
    (
        "@group(0)@binding(0)var<uniform>time:f32;@group(0)@binding(1)var tex:texture_2d<f32>;"
        "@fragment fn main()->@location(0)vec4<f32>{return vec4<f32>(time);}",
        "@group(0) @binding(0) var<uniform> time: f32;\n@group(0) @binding(1) var tex: texture_2d<f32>;\n\n"
        "@fragment\nfn main() -> @location(0) vec4<f32> {\n    return vec4<f32>(time);\n}",
    ),
    (
        "struct V{@builtin(position)p:vec4<f32>,}const N=3;"
        "@vertex fn main(@builtin(vertex_index)i:u32)->V{var v:V;return v;}",
        "struct V {\n    @builtin(position) p: vec4<f32>,\n}\n\nconst N = 3;\n\n"
        "@vertex\nfn main(@builtin(vertex_index) i: u32) -> V {\n    var v: V;\n    return v;\n}",
    ),
    (
        "enable f16;var<workgroup>tile:array<f32,64>;@compute@workgroup_size(8,8)"
        "fn main(@builtin(global_invocation_id)id:vec3<u32>){if(id.x>=arrayLength(&data)){return;}data[id.x]*=2.0;}",
        "enable f16;\nvar<workgroup> tile: array<f32, 64>;\n\n@compute @workgroup_size(8, 8)\n"
        "fn main(@builtin(global_invocation_id) id: vec3<u32>) {\n    if (id.x >= arrayLength(&data)) {\n"
        "        return;\n    }\n    data[id.x] *= 2.0;\n}",
    ),
]
TABLE = EXPRESSIONS + STATEMENTS + FUNCTIONS + SHADERS


@pytest.mark.parametrize(("code", "text"), TABLE)
def test_the_house_style(code: str, text: str) -> None:
    assert layout(split(code)) == text


@pytest.mark.parametrize(("code", "text"), TABLE)
def test_printing_loses_nothing_and_settles_at_once(code: str, text: str) -> None:
    lexemes = split(code)
    assert split(layout(lexemes)) == lexemes
    assert layout(split(text)) == text


def test_the_table_covers_the_grammar() -> None:
    assert len(TABLE) >= 40


def test_nothing_prints_as_nothing() -> None:
    assert layout([]) == ""


@pytest.mark.parametrize(
    "code", ["}", ")", "a)]}", "f(a", "if (a { b;", "fn f( {", "; ;", "< >", "@", "a b c", "struct {"]
)
def test_an_ill_formed_answer_is_printed_without_an_error(code: str) -> None:
    lexemes = split(code)
    assert split(layout(lexemes)) == lexemes


@pytest.mark.parametrize(
    ("code", "short"),
    [
        ("vec3<f32>(1.0)", "vec3f(1.0)"),
        ("vec2<i32>(1)", "vec2i(1)"),
        ("vec4<u32>(1u)", "vec4u(1u)"),
        ("vec2<f16>(x)", "vec2h(x)"),
        ("mat4x4<f32>()", "mat4x4f()"),
        ("mat2x3<f16>()", "mat2x3h()"),
        ("array<vec4<f32>, 4>()", "array<vec4f, 4>()"),
        ("ptr<function, vec3<f32>>", "ptr<function, vec3f>"),
        # these have no short name
        ("vec3<bool>(a)", "vec3<bool>(a)"),
        ("vec3<T>(a)", "vec3<T>(a)"),
        ("mat2x2<i32>()", "mat2x2<i32>()"),
        ("array<f32>()", "array<f32>()"),
        ("texture_2d<f32>", "texture_2d<f32>"),
        ("atomic<u32>", "atomic<u32>"),
        ("vec3 < f32", "vec3 < f32"),
    ],
)
def test_the_short_style(code: str, short: str) -> None:
    assert layout(shorten(split(code))) == short
