"""Are an answer and its reference worth the same? Both are run side by side, in a child process with a time limit.

What a model writes may loop for ever or crash a driver. The child is then replaced, the answer is wrong, and the
evaluation goes on. Parent and child exchange JSON over a pipe.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from wgsl_infer.validation import Validator, ValidatorUnavailable

from .drawing import Canvas
from .interface import shader_stage
from .kernels import Kernel
from .pictures import Picture
from .probes import ABSOLUTE, RELATIVE, make_probe
from .statements import make_statements
from .vertices import make_vertices

SECONDS = 20.0  # one comparison may take this long
_START_SECONDS = 60.0  # opening a device may take this long
_FINITE = 0.1  # share of a reference's values that have to be numbers

# What became of a comparison.
EQUAL, DIFFERENT, NOT_VALID = "equal values", "other values", "does not compile"
NOT_RUN = "reference cannot be run"  # its operands, value or form are of a kind that no experiment covers
HUNG = "hung or crashed the device"


@dataclass(frozen=True)
class Verdict:
    """What is known of one answer: why it does not compile (empty if it does), and what became of the comparison."""

    diagnostic: str
    outcome: str


class Experiment(Protocol):
    """A way to run code: see `Probe`, `Statements`, `Picture`, `Kernel` and `Vertices`."""

    @property
    def exact(self) -> bool:
        """Whether values have to be equal to the bit."""

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """The values that the code computes; None if it has not the form of the reference."""


class Executor:
    """Compiles and runs answers in a child process; a context manager.

    Args:
        seconds: the time limit of one comparison.

    Attributes:
        device: the name of the graphics device.
        runs: whether it can run answers; some can only compile them.

    Raises:
        ValidatorUnavailable: nothing on this machine can compile WGSL.
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        self._seconds = seconds
        self._process: Any = None
        self._pipe: Any = None
        self.device, self.runs = "", False
        self._start()

    def __enter__(self) -> Executor:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stop()

    def compare(self, reference: str, answer: str) -> Verdict:
        """Compile an answer and run it beside its reference."""
        return self._ask({"answer": answer, "reference": reference})

    def check(self, answer: str) -> Verdict:
        """Compile an answer that needs no run because it is the reference, letter by letter."""
        return self._ask({"answer": answer})

    def _ask(self, request: dict[str, str]) -> Verdict:
        if self._process is None:
            self._start()
        done: dict[str, str] = {}
        deadline = time.monotonic() + self._seconds
        try:
            self._pipe.send_bytes(json.dumps(request).encode())
            while "outcome" not in done and self._pipe.poll(max(0.0, deadline - time.monotonic())):
                done |= json.loads(self._pipe.recv_bytes())
        except (EOFError, OSError):
            pass  # the child has died
        if "outcome" in done:
            return Verdict(done["diagnostic"], done["outcome"])
        self._stop()
        if "diagnostic" not in done:
            return Verdict(HUNG, HUNG)
        return Verdict(done["diagnostic"], HUNG if "reference" in done else NOT_RUN)

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        try:
            hello = json.loads(self._pipe.recv_bytes()) if self._pipe.poll(_START_SECONDS) else {}
        except (EOFError, OSError):
            hello = {}
        if "device" not in hello:
            self._stop()
            raise ValidatorUnavailable(hello.get("unavailable", "the graphics device does not answer"))
        self.device, self.runs = str(hello["device"]), bool(hello["runs"])

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._process.close()
            self._pipe.close()
        self._process = self._pipe = None


# ---------------------------------------------------------------- the child


def _serve(pipe: Connection) -> None:
    """Answer requests until the parent hangs up.

    Each gets up to three replies, so that the parent knows how far things had come: `diagnostic` once the
    answer is compiled, `reference` once that has run, and the `outcome`.
    """
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 2)  # the last words of a driver are not for the user's terminal

    def send(**reply: str) -> None:
        pipe.send_bytes(json.dumps(reply).encode())

    try:
        runner = Runner(Validator())
    except ValidatorUnavailable as error:
        send(unavailable=str(error))
        return
    info = runner.validator.device.adapter.info
    send(device=f"{info['device']} ({info['backend_type']})", runs="yes" if runner.works() else "")
    while True:
        try:
            request = json.loads(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        diagnostic = runner.validator.check(request["answer"]) or ""
        send(diagnostic=diagnostic)
        outcome = NOT_VALID if diagnostic else EQUAL
        if "reference" in request and not diagnostic:
            runner.use(request["reference"])
            send(reference="")
            outcome = runner.outcome(request["answer"])
        send(outcome=outcome)


class Runner:
    """Runs answers beside one reference after the other."""

    def __init__(self, validator: Validator) -> None:
        self.validator = validator
        self._canvas = Canvas(validator.device)
        self._reference: str | None = None
        self._experiment: Experiment | None = None
        self._wanted: NDArray[np.float64] | None = None

    def works(self) -> bool:
        """Whether this device can run what the experiments need: OpenGL paints no pictures of floats, for one."""
        self.use("1.0 + 1.0")
        return self.outcome("2.0") == EQUAL

    def use(self, reference: str) -> None:
        """Choose the experiment for a reference and run it, unless that was the last one as well."""
        if reference != self._reference:
            self._reference, self._wanted = reference, None
            self._experiment = experiment = self._choose(reference)
            if experiment is not None:
                self._wanted = self._observe(experiment, reference)

    def _choose(self, reference: str) -> Experiment | None:
        stage = shader_stage(reference)
        if stage == "fragment":
            return Picture()
        if stage == "compute":
            return Kernel()
        if stage == "vertex":
            return make_vertices(reference)
        return make_probe(self.validator, reference) or make_statements(self.validator, reference)

    @property
    def has_values(self) -> bool:
        """Whether the reference could be run, whatever came out."""
        return self._wanted is not None

    def outcome(self, answer: str) -> str:
        """What becomes of an answer that compiles beside the reference in use."""
        if self._experiment is None or self._wanted is None or np.isfinite(self._wanted).mean() < _FINITE:
            return NOT_RUN
        found = self._observe(self._experiment, answer)
        return EQUAL if found is not None and agree(self._wanted, found, self._experiment.exact) else DIFFERENT

    def _observe(self, experiment: Experiment, code: str) -> NDArray[np.float64] | None:
        try:
            return experiment.observe(self._canvas, code)
        except Exception:  # whatever wgpu has against the code: it does not fit the experiment
            return None


def agree(wanted: NDArray[np.float64], found: NDArray[np.float64], exact: bool) -> bool:
    """Whether values are the same wherever the wanted ones are numbers, within 1e-3 plus 1e-3 of them unless `exact`.

    Where the reference is infinite or no number (a logarithm of -1), any value will do.
    """
    if wanted.shape != found.shape:
        return False
    defined = np.isfinite(wanted)
    if exact:
        return bool(np.array_equal(wanted[defined], found[defined]))
    return bool(np.allclose(found[defined], wanted[defined], rtol=RELATIVE, atol=ABSOLUTE))
