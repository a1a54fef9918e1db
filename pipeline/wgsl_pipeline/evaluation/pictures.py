"""Complete fragment shaders, compared as pictures: both are drawn with the same uniforms and textures."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .drawing import Canvas
from .interface import entry_point, lexemes, shader_bindings

SIDE = 32  # pixels of a picture, across and down


@dataclass(frozen=True)
class Picture:
    """An experiment on complete fragment shaders."""

    exact = False

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """The colors of all pixels, [SIDE * SIDE, 4]; None if the code is no fragment shader or has other bindings."""
        plain = lexemes(code)
        stage, entry = entry_point(plain) or ("", "")
        bindings = shader_bindings(plain)
        if stage != "fragment" or bindings is None:
            return None
        return canvas.draw(code, entry, SIDE, bindings).astype(np.float64)
