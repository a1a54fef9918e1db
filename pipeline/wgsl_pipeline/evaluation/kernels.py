"""Complete compute shaders, compared by what they write: both run on the same buffers and textures."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .comparison import comparable
from .drawing import IMAGE, Canvas
from .pictures import BYTES, bound, holds_integers, shader_bindings

_ENTRY = re.compile(r"@ compute (?:@ [^;{]*?)?fn (\w+) \(")
_SIZE = re.compile(r"@ workgroup_size \( (\d+)\w* (?:, (\d+)\w* )?(?:, (\d+)\w* )?(?:, )?\)")
_IMAGE_FORMAT = re.compile(r"\b(texture_storage_2d\s*<\s*)\w+")
_OTHER_STAGES = re.compile(r"@ (fragment|vertex) ")


@dataclass(frozen=True)
class Kernel:
    """An experiment on complete compute shaders."""

    exact = False

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """All numbers in the buffers and images it may write, one after the other; None if the code is none.

        Images are written as floats, whatever their format, so that nothing is rounded.
        """
        plain = " ".join(comparable(code)) + " "
        entry, size, bindings = _ENTRY.search(plain), _SIZE.search(plain), shader_bindings(plain)
        if not entry or not size or bindings is None or _OTHER_STAGES.search(plain):
            return None
        width, height = int(size[1]), int(size[2] or 1)
        most = max(IMAGE, round((BYTES // 4) ** 0.5))
        groups = (-(-most // width), -(-most // height), 1) if height > 1 else (-(-(BYTES // 4) // width), 1, 1)
        canvas.compute(_IMAGE_FORMAT.sub(r"\1rgba32float", code), entry[1], groups, bindings)
        kinds = [
            kind for binding, kind in zip(bindings, bound(plain), strict=True) if binding.kind in ("output", "image")
        ]
        found = [
            np.frombuffer(data, np.uint32 if holds_integers(kind) else np.float32).astype(np.float64)
            for data, kind in zip(canvas.outputs, kinds, strict=True)
        ]
        return np.concatenate(found) if found else None


def is_compute_shader(code: str) -> bool:
    """Whether the code is a module with a compute stage and no other."""
    plain = " ".join(comparable(code)) + " "
    return bool(_ENTRY.search(plain)) and not _OTHER_STAGES.search(plain)
