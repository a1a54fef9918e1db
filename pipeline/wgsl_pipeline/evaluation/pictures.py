"""Complete fragment shaders, compared as pictures: both are drawn with the same uniforms and textures."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .comparison import comparable
from .drawing import Binding, Canvas

SIDE = 32  # pixels of a picture, across and down
BYTES = 4096  # of every buffer that a shader declares

_BOUND = re.compile(r"((?:@ (?:group|binding) \( \w+ \) ){2})var (?:< ([a-z, _]+) > )?\w+ : ([^;]+) ;")
_ENTRY = re.compile(r"@ fragment (?:@ [^;{]*?)?fn (\w+) \(")
_OTHER_STAGES = re.compile(r"@ (compute|vertex) ")


@dataclass(frozen=True)
class Picture:
    """An experiment on complete fragment shaders."""

    exact = False

    def observe(self, canvas: Canvas, code: str) -> NDArray[np.float64] | None:
        """The colors of all pixels, [SIDE * SIDE, 4]; None if the code is no fragment shader or has other bindings."""
        plain = " ".join(comparable(code)) + " "
        entry, bindings = _ENTRY.search(plain), shader_bindings(plain)
        if not entry or bindings is None or _OTHER_STAGES.search(plain):
            return None
        return canvas.draw(code, entry[1], SIDE, bindings).astype(np.float64)


def is_fragment_shader(code: str) -> bool:
    """Whether the code is a module with a fragment stage and no other."""
    plain = " ".join(comparable(code)) + " "
    return bool(_ENTRY.search(plain)) and not _OTHER_STAGES.search(plain)


def shader_bindings(plain: str) -> list[Binding] | None:
    """What to bind to a shader, given as lexemes; None if a declaration is of a kind that cannot be filled.

    Two shaders may number their bindings differently: the first uniform of each holds the same numbers, and so on.
    """
    found: list[Binding] = []
    for attributes, space, kind in _BOUND.findall(plain):
        numbers = {name: int(n.rstrip("iu")) for name, n in re.findall(r"@ (\w+) \( (\d+[iu]?) \)", attributes)}
        role = _role(space, kind)
        if role is None or numbers.keys() != {"group", "binding"}:
            return None
        seed = sum(binding.kind == role for binding in found)
        data = _numbers(kind, seed) if role in ("uniform", "input", "output") else b""
        found.append(Binding(numbers["group"], numbers["binding"], role, data, seed))
    return found


def bound(plain: str) -> list[str]:
    """The types of what a shader, given as lexemes, has bound, in the order of `shader_bindings`."""
    return [kind for _, _, kind in _BOUND.findall(plain)]


def _role(space: str, kind: str) -> str | None:
    if kind == "texture_2d < f32 >":
        return "texture"
    if kind == "sampler":
        return "sampler"
    if re.fullmatch(r"texture_storage_2d < \w+ , write >", kind):
        return "image"
    spaces = {"uniform": "uniform", "storage": "input", "storage , read": "input", "storage , read_write": "output"}
    return spaces.get(space.strip())


def _numbers(kind: str, seed: int) -> bytes:
    """Random numbers between 0.1 and 1.0, or between 1 and 9 where the buffer holds integers."""
    rng = np.random.default_rng(seed)
    if holds_integers(kind):
        return rng.integers(1, 10, BYTES // 4, dtype=np.uint32).tobytes()
    return rng.uniform(0.1, 1.0, BYTES // 4).astype(np.float32).tobytes()


def holds_integers(kind: str) -> bool:
    """Whether a buffer of this type holds integers."""
    return bool(re.search(r"\b[iu]32\b", kind))
