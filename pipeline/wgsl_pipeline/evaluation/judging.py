"""Is an answer worth as much as the reference? By text first, by compiling and running both where texts differ."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass

from wgsl_infer.errors import TokenizerError
from wgsl_infer.tokenizer import Tokenizer
from wgsl_infer.validation import ValidatorUnavailable

from .comparison import comparable
from .execution import Executor
from .measures import NOT_ANSWERED, NOT_MEASURED, SAME_TEXT, Judged


@dataclass(frozen=True)
class Means:
    """What answers were judged with: the device or why there is none, and what it can do."""

    device: str
    compiled: bool = False
    ran: bool = False


def open_executor(stack: ExitStack, tokenizer: Tokenizer) -> tuple[Executor | None, Means]:
    """What compiles and runs answers, None where nothing does."""
    if tokenizer.kind != "wgsl":
        return None, Means(f"{NOT_MEASURED}: the answers are not WGSL")
    try:
        executor = stack.enter_context(Executor())
    except ValidatorUnavailable as error:
        return None, Means(f"{NOT_MEASURED}: {error}")
    able = "" if executor.runs else ", which compiles answers and cannot run them"
    return executor, Means(executor.device + able, compiled=True, ran=executor.runs)


class Judge:
    """Compares answers with references, by text first and by running both where texts differ."""

    def __init__(self, tokenizer: Tokenizer, executor: Executor | None) -> None:
        self._tokenizer, self._executor = tokenizer, executor

    def __call__(self, wanted: str | None, code: str | None, confidence: float) -> Judged:
        """What is known of one answer; `wanted` None means that the prompt has no right answer."""
        if code is None:
            return Judged(None, confidence, wanted is None, None, NOT_ANSWERED, 0)
        lexemes = self._lexemes(code)
        exact = wanted is not None and lexemes == self._lexemes(wanted)
        outcome = SAME_TEXT if exact else NOT_MEASURED
        valid = None
        if self._executor is not None:
            run = wanted is not None and not exact and self._executor.runs
            verdict = self._executor.compare(wanted or "", code) if run else self._executor.check(code)
            valid = not verdict.diagnostic
            outcome = verdict.outcome if run else outcome
        return Judged(code, confidence, exact, valid, outcome, len(lexemes))

    def _lexemes(self, code: str) -> tuple[str, ...]:
        if self._tokenizer.kind == "wgsl":
            return comparable(code)
        try:
            return tuple(self._tokenizer.language.split(code))
        except TokenizerError:
            return (code,)
