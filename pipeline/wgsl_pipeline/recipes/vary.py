"""Copies of a hand-written pair that differ as people differ: other names of their own making, a slip of the keys."""

from __future__ import annotations

import random
import re

from wgsl_infer.english import is_compound
from wgsl_infer.lexemes import is_word, split

from . import words
from .noise import dressed, slipped
from .signature import signed

_RENAMED, _SLIPPED, _SIGNED = 0.3, 0.2, 0.15


def varied(draw: random.Random, prompt: str, code: str) -> tuple[str, str]:
    """A pair that asks for the same."""
    in_prompt = set(re.findall(r"[A-Za-z_]\w*", prompt))
    names = {lexeme for lexeme in split(code) if is_word(lexeme) and lexeme in in_prompt and words.is_free(lexeme)}
    # what a function and its parameters are called says what it does, and of which types
    if draw.random() < _RENAMED and ("fn " not in code or "@" in code):
        for name in sorted(names):
            if len(name) > 2 and is_compound(name) and draw.random() < 0.7:
                new = _like(draw, name, names | in_prompt)
                prompt, code = _replaced(prompt, name, new), _replaced(code, name, new)
                names |= {new}
    if draw.random() < _SIGNED:
        request = signed(draw, prompt, code, names)
        prompt, code, names = request.text, request.code, names | request.names
    if draw.random() < _SLIPPED:
        prompt = slipped(draw, prompt, names)
    return dressed(draw, prompt, names), code


def _like(draw: random.Random, name: str, taken: set[str]) -> str:
    while True:
        new = words.struct_name(draw) if name[0].isupper() else words.made_name(draw)
        if new not in taken and words.is_free(new) and new[0].isupper() == name[0].isupper():
            return new


def _replaced(text: str, name: str, new: str) -> str:
    return re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", new, text)
