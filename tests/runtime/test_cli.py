"""The command prints code alone on stdout, one line for every trouble on stderr, and tells the outcome by status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime_builders import Run
from wgsl_infer import Generator, __version__
from wgsl_infer.generator import MODEL_VARIABLE

# ---------------------------------------------------------------- one prompt


def test_a_prompt_is_answered_with_code_alone(run: Run) -> None:
    assert run("normalize a vector") == (0, "normalize(v)\n", "")


def test_words_need_no_quotes(run: Run) -> None:
    assert run("normalize", "a", "vector") == (0, "normalize(v)\n", "")


def test_an_answer_of_many_lines(run: Run) -> None:
    assert run("write a function that squares x")[1] == "fn square(x: f32) -> f32 {\n    return x * x;\n}\n"


def test_no_answer_is_status_3_and_one_line(run: Run) -> None:
    status, out, err = run("what should I cook tonight")
    assert (status, out) == (3, "")
    assert err == "wgsl-infer: no answer: the prompt asks for nothing the model can say\n"


@pytest.mark.parametrize("prompt", ["", " ", "###"])
def test_an_empty_prompt_has_no_answer(run: Run, prompt: str) -> None:
    assert run(prompt) == (3, "", "wgsl-infer: no answer: nothing in the prompt is a word\n")


def test_a_prompt_may_begin_with_a_dash_behind_two(run: Run) -> None:
    assert run("--", "--normalize a vector")[0] == 0


# ---------------------------------------------------------------- options


def test_the_short_style(run: Run) -> None:
    assert run("--style", "short", "create a red color")[1] == "vec4f(1.0, 0.0, 0.0, 1.0)\n"


def test_the_best_answers_are_parted_by_blank_lines(run: Run) -> None:
    status, out, err = run("--n-best", "3", "blend a and b by t")
    answers = out.removesuffix("\n").split("\n\n")
    assert (status, err, len(answers), answers[0]) == (0, "", 3, "mix(a, b, t)")
    assert len(set(answers)) == 3


@pytest.mark.parametrize(("arguments", "wanted"), [("", None), ("--second-look 0", 0), ("--second-look 4", 4)])
def test_a_second_look_is_taken_as_asked(
    run: Run, monkeypatch: pytest.MonkeyPatch, arguments: str, wanted: int | None
) -> None:
    asked = []

    def generate(self: Generator, prompts: list[str], **changes: object) -> list[object]:
        asked.append(changes["second_look"])
        return []

    monkeypatch.setattr(Generator, "generate", generate)
    run(*arguments.split(), "x")
    assert asked == [wanted]


def test_json_has_its_fields_in_order(run: Run) -> None:
    status, out, err = run("--json", "--n-best", "2", "blend a and b by t")
    assert (status, err, out.count("\n")) == (0, "", 1)
    row = json.loads(out)
    assert list(row) == ["prompt", "code", "score", "confidence", "alternatives", "ms"]
    assert (row["prompt"], row["code"]) == ("blend a and b by t", "mix(a, b, t)")
    assert list(row["alternatives"][0]) == ["code", "score", "confidence"]


def test_json_of_no_answer_says_why_on_stdout(run: Run) -> None:
    status, out, err = run("--json", "what should I cook tonight")
    assert (status, err) == (3, "")
    row = json.loads(out)
    assert row["code"] is None
    assert row["reason"] == "the prompt asks for nothing the model can say"


def test_the_number_of_tokens_can_be_limited(run: Run) -> None:
    status, out, err = run("--max-tokens", "3", "repeat 10 times: double total")
    assert (status, out, err) == (3, "", "wgsl-infer: no answer: no end within 3 tokens\n")


@pytest.mark.parametrize(
    "options",
    [
        ["--beam", "1"],
        ["--beam", "3"],
        ["--precision", "float32"],
        ["--threads", "1"],
        ["--threads", "2"],
        ["--provider", "CPUExecutionProvider"],
    ],
    ids=" ".join,
)
def test_options_that_change_how_and_not_what(run: Run, options: list[str]) -> None:
    assert run(*options, "normalize a vector") == (0, "normalize(v)\n", "")


def test_the_model_option_goes_before_the_environment(
    run: Run, monkeypatch: pytest.MonkeyPatch, bundle_folder: Path
) -> None:
    monkeypatch.setenv(MODEL_VARIABLE, "nowhere")
    assert run("--model", str(bundle_folder), "normalize a vector") == (0, "normalize(v)\n", "")


def test_providers_are_listed_one_a_line(run: Run) -> None:
    status, out, err = run("--list-providers")
    assert (status, err) == (0, "")
    assert "CPUExecutionProvider" in out.splitlines()


def test_help_and_version(run: Run) -> None:
    status, out, err = run("--help")
    assert (status, err) == (0, "")
    assert out.startswith("usage: wgsl-infer")
    for word in ("--second-look", "exit status:", "  3  no answer", "--n-best", "WGSL_INFER_MODEL"):
        assert word in out
    assert run("--version") == (0, f"wgsl-infer {__version__}\n", "")


# ---------------------------------------------------------------- wrong usage, unusable bundles


@pytest.mark.parametrize(
    "arguments",
    [
        ["--no-such-option"],
        ["--beam", "0", "x"],
        ["--beam", "-1", "x"],
        ["--beam", "two", "x"],
        ["--beam", "²", "x"],
        ["--n-best", "1.5", "x"],
        ["--second-look", "1.5", "x"],
        ["--style", "long", "x"],
        ["--precision", "int4", "x"],
        ["--threads", "0", "x"],
        ["--n-b", "2", "x"],
        ["--model"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_status_2(run: Run, arguments: list[str]) -> None:
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.splitlines()[-1].startswith("wgsl-infer: error: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-", "normalize"], "give prompts or -, not both"),
        (["--beam", "2", "--n-best", "3", "x"], "3 answers need a beam at least as wide, not 2"),
        (["--provider", "AbacusExecutionProvider", "x"], "no execution provider AbacusExecutionProvider here"),
    ],
)
def test_arguments_that_do_not_go_together_are_status_2_and_one_line(
    run: Run, arguments: list[str], message: str
) -> None:
    status, out, err = run(*arguments)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert err.startswith(f"wgsl-infer: {message}")


def test_a_missing_bundle_is_status_4_and_one_line(run: Run, tmp_path: Path) -> None:
    status, out, err = run("--model", str(tmp_path / "none"), "x")
    assert (status, out, err.count("\n")) == (4, "", 1)
    assert err.startswith(f"wgsl-infer: {tmp_path / 'none' / 'manifest.json'}: no bundle there")


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "encoder.int8.onnx", "decoder.int8.onnx"])
def test_a_damaged_bundle_is_status_4_and_one_line(run: Run, bundle_copy: Path, name: str) -> None:
    data = (bundle_copy / name).read_bytes()
    (bundle_copy / name).write_bytes(data[: len(data) // 2])
    status, out, err = run("--model", str(bundle_copy), "x")
    assert (status, out, err.count("\n")) == (4, "", 1)
    assert err.startswith(f"wgsl-infer: {bundle_copy / name}: ")


def test_an_interrupt_is_status_130_and_no_line(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*arguments: object, **changes: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Generator, "generate", interrupted)
    assert run("normalize a vector") == (130, "", "")
