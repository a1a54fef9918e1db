"""Spellings that make no difference are evened out, differences that matter stay, and faults are told apart."""

from __future__ import annotations

import pytest

from wgsl_pipeline.evaluation.comparison import (
    NO_ANSWER,
    NOT_REFUSED,
    NOT_WGSL,
    OTHER,
    WRONG_FUNCTION,
    WRONG_OPERAND,
    Function,
    comparable,
    fault,
    functions,
)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("clamp(x,0.,1.00)", "clamp( x, 0.0, 1.0 )"),
        ("x * 1e3", "x * 1000.0"),
        ("x + .5f", "x + 0.50f"),
        ("0xFFu", "0xffu"),
        ("vec3<f32>(1.0,)", "vec3f(1.0)"),
        ("array<vec2<f32>, 3,>()", "array<vec2f,3>()"),
        ("x += 1.0;", "x += 1.0"),
        ("a + b // sum", "a /* left */ + b"),
        ("fn f() {\n    return;\n}", "fn f(){return;}"),
    ],
)
def test_spelling_makes_no_difference(one: str, other: str) -> None:
    assert comparable(one) == comparable(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("1", "1.0"),
        ("1u", "1i"),
        ("1.0", "1.0f"),
        ("a - b", "b - a"),
        ("f(a; b)", "f(a b)"),
        ("dot(a, b)", "dot(a, B)"),
        ("0x10", "10"),
        ("vec3<f32>(x)", "vec3<i32>(x)"),
    ],
)
def test_meaning_makes_a_difference(one: str, other: str) -> None:
    assert comparable(one) != comparable(other)


def test_what_cannot_be_split_is_like_itself_alone() -> None:
    assert comparable("/* open") == comparable("/* open")
    assert comparable("/* open") != comparable("/* also open")


def test_heads_of_functions() -> None:
    code = (
        "fn helper(@location(0) p: ptr<function, f32>, m: array<vec2f, 4>) { }\n"
        "@fragment fn main(uv: vec2<f32>,) -> @location(0) vec4<f32> { return f(uv); }\n"
        "fn f(a: f32, b: vec3f) -> mat3x3<f32> { return m; }"
    )
    assert functions(code) == [
        Function("helper", ("ptr<function,f32>", "array<vec2<f32>,4>"), ""),
        Function("main", ("vec2<f32>",), "@location(0)vec4<f32>"),
        Function("f", ("f32", "vec3<f32>"), "mat3x3<f32>"),
    ]
    assert functions("normalize(v)") == []


@pytest.mark.parametrize(
    ("wanted", "got", "valid", "kind"),
    [
        ("sin(x)", None, None, NO_ANSWER),
        (None, "sin(x)", True, NOT_REFUSED),
        ("sin(x)", "sin(x", False, NOT_WGSL),
        ("sin(x)", "cos(x)", True, WRONG_FUNCTION),
        ("a + b", "a - b", None, WRONG_FUNCTION),
        ("dot(a, b)", "dot(b, a)", True, WRONG_OPERAND),
        ("clamp(x, 0.0, 1.0)", "clamp(x, -1.0, 2.0)", None, WRONG_OPERAND),
        ("color.rgb * 2.0", "color.bgr * 3.0", None, WRONG_OPERAND),
        ("max(a, min(b, c))", "min(max(a, b), c)", True, OTHER),
    ],
)
def test_kinds_of_fault(wanted: str | None, got: str | None, valid: bool | None, kind: str) -> None:
    assert fault(wanted, got, valid) == kind
