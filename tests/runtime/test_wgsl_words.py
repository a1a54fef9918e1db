"""What the language itself has a meaning for."""

from __future__ import annotations

import pytest

from wgsl_infer.wgsl_words import is_predeclared, is_swizzle


@pytest.mark.parametrize(
    "word",
    "fn let f32 vec3 mat4x4 array texture_2d read_write workgroup_size location position normalize textureSample "
    "subgroupAdd rgba8unorm r32float bgra8unorm rg16sint".split(),
)
def test_predeclared_words(word: str) -> None:
    assert is_predeclared(word)


@pytest.mark.parametrize("word", "lerp color uv vec5 float3 rgba rgb8 main texture Normalize".split())
def test_words_a_program_must_declare(word: str) -> None:
    assert not is_predeclared(word)


@pytest.mark.parametrize("word", "x w xy zyx wwww r rgb bgra a".split())
def test_swizzles(word: str) -> None:
    assert is_swizzle(word)


@pytest.mark.parametrize("word", ["xr", "rgx", "xyzwx", "uv", "s", "", "X", "x\n"])
def test_other_members(word: str) -> None:
    assert not is_swizzle(word)
