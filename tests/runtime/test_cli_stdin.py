"""The command reads prompts from standard input, one a line, and gets on with pipes, programs and locales."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime_builders import Run
from wgsl_infer.generator import MODEL_VARIABLE

COMMAND = [sys.executable, "-m", "wgsl_infer"]
GUARD = 30  # seconds after which a child that hangs is ended, and the test fails


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
