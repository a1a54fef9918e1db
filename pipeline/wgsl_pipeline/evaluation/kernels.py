"""Complete compute shaders, compared by what they write: both run on the same buffers and textures."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import ceil, isqrt

import numpy as np
from numpy.typing import NDArray

from .drawing import IMAGE, Canvas
from .interface import BYTES, entry_point, lexemes, shader_bindings

_SIZE = re.compile(r"@ workgroup_size \( (\d+)\w* (?:, (\d+)\w* )?(?:, (\d+)\w* )?(?:, )?\)")
_IMAGE_FORMAT = re.compile(r"\b(texture_storage_2d\s*<\s*)\w+")
_NUMBERS = BYTES // 4  # in a buffer
_SIDE = max(IMAGE, isqrt(_NUMBERS))  # of a square of invocations that reaches every texel, or every number of a buffer


@dataclass(frozen=True)
class Kernel:
    """An experiment on complete compute shaders."""

    exact = False

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """All numbers in the buffers and images it may write, one after the other; None if the code is none.

        Images are written as floats, whatever their format, so that nothing is rounded.
        """
        plain = lexemes(code)
        stage, entry = entry_point(plain) or ("", "")
        size, bindings = _SIZE.search(plain), shader_bindings(plain)
        if stage != "compute" or not size or bindings is None:
            return None
        width, height = int(size[1]), int(size[2] or 1)
        groups = (ceil(_SIDE / width), ceil(_SIDE / height), 1) if height > 1 else (ceil(_NUMBERS / width), 1, 1)
        canvas.compute(_IMAGE_FORMAT.sub(r"\1rgba32float", code), entry, groups, bindings)
        written = [binding for binding in bindings if binding.is_written]
        found = [
            np.frombuffer(data, np.uint32 if binding.integers else np.float32).astype(np.float64)
            for data, binding in zip(canvas.outputs, written, strict=True)
        ]
        return np.concatenate(found) if found else None
