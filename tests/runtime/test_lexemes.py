"""WGSL falls into the language's own tokens, and template lists are told from comparisons and shifts."""

from __future__ import annotations

import pytest

from wgsl_infer.errors import TokenizerError
from wgsl_infer.lexemes import is_number, is_word, split, template_brackets

NUMBERS = """
0 7 123 0i 12i 3u 4294967295u
0x0 0xff 0XFF 0x1Fu 0XaBi 0x9e3779b9
0. 1. 12.5 .5 0.5f 1.5h 2f 3h 1.f .25h
1e5 1E5 1e+5 1e-5 1.5e3 1.e-3 .5e2 1e5f 2.5e-3h
0x1p4 0x1P+4 0X1p-4f 0x1.8p3 0xa.fp+2h 0x.8p1 0x1.8 0x1.
""".split()

# (code, its lexemes between blanks)
TEMPLATES = [
    ("vec3<f32>(1.0)", "vec3 < f32 > ( 1.0 )"),
    ("array<vec4<f32>>", "array < vec4 < f32 > >"),
    ("array<array<vec4<f32>,4>>()", "array < array < vec4 < f32 > , 4 > > ( )"),
    ("let x: vec3<f32>=y;", "let x : vec3 < f32 > = y ;"),
    ("let x: array<vec2<f32>>=y;", "let x : array < vec2 < f32 > > = y ;"),
    ("var<storage,read_write>data:array<u32>;", "var < storage , read_write > data : array < u32 > ;"),
    ("ptr<function, array<f32, N>>", "ptr < function , array < f32 , N > >"),
    ("array<f32, 1 << 2>", "array < f32 , 1 << 2 >"),
    ("array<f32, (8 >> 1)>", "array < f32 , ( 8 >> 1 ) >"),
    ("array<f32, u32(N >= 2)>", "array < f32 , u32 ( N >= 2 ) >"),
    ("array<f32, u32(N >>= 2)>", "array < f32 , u32 ( N >>= 2 ) >"),
    ("array<f32, select(1, 2, a > b)>", "array < f32 , select ( 1 , 2 , a > b ) >"),
    ("bitcast<u32>(x) >> 2u", "bitcast < u32 > ( x ) >> 2u"),
    ("vec2 <f32> (x)", "vec2 < f32 > ( x )"),
    ("vec2/* of */<f32>(x)", "vec2 < f32 > ( x )"),
    # the specification reads these as template lists, whatever their author meant
    ("f(a < b, c > (d))", "f ( a < b , c > ( d ) )"),
    ("a<b<c>>d", "a < b < c > > d"),
]
OPERATORS = [
    ("a < b", "a < b"),
    ("a > b", "a > b"),
    ("a<=b", "a <= b"),
    ("a>=b", "a >= b"),
    ("a<<b", "a << b"),
    ("a>>b", "a >> b"),
    ("x>>=2u;", "x >>= 2u ;"),
    ("x<<=2u;", "x <<= 2u ;"),
    ("a > = b", "a > = b"),
    ("a > > b", "a > > b"),
    ("a < b && c > d", "a < b && c > d"),
    ("a < b || c >= d", "a < b || c >= d"),
    ("(a < b) == (c > d)", "( a < b ) == ( c > d )"),
    ("x = a < b; y = c > d;", "x = a < b ; y = c > d ;"),
    ("if i < n { k = i >> 1u; }", "if i < n { k = i >> 1u ; }"),
    ("m[i < 3] > x", "m [ i < 3 ] > x"),
    ("case a < b: { c >>= d; }", "case a < b : { c >>= d ; }"),
    ("1 < 2 >= x", "1 < 2 >= x"),
    ("1 < b > (c)", "1 < b > ( c )"),
    ("x < y = z > (w)", "x < y = z > ( w )"),
    ("a >", "a >"),
    ("a >>", "a >>"),
    ("a >=", "a >="),
    ("a >>=", "a >>="),
    ("f(a < b) >= c", "f ( a < b ) >= c"),
    ("i++;j--;", "i ++ ; j -- ;"),
    ("a&&b||!c", "a && b || ! c"),
    ("a&b|c^~d", "a & b | c ^ ~ d"),
    (
        "x+=1;x-=1;x*=2;x/=2;x%=2;x&=m;x|=m;x^=m;",
        "x += 1 ; x -= 1 ; x *= 2 ; x /= 2 ; x %= 2 ; x &= m ; x |= m ; x ^= m ;",
    ),
    ("a==b!=c", "a == b != c"),
    ("fn f()->f32", "fn f ( ) -> f32"),
    ("v.xy*m[0].x", "v . xy * m [ 0 ] . x"),
    ("@location(0)", "@ location ( 0 )"),
]


@pytest.mark.parametrize(("code", "lexemes"), TEMPLATES + OPERATORS)
def test_code_falls_into_lexemes(code: str, lexemes: str) -> None:
    assert split(code) == lexemes.split()


@pytest.mark.parametrize(("code", "lexemes"), TEMPLATES)
def test_every_lone_bracket_of_a_template_list_is_found(code: str, lexemes: str) -> None:
    found = template_brackets(lexemes.split())
    inside_parentheses = {k for k, lexeme in enumerate(lexemes.split()) if lexeme == ">" and "a > b" in code}
    brackets = {k for k, lexeme in enumerate(lexemes.split()) if lexeme in "<>"}
    assert brackets >= found
    assert len(brackets - found) == (1 if inside_parentheses else 0)


@pytest.mark.parametrize(("code", "lexemes"), OPERATORS)
def test_comparisons_are_no_template_lists(code: str, lexemes: str) -> None:
    assert template_brackets(lexemes.split()) == set()


def test_template_brackets_come_with_their_places() -> None:
    assert template_brackets("x = array < vec2 < f32 > , 4 > ( a < b )".split()) == {3, 5, 7, 10}


@pytest.mark.parametrize("number", NUMBERS)
def test_a_number_literal_is_one_lexeme(number: str) -> None:
    assert split(number) == [number]
    assert split(f"(x+{number}*y)") == ["(", "x", "+", number, "*", "y", ")"]
    assert is_number(number)
    assert not is_word(number)


@pytest.mark.parametrize("lexeme", ["x1", "e5", "f", "_", ".", "-", "..", "é"])
def test_what_is_no_number(lexeme: str) -> None:
    assert not is_number(lexeme)


@pytest.mark.parametrize("lexeme", ["x", "_", "_a1", "vec3", "größe", "名前"])
def test_words_may_hold_any_letters(lexeme: str) -> None:
    assert is_word(lexeme)
    assert split(lexeme + "+1") == [lexeme, "+", "1"]


@pytest.mark.parametrize("lexeme", ["1x", "a b", "a.", "+", "x\n"])
def test_what_is_no_word(lexeme: str) -> None:
    assert not is_word(lexeme)


@pytest.mark.parametrize(
    "code",
    [
        "a // to the end\n + b",
        "a + b // at the very end",
        "a /* between */ + b",
        "a /* over\nlines */ + b",
        "a /* one /* in */ another */ + b",
        "/*/ tricky */ a + b",
        "a /**/ + /***/ b",
        "a /* // */ + b",
        "a //* no block\n + b",
        "a + b // /* no block either",
    ],
)
def test_comments_vanish(code: str) -> None:
    assert split(code) == ["a", "+", "b"]


def test_a_comment_separates_words() -> None:
    assert split("a/**/b") == ["a", "b"]


@pytest.mark.parametrize("code", ["a /* open", "/* a /* b */", "/*/"])
def test_an_open_comment_is_an_error(code: str) -> None:
    with pytest.raises(TokenizerError, match="never closed"):
        split(code)


def test_characters_outside_the_language_are_kept() -> None:
    assert split("a # $ 'b' §") == ["a", "#", "$", "'", "b", "'", "§"]


def test_empty_code_has_no_lexemes() -> None:
    assert split("") == split(" \n\t") == split("// nothing") == []
