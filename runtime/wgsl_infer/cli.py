"""The `wgsl-infer` command: English in, code on stdout, everything else on stderr."""

from __future__ import annotations

import argparse
import io
import json
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from . import __version__
from .errors import UsageError, WgslInferError

if TYPE_CHECKING:
    from .answers import Answer
    from .generator import Generator
    from .validation.command import Verdict

ANSWERED, USAGE, NO_ANSWER = 0, 2, 3

_DESCRIPTION = """\
Turn one line of English into WGSL.

  wgsl-infer "normalize a vector"
  wgsl-infer --n-best 3 "soft edge on t from 0.2 to 0.8"
  wgsl-infer --json - < prompts.txt > answers.jsonl
  wgsl-infer --validate "rotate uv by angle"
  wgsl-infer validate shader.wgsl
"""

_EPILOG = """\
exit status:
  0  answered (of several prompts, at least one)
  2  a wrong argument or option
  3  no answer
  4  the model's bundle is missing, damaged or mismatched
  5  what was to be validated is not valid WGSL
 10  nothing here can validate WGSL: pip install 'wgsl-infer[validate]'

The model is the bundle named by --model, else by the environment variable
WGSL_INFER_MODEL, else the one that comes with the package.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status. `arguments` default to those of the process."""
    options = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # JSON is UTF-8 whatever the locale, and an argument that is not UTF-8 shall not end in a traceback
        sys.stdout.reconfigure(encoding="utf-8", errors="replace")
    try:
        return _run(options)
    except WgslInferError as error:
        print(f"wgsl-infer: {error}", file=sys.stderr)
        return error.exit_status
    except BrokenPipeError:
        # The reader of our output has gone: say nothing, and keep the interpreter from trying again at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ANSWERED
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="wgsl-infer",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "prompt", nargs="*", help="what the code shall do; - or nothing reads prompts from stdin, one a line"
    )
    parser.add_argument("--model", metavar="DIR", help="the bundle to use")
    parser.add_argument("--json", action="store_true", help="print one JSON object a prompt instead of the code")
    parser.add_argument("--beam", type=_positive, metavar="N", help="keep N hypotheses at each step (1: greedy)")
    parser.add_argument(
        "--second-look",
        type=_whole,
        metavar="N",
        help="keep N hypotheses where something speaks against the best answer (0: never look again)",
    )
    parser.add_argument("--n-best", type=_positive, metavar="K", help="print the K best distinct answers")
    parser.add_argument(
        "--min-confidence",
        type=_share,
        metavar="P",
        help="withhold answers that are right with less probability than P, 0 to 1 (the bundle's threshold)",
    )
    parser.add_argument("--max-tokens", type=_positive, metavar="N", help="give an answer up at N tokens")
    parser.add_argument(
        "--validate", action="store_true", help="compile what is answered, too, and say on stderr whether it is valid"
    )
    parser.add_argument("--style", choices=("full", "short"), default="full", help="spell vec3<f32> or vec3f")
    parser.add_argument("--precision", choices=("int8", "float32"), help="which graphs of the bundle to run")
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads to use (chosen by the model's size)")
    parser.add_argument(
        "--provider",
        action="append",
        default=[],
        metavar="NAME",
        help="onnxruntime execution provider; may be repeated",
    )
    parser.add_argument(
        "--list-providers", action="store_true", help="print the execution providers there are, and stop"
    )
    parser.add_argument("--version", action="version", version=f"wgsl-infer {__version__}")
    return parser


def _positive(text: str) -> int:
    if not _is_whole(text) or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def _whole(text: str) -> int:
    if not _is_whole(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")
    return int(text)


def _share(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0.0 <= value <= 1.0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 0 to 1")
    return value


def _is_whole(text: str) -> bool:
    return text.isascii() and text.isdigit()


def _run(options: argparse.Namespace) -> int:
    if options.list_providers:
        import onnxruntime

        print(*onnxruntime.get_available_providers(), sep="\n", flush=True)
        return ANSWERED
    if options.prompt[:1] == ["validate"] and _are_files(options.prompt[1:]):
        from .validation.command import validate_files

        return validate_files(options.prompt[1:])
    from_stdin = not options.prompt or options.prompt == ["-"]
    if "-" in options.prompt and not from_stdin:
        raise UsageError("give prompts or -, not both")
    from .generator import Generator

    generator = Generator(
        options.model, precision=options.precision, threads=options.threads, providers=options.provider
    )
    if not from_stdin:
        return _answer_all(generator, iter([[" ".join(options.prompt)]]), options, numbered=False)
    if sys.stdin.isatty():
        print("wgsl-infer: one prompt a line, Ctrl-D ends", file=sys.stderr)
    return _answer_all(generator, _lines(sys.stdin.fileno()), options, numbered=True)


def _answer_all(
    generator: Generator, batches: Iterator[list[str]], options: argparse.Namespace, *, numbered: bool
) -> int:
    """Answer batch by batch as prompts come in."""
    number, answered = 0, False
    judge = None
    if options.validate:
        from .validation.command import Judge

        judge = Judge()
    for prompts in batches:
        answers = generator.generate(
            prompts,
            beam=options.beam,
            second_look=options.second_look,
            n_best=options.n_best,
            max_tokens=options.max_tokens,
            style=options.style,
            min_confidence=options.min_confidence,
        )
        for answer in answers:
            number += 1
            where = f"line {number}: " if numbered else ""
            # without an answer there are alternatives to see in JSON only
            shown = answer.codes if options.json or answer.code is not None else []
            verdicts = [judge.judge(code, _called(where, k)) for k, code in enumerate(shown)] if judge else []
            if options.json:
                print(json.dumps(_judged(answer, verdicts), ensure_ascii=False))
            else:
                _print_code(answer, where, separate=answered)
            if verdicts:
                sys.stdout.flush()
            for verdict in verdicts:
                print(f"wgsl-infer: {verdict.text}", file=sys.stderr)
            answered |= answer.code is not None
        sys.stdout.flush()
    if judge and judge.exit_status:
        return judge.exit_status
    return ANSWERED if answered or number == 0 else NO_ANSWER


def _are_files(words: Sequence[str]) -> bool:
    """Whether the words behind `validate` are files to validate, and not the rest of a prompt."""
    from pathlib import Path

    return bool(words) and all(word.endswith(".wgsl") or Path(word).is_file() for word in words)


def _called(where: str, k: int) -> str:
    """What the k-th code of a prompt is called in messages, the first one being 0."""
    return f"{where}answer {k + 1}" if k else f"{where}answer"


def _judged(answer: Answer, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """An answer as JSON values, with what naga said about its codes."""
    row = answer.to_json()
    parts = [row] if answer.code is not None else []
    for part, verdict in zip([*parts, *row["alternatives"]], verdicts, strict=bool(verdicts)):
        part |= {"valid": verdict.valid, "diagnostic": verdict.diagnostic and verdict.diagnostic.message}
    return row


def _print_code(answer: Answer, where: str, *, separate: bool) -> None:
    if answer.code is None:
        closest = answer.closest or ""
        told = f"; closest:{_gap(closest)}{closest}" if closest else ""
        print(f"wgsl-infer: {where}no answer: {answer.reason}{told}", file=sys.stderr)
        return
    print(("\n" if separate else "") + "\n\n".join(answer.codes))


def _gap(code: str) -> str:
    return "\n" if "\n" in code else " "


def _lines(descriptor: int) -> Iterator[list[str]]:
    """Lines of a file or pipe in the portions in which they arrive, so that a waiting writer is answered at once."""
    rest = b""
    while chunk := os.read(descriptor, 1 << 16):
        *lines, rest = (rest + chunk).split(b"\n")
        if lines:
            yield [line.decode("utf-8", "replace").rstrip("\r") for line in lines]
    if rest:
        yield [rest.decode("utf-8", "replace").rstrip("\r")]
