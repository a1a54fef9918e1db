"""Recipes that compile and are wrong all the same: one phrasing with two meanings, values that are never numbers."""

from __future__ import annotations

from pathlib import Path

import pytest

from wgsl_infer.validation import Validator
from wgsl_pipeline.recipes.read import read_cookbook
from wgsl_pipeline.recipes.verify import verify


def recipe(name: str, code: str, operands: str, result: str, verbs: str) -> str:
    return (
        f"[[recipes]]\nname = '{name}'\ncode = '{code}'\noperands = {{ {operands} }}\nresult = '{result}'\n"
        f"verbs = ['{verbs}']\n"
    )


def faults(folder: Path, validator: Validator, *recipes: str) -> list[str]:
    (folder / "a.toml").write_text("category = 'a'\n" + "\n".join(recipes))
    return [f"{fault.recipe.name}: {fault.reason}" for fault in verify(read_cookbook(folder), validator)]


HALVE = recipe("halve", "{x} * 0.5", "x = 'f32'", "f32", "halve {x}")
LOWER = recipe("lower", "{x} - {y}", "x = 'f32', y = 'f32'", "f32", "lower {x} by {y}")


def test_recipes_in_order(tmp_path: Path, validator: Validator) -> None:
    assert faults(tmp_path, validator, HALVE, LOWER) == []


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HALVE, recipe("halveInPlace", "{n} *= 0.5;", "n = 'name'", "statement", "halve {n}")),
        (LOWER, recipe("lowerInPlace", "{n} -= {by};", "n = 'name', by = 'number'", "statement", "lower {n} by {by}")),
        (
            LOWER,
            recipe("lowerAway", "{n} -= {value};", "n = 'name', value = 'value'", "statement", "lower {n} by {value}"),
        ),
    ],
)
def test_a_phrasing_of_two_forms(tmp_path: Path, validator: Validator, first: str, second: str) -> None:
    assert any("asks for a value at " in fault for fault in faults(tmp_path, validator, first, second))


def test_another_filling_is_another_phrasing(tmp_path: Path, validator: Validator) -> None:
    lower = LOWER.replace("'f32' }", "'percent' }")
    statement = recipe("lowerInPlace", "{n} -= {by};", "n = 'name', by = 'number'", "statement", "lower {n} by {by}")
    assert faults(tmp_path, validator, lower, statement) == []


def test_a_phrasing_of_two_values(tmp_path: Path, validator: Validator) -> None:
    (fault,) = faults(tmp_path, validator, HALVE, recipe("quarter", "{x} * 0.25", "x = 'f32'", "f32", "halve {x}"))
    assert fault.startswith("quarter: means {x} * 0.25 here")


def test_a_value_that_is_never_a_number(tmp_path: Path, validator: Validator) -> None:
    (fault,) = faults(tmp_path, validator, recipe("root", "sqrt(-1.0 - {x} * {x})", "x = 'f32'", "f32", "root of {x}"))
    assert fault == "root: none of its values is ever a number"
