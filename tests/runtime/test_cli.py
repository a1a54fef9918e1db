"""The command prints code alone on stdout, one line for every trouble on stderr, and tells the outcome by status."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from wgsl_infer import Generator, __version__
from wgsl_infer.cli import main
from wgsl_infer.generator import MODEL_VARIABLE

Run = Callable[..., tuple[int, str, str]]
COMMAND = [sys.executable, "-m", "wgsl_infer"]
GUARD = 30  # seconds after which a child that hangs is ended, and the test fails


class Terminal(io.TextIOWrapper):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> Run:
    """Run the command in this process, with the fixture bundle: (exit status, stdout, stderr)."""
    monkeypatch.setenv(MODEL_VARIABLE, str(bundle_folder))

    def run(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> tuple[int, str, str]:
        (tmp_path / "stdin").write_bytes(stdin)
        with (Terminal if terminal else io.TextIOWrapper)((tmp_path / "stdin").open("rb")) as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                status = main(arguments)
            except SystemExit as leaving:
                status = int(leaving.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run


def environment(folder: Path, **changes: str) -> dict[str, str]:
    """That of this process, with the bundle named and output buffered, as users have it."""
    variables = os.environ | {MODEL_VARIABLE: str(folder)} | changes
    variables.pop("PYTHONUNBUFFERED", None)
    return variables


@contextlib.contextmanager
def child(*arguments: str, folder: Path, **pipes: int) -> Iterator[subprocess.Popen[bytes]]:
    """The command as a process of its own; ended if it hangs."""
    with subprocess.Popen([*COMMAND, *arguments], env=environment(folder), **pipes) as process:  # type: ignore[call-overload]
        guard = threading.Timer(GUARD, process.kill)
        guard.start()
        try:
            yield process
        finally:
            guard.cancel()
            process.kill()


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
    status, out, err = run("--n-best", "3", "normalize a vector")
    answers = out.removesuffix("\n").split("\n\n")
    assert (status, err, len(answers), answers[0]) == (0, "", 3, "normalize(v)")
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


# ---------------------------------------------------------------- standard input


@pytest.mark.parametrize("arguments", [[], ["-"]], ids=["no argument", "a dash"])
@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\r"], ids=repr)
def test_prompts_come_one_a_line(run: Run, arguments: list[str], end: bytes) -> None:
    status, out, err = run(*arguments, stdin=b"normalize a vector\nblend a and b by t" + end)
    assert (status, out, err) == (0, "normalize(v)\n\nmix(a, b, t)\n", "")


def test_many_prompts_are_answered_in_order(run: Run, pairs: list[tuple[str, str]]) -> None:
    prompts = [prompt for prompt, _ in pairs] * 8
    status, out, err = run("--json", stdin="\n".join(prompts).encode())
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [row["prompt"] for row in rows] == prompts
    assert [row["code"] or "<unsupported>" for row in rows] == [code for _, code in pairs] * 8


def test_prompts_longer_than_one_read_are_whole(run: Run) -> None:
    prompt = " " * 70_000 + "normalize a vector"
    assert run(stdin=f"{prompt}\n{prompt}".encode())[1] == "normalize(v)\n\nnormalize(v)\n"


def test_a_line_without_an_answer_is_named(run: Run) -> None:
    status, out, err = run(stdin=b"normalize a vector\n\nwhat should I cook tonight\nblend a and b by t\n")
    assert (status, out) == (0, "normalize(v)\n\nmix(a, b, t)\n")
    assert err == (
        "wgsl-infer: line 2: no answer: nothing in the prompt is a word\n"
        "wgsl-infer: line 3: no answer: the prompt asks for nothing the model can say\n"
    )


def test_the_first_answer_needs_no_blank_line_before_it(run: Run) -> None:
    assert run(stdin=b"\nnormalize a vector\n")[1] == "normalize(v)\n"


def test_lines_without_any_answer_are_status_3(run: Run) -> None:
    assert run(stdin=b"\n\n")[:2] == (3, "")


def test_no_line_at_all_is_no_failure(run: Run) -> None:
    assert run(stdin=b"") == (0, "", "")


def test_input_that_is_no_utf8_is_read_as_far_as_it_goes(run: Run) -> None:
    status, out, err = run("--json", stdin=b"normalize a vector \xff\xfe\nblend a and b by t")
    rows = [json.loads(line) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert [row["prompt"] for row in rows] == ["normalize a vector \ufffd\ufffd", "blend a and b by t"]
    assert [row["code"] for row in rows] == ["normalize(v)", "mix(a, b, t)"]


def test_a_terminal_is_told_what_to_do(run: Run) -> None:
    assert run(stdin=b"normalize a vector\n", terminal=True) == (
        0,
        "normalize(v)\n",
        "wgsl-infer: one prompt a line, Ctrl-D ends\n",
    )


# ---------------------------------------------------------------- as a process


def test_a_program_that_waits_for_each_answer_gets_it_at_once(bundle_folder: Path) -> None:
    with child("--json", folder=bundle_folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for prompt, code in [("normalize a vector", "normalize(v)"), ("blend a and b by t", "mix(a, b, t)")]:
            process.stdin.write(f"{prompt}\n".encode())
            process.stdin.flush()
            line = process.stdout.readline()
            assert line, "no answer came"
            assert json.loads(line)["code"] == code
        process.stdin.close()
        assert process.stdout.read() == b""
        assert process.wait() == 0


@pytest.mark.skipif(os.name != "posix", reason="pipes of another kind")
@pytest.mark.parametrize("arguments", [["--json"], ["--list-providers"]], ids=lambda arguments: arguments[0])
def test_a_reader_that_has_gone_is_no_failure(bundle_folder: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    pipes = {"stdin": subprocess.PIPE, "stdout": writing, "stderr": subprocess.PIPE}
    with child(*arguments, folder=bundle_folder, **pipes) as process:
        os.close(writing)
        _, err = process.communicate(b"normalize a vector\n" * 50)
        assert (process.returncode, err) == (0, b"")


@pytest.mark.skipif(os.name != "posix", reason="arguments are bytes here")
def test_an_argument_and_a_locale_that_are_no_utf8_end_in_no_traceback(bundle_folder: Path) -> None:
    variables = environment(bundle_folder, PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    prompt = "dot product of größe and n0 ".encode() + b"\xff"
    done = subprocess.run([*COMMAND, "--json", prompt], env=variables, capture_output=True, timeout=GUARD, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    row = json.loads(done.stdout.decode("utf-8"))
    assert row["prompt"] == "dot product of größe and n0 ?"
    assert row["code"] == "dot(größe, n0)"
