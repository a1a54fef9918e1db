"""What a complete shader shows to the outside: its stage with the entry point, and what it wants bound."""

from __future__ import annotations

import re

import numpy as np

from .comparison import comparable
from .drawing import Binding

BYTES = 4096  # of every buffer that a shader declares

_STAGE = re.compile(r"@ (compute|fragment|vertex) (?:@ [^;{]*?)?fn (\w+) \(")
_BOUND = re.compile(r"((?:@ (?:group|binding) \( \w+ \) ){2})var (?:< ([a-z, _]+) > )?\w+ : ([^;]+) ;")


def lexemes(code: str) -> str:
    """The lexemes of the code with one space behind each, as the other functions here read them."""
    return " ".join(comparable(code)) + " "


def entry_point(plain: str) -> tuple[str, str] | None:
    """The stage of a shader and the function that is its entry; None if the code has no stage or several."""
    found = _STAGE.findall(plain)
    return found[0] if len({stage for stage, _ in found}) == 1 else None


def shader_stage(code: str) -> str | None:
    """The stage of a shader: compute, fragment or vertex; None if the code is none or of several stages."""
    found = entry_point(lexemes(code))
    return found[0] if found else None


def shader_bindings(plain: str) -> list[Binding] | None:
    """What to bind to a shader; None if a declaration is of a kind that cannot be filled.

    Two shaders may number their bindings differently: the first uniform of each holds the same numbers, and so on.
    """
    found: list[Binding] = []
    for attributes, space, kind in _BOUND.findall(plain):
        numbers = {name: int(n.rstrip("iu")) for name, n in re.findall(r"@ (\w+) \( (\d+[iu]?) \)", attributes)}
        role = _role(space, kind)
        if role is None or numbers.keys() != {"group", "binding"}:
            return None
        seed = sum(binding.kind == role for binding in found)
        integers = role != "image" and bool(re.search(r"\b[iu]32\b", kind))
        data = _numbers(integers, seed) if role in ("uniform", "input", "output") else b""
        found.append(Binding(numbers["group"], numbers["binding"], role, data, seed, integers))
    return found


def _role(space: str, kind: str) -> str | None:
    if kind == "texture_2d < f32 >":
        return "texture"
    if kind == "sampler":
        return "sampler"
    if re.fullmatch(r"texture_storage_2d < \w+ , write >", kind):
        return "image"
    spaces = {"uniform": "uniform", "storage": "input", "storage , read": "input", "storage , read_write": "output"}
    return spaces.get(space.strip())


def _numbers(integers: bool, seed: int) -> bytes:
    """Random numbers between 0.1 and 1.0, or between 1 and 9 where the buffer holds integers."""
    rng = np.random.default_rng(seed)
    if integers:
        return rng.integers(1, 10, BYTES // 4, dtype=np.uint32).tobytes()
    return rng.uniform(0.1, 1.0, BYTES // 4).astype(np.float32).tobytes()
