"""`wgsl-infer --validate` and `wgsl-infer validate FILE...`: what naga says about answers and files."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from ..errors import EnvironmentLacks, UsageError
from .diagnostics import Diagnostic
from .validator import Validator

INVALID = 5


class Verdict(NamedTuple):
    """Whether a code compiles, and what there is to say about it.

    Attributes:
        valid: None where nothing on this machine can compile WGSL.
        text: for a person.
        diagnostic: why it does not compile.
    """

    valid: bool | None
    text: str
    diagnostic: Diagnostic | None = None


class Judge:
    """Compiles codes, one after the other, and remembers the worst that came out."""

    def __init__(self) -> None:
        self.exit_status = 0
        self._validator: Validator | None = None
        self._lacking = ""
        try:
            self._validator = Validator()
        except EnvironmentLacks as error:
            self._lacking = str(error)

    def judge(self, code: str, name: str) -> Verdict:
        """Whether a code compiles; `name` says where it comes from."""
        if self._validator is None:
            self.exit_status = self.exit_status or EnvironmentLacks.exit_status
            return Verdict(None, f"{name}: not validated: {self._lacking}")
        found = self._validator.diagnose(code)
        if found is None:
            return Verdict(True, f"{name}: valid")
        self.exit_status = INVALID
        return Verdict(False, found.shown(code, name), found)


def validate_files(names: Sequence[str]) -> int:
    """Judge files, each on a line of stderr or more; returns the exit status.

    Raises:
        UsageError: a file cannot be read.
    """
    judge = Judge()
    for name in names:
        try:
            code = Path(name).read_text(encoding="utf-8")
        except OSError as error:
            raise UsageError(f"{name}: cannot be read: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{name}: not UTF-8 text ({error.reason})") from error
        print(judge.judge(code, name).text, file=sys.stderr, flush=True)
    return judge.exit_status
