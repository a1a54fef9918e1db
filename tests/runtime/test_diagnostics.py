"""Faults of code are told with their line and a caret, by the API and by the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime_builders import Run
from wgsl_infer.errors import EnvironmentLacks
from wgsl_infer.validation import Diagnostic, Validator
from wgsl_infer.validation import command as command_module

SHADER = """@fragment
fn main(@location(0) uv: vec2<f32>) -> @location(0) vec4<f32> {
    let shade = lerp(uv.x, uv.y, 0.5);
    return vec4<f32>(shade);
}
"""


@pytest.mark.parametrize(
    ("code", "marked"),
    [
        (SHADER, "lerp"),
        ("lerp(a, b, t)", "lerp"),
        ("let a = 1.0;\nlet b = lerp(a, 2.0, 0.5);", "lerp"),
        ("struct A { x: f32 }\nlet b = lerp(1.0, 2.0, 0.5);", "lerp"),
        ("fn f(x: f32) -> f32 {\n    let y = x + 1u;\n    return y;\n}", "x + 1u"),
        ("normalize(v", "("),
        ("x + 1.0)", ")"),
        ("let a = 1.0\nlet b = 2.0;", "let"),
    ],
)
def test_what_is_wrong_is_marked(validator: Validator, code: str, marked: str) -> None:
    found = validator.diagnose(code)
    assert found and found.offset is not None
    assert code[found.offset :].startswith(marked)
    assert found.message == validator.check(code)


def test_right_code_has_no_diagnostic(validator: Validator) -> None:
    assert validator.diagnose("normalize(v)") is None
    assert validator.diagnose("<unsupported>") is None


@pytest.mark.parametrize(
    ("diagnostic", "shown"),
    [
        (Diagnostic("no `q`"), "a.wgsl: no `q`"),
        (Diagnostic("no `q`", 7, 1), "a.wgsl:2:3: no `q`\n 2 | \tbq\n   | \t ^"),
        (Diagnostic("too long", 4, 99), "a.wgsl:1:5: too long\n 1 | x = \n   |     ^"),
    ],
)
def test_the_line_and_carets_are_shown(diagnostic: Diagnostic, shown: str) -> None:
    assert diagnostic.shown("x = \n\tbq", "a.wgsl") == shown


# ---------------------------------------------------------------- the command


def test_a_valid_answer_is_said_to_be(run: Run, validator: Validator) -> None:
    status, out, err = run("--validate", "normalize a vector")
    assert (status, out, err) == (0, "normalize(v)\n", "wgsl-infer: answer: valid\n")


def test_an_invalid_answer_is_status_5(run: Run, validator: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Validator, "diagnose", lambda self, code: Diagnostic("no", 0, 9))
    status, out, err = run("--validate", "normalize a vector")
    assert (status, out) == (5, "normalize(v)\n")
    assert err == "wgsl-infer: answer:1:1: no\n 1 | normalize(v)\n   | ^^^^^^^^^\n"


def test_json_tells_the_verdict(run: Run, validator: Validator) -> None:
    _, out, _ = run("--json", "--validate", "normalize a vector")
    row = json.loads(out)
    assert row["valid"] is True and row["diagnostic"] is None
    assert "valid" not in json.loads(run("--json", "normalize a vector")[1])


def test_every_code_that_is_shown_is_judged(run: Run, validator: Validator, monkeypatch: pytest.MonkeyPatch) -> None:
    said = run("--n-best", "3", "blend a and b by t")[1].rstrip("\n").split("\n\n")
    assert len(said) == 3
    monkeypatch.setattr(Validator, "diagnose", lambda self, code: Diagnostic("no", 0, 1) if code == said[1] else None)
    status, out, err = run("--validate", "--n-best", "3", "blend a and b by t")
    assert (status, out.count("\n\n")) == (5, 2)
    lines = err.splitlines()
    assert lines[0] == "wgsl-infer: answer: valid"
    assert lines[1] == "wgsl-infer: answer 2:1:1: no"
    assert lines[-1] == "wgsl-infer: answer 3: valid"
    row = json.loads(run("--json", "--validate", "--n-best", "3", "blend a and b by t")[1])
    assert [part["valid"] for part in (row, *row["alternatives"])] == [True, False, True]


def test_without_a_device_nothing_is_called_valid(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def lacking(self: Validator) -> None:
        raise EnvironmentLacks("no adapter today")

    monkeypatch.setattr(Validator, "__init__", lacking)
    status, out, err = run("--validate", "normalize a vector")
    assert (status, out) == (10, "normalize(v)\n")
    assert err == "wgsl-infer: answer: not validated: no adapter today\n"
    assert json.loads(run("--json", "--validate", "normalize a vector")[1])["valid"] is None


def test_files_are_validated(run: Run, validator: Validator, tmp_path: Path) -> None:
    (tmp_path / "good.wgsl").write_text(SHADER.replace("lerp", "mix"))
    (tmp_path / "bad.wgsl").write_text(SHADER)
    good, bad = str(tmp_path / "good.wgsl"), str(tmp_path / "bad.wgsl")
    assert run("validate", good) == (0, "", f"{good}: valid\n")
    status, out, err = run("validate", good, bad)
    assert (status, out) == (5, "")
    assert f"{bad}:3:17: no definition in scope" in err
    assert "\n 3 |     let shade = lerp(uv.x, uv.y, 0.5);\n   |                 ^^^^\n" in err


@pytest.mark.parametrize("contents", [None, b"\xff\xfe"])
def test_a_file_that_cannot_be_read_is_status_2(run: Run, tmp_path: Path, contents: bytes | None) -> None:
    path = tmp_path / "a.wgsl"
    if contents:
        path.write_bytes(contents)
    status, out, err = run("validate", str(path))
    assert (status, out) == (2, "")
    assert str(path) in err and len(err.splitlines()) == 1


def test_validate_may_begin_a_prompt(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_module, "validate_files", lambda names: pytest.fail("not files"))
    assert run("validate", "the", "normal")[0] in (0, 3)
