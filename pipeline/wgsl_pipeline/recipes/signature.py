"""Requests for a function that say its name and parameters: "ray sphere intersection: hit(ro, rd, center, radius)"."""

from __future__ import annotations

import random
import re
from collections.abc import Set
from dataclasses import dataclass

from . import words
from .types import spellings

_FUNCTION = re.compile(r"fn (\w+)\(([^()]*)\)(?: -> ([^{]+?))? \{")
_PARAMETER = re.compile(r"(\w+): ([^<,]+(?:<.*?>+)?)(?:, |\Z)")
_ALREADY_SAID = re.compile(r"[()?]|\b(param\w*|arg\w*|tak\w+|given|inputs?|named|called|with|bounds)\b")
_OLDER = {"f32": "float", "i32": "int", "u32": "uint", "vec2<f32>": "vec2", "vec3<f32>": "vec3", "vec4<f32>": "vec4"}
_RENAMED = 0.6  # how often a parameter gets a name of its own
_NAMED = [
    "{text}, {name}({list})", "{text}: {name}({list})", "{name}({list}): {text}",
    "{text}, call it {name}, parameters {list}", "{text} named {name} taking {and}",
    "{text}, signature {name}({typed})", "fn {name}({typed}): {text}", "{text} as {name}({list})",
    "{text}, fn {name}({typed}){arrow}", "{text} called {name} with {and}", "{text} {name}({list})",
    "{name}({typed}){arrow}, {text}",
]  # fmt: skip
_LISTED = [
    "{text} taking {and}", "{text} with parameters {and}", "{text}, parameters {list}", "{text}; takes {and}",
    "{text} that takes {and}", "{text}, arguments {list}", "{text} with params {list}", "{text} ({list})",
    "{text}, params {typed}", "{text}, it takes {typed}",
]  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request with its answer, and the names that were added to both."""

    text: str
    code: str
    names: frozenset[str] = frozenset()


def signed(draw: random.Random, text: str, code: str, copied: Set[str]) -> Request:
    """The request with a list of parameters, some renamed, and a function name if it said none.

    One that has such a list already, or asks for something else than a single function, comes back as it is.

    Args:
        copied: the words of the text that are names.
    """
    unsigned = Request(text, code)
    found = _FUNCTION.match(code)
    if not found or code.count("fn ") > 1 or _ALREADY_SAID.search(text):
        return unsigned
    name, parameters = found[1], _PARAMETER.findall(found[2])
    said = set(re.findall(r"\w+", text))
    if not parameters or said & copied & {parameter for parameter, _ in parameters}:
        return unsigned
    taken = set(re.findall(r"\w+", code)) | said
    renamed = {}
    for parameter, full in parameters:
        if draw.random() < _RENAMED and not full.startswith("ptr"):
            renamed[parameter] = words.name(draw, full, taken)
            taken.add(renamed[parameter])
    if name not in said:
        new = name if draw.random() < 0.4 else words.function_name(draw)
        if new in taken - {name} or not words.is_free(new):
            return unsigned
        form = draw.choice(_NAMED)
        renamed[name] = new
    else:
        form, new = draw.choice(_LISTED), name
    listed = [(renamed.get(parameter, parameter), full) for parameter, full in parameters]
    names = [parameter for parameter, _ in listed]
    text = form.format(
        text=text,
        name=new,
        list=", ".join(names),
        **{"and": " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)},
        typed=_typed(draw, listed),
        arrow=f" -> {draw.choice(spellings(found[3]))}" if found[3] else "",
    )
    code = re.sub(r"(?<![.\w])[A-Za-z_]\w*", lambda m: renamed.get(m[0], m[0]), code)
    return Request(text, code, frozenset({new, *names}))


def _typed(draw: random.Random, listed: list[tuple[str, str]]) -> str:
    """Parameters with their types, as WGSL writes them or as older shading languages do."""
    if draw.random() < 0.3 and all(full in _OLDER for _, full in listed):
        return ", ".join(f"{_OLDER[full]} {name}" for name, full in listed)
    return ", ".join(f"{name}: {draw.choice(spellings(full))}" for name, full in listed)
