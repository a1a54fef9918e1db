"""Does an answer compile? naga is asked, through PyPI `wgpu`.

An answer is handed over in the smallest module that declares its free names (wrapper.py). Where the types of those stay
open, the module has *slots*, and a bounded search fills them, likeliest types first, until naga accepts the module. So
an answer is refused only if none of the types tried makes it right.
"""

from __future__ import annotations

import heapq
import importlib
import logging
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import EnvironmentLacks
from .diagnostics import Diagnostic, one_line, read_report
from .free_names import VALUE_TYPES
from .wrapper import Wrapper, wrap

MAX_TRIES = 2500  # modules compiled per answer before the search gives up; one takes about 0.1 ms
UNSUPPORTED = "<unsupported>"  # the answer to a prompt that asks for nothing WGSL can say
FEATURES = ("shader-f16", "subgroup", "float32-filterable", "clip-distances", "dual-source-blending")


class ValidatorUnavailable(EnvironmentLacks):
    """Raised when nothing on this machine can compile WGSL; the message says in a line what to install."""


class Validator:
    """A compiler for answers. Opening one takes about a second: make one and keep it."""

    def __init__(self) -> None:
        """Opens a device; raises ValidatorUnavailable when wgpu or every adapter is missing."""
        try:
            wgpu: Any = importlib.import_module("wgpu")
        except (ImportError, OSError) as error:
            raise ValidatorUnavailable("nothing to compile WGSL with: pip install 'wgsl-infer[validate]'") from error
        # naga's findings are this class's result, not something for the user's terminal; nor is the
        # complaint of Mesa's device chooser that a machine without a screen has no window system.
        logging.getLogger("wgpu").setLevel(logging.CRITICAL + 1)
        os.environ.setdefault("NODEVICE_SELECT", "1")
        try:
            adapter = wgpu.gpu.request_adapter_sync()
            features = [feature for feature in FEATURES if feature in adapter.features]
            self.device: Any = adapter.request_device_sync(required_features=features)
        except Exception as error:
            reason = (str(error) or type(error).__name__).splitlines()[0]
            advice = "apt-get install mesa-vulkan-drivers libvulkan1"
            raise ValidatorUnavailable(f"no adapter to compile WGSL with ({reason}): {advice}") from error
        self._refusal: type[Exception] = wgpu.GPUError

    def check(self, code: str) -> str | None:
        """Returns None if some wrapper of the code compiles, else a one-line diagnostic."""
        found = self.diagnose(code)
        return None if found is None else found.message

    def diagnose(self, code: str) -> Diagnostic | None:
        """Returns None if some wrapper of the code compiles, else what is wrong and where."""
        if code.strip() == UNSUPPORTED:
            return None
        found = self.solve(code)
        return found if isinstance(found, Diagnostic) else None

    def solve(self, code: str) -> Solution | Diagnostic:
        """Returns the likeliest types of the code's free names with which it compiles, else a diagnostic."""
        # No native device offers external (video) textures; in all functions they share they act as 2d ones.
        code = re.sub(r"\btexture_external\b", "texture_2d<f32> ", code)
        undeclared: set[str] = set()
        while True:
            wrapper = wrap(code, undeclared)
            if isinstance(wrapper, Diagnostic):
                return wrapper
            found = self._search(wrapper)
            if not isinstance(found, Diagnostic):
                return Solution(wrapper, found)
            # A name that is used and then declared (`let x = x + 1.0;`) looks declared to the reader alone.
            missing = re.match(r"no definition in scope for identifier: `(\w+)`", found.message)
            if not missing or missing[1] in undeclared or not wrapper.may_declare(missing[1]):
                return found
            undeclared.add(missing[1])

    def _search(self, wrapper: Wrapper) -> list[str] | Diagnostic:
        """Returns the first filling of the slots that compiles, else the diagnostic of the likeliest one."""
        likeliest: Diagnostic | None = None
        for tries, types in enumerate(fillings(wrapper.slots)):
            module = wrapper.fill(wrapper.text, types)
            report = self._report(module)
            if report is None:
                return types
            likeliest = likeliest or read_report(report, module, wrapper.pieces)
            # No choice of types can mend the grammar, or a name that is not there.
            if re.match(r"expected .*, found|no definition|.*reserved", one_line(report)) or tries >= MAX_TRIES:
                break
        assert likeliest is not None
        return likeliest

    def compile(self, module: str) -> str | None:
        """Returns None when naga accepts the module, else what it says, in one line."""
        report = self._report(module)
        return None if report is None else one_line(report)

    def _report(self, module: str) -> str | None:
        try:
            self.device.create_shader_module(code=module)
        except self._refusal as error:
            return str(error)
        return None


@dataclass
class Solution:
    """A wrapper that compiles with these types in its slots."""

    wrapper: Wrapper
    types: list[str]

    def filled(self, text: str) -> str:
        """Returns a text of the wrapper with its types decided."""
        return self.wrapper.fill(text, self.types)


def fillings(slots: list[list[str]]) -> Iterator[list[str]]:
    """Yields types for all slots: the likeliest, then like slots changed alike, then mixtures by cost."""
    guess = [candidates[0] for candidates in slots]
    yield guess
    for old in dict.fromkeys(guess):
        for new in VALUE_TYPES[:12]:
            pairs = zip(slots, guess, strict=True)
            yield [new if first == old and new in candidates else first for candidates, first in pairs]
    for new in VALUE_TYPES[:12]:
        yield [new if new in candidates else candidates[0] for candidates in slots]
    queue: list[tuple[int, tuple[int, ...], int]] = [(0, (0,) * len(slots), 0)]
    while queue:
        cost, ranks, last = heapq.heappop(queue)
        yield [candidates[rank] for candidates, rank in zip(slots, ranks, strict=True)]
        for k in range(last, len(slots)):  # only slots from the last changed one on: each mixture comes once
            if ranks[k] + 1 < len(slots[k]):
                heapq.heappush(queue, (cost + 1, (*ranks[:k], ranks[k] + 1, *ranks[k + 1 :]), k))
