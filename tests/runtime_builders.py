"""What the runtime's tests share and is no fixture: a tokenizer of a few words. Nothing here needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wgsl_infer import Tokenizer
from wgsl_infer.tokens import ANSWER, NAME, PROMPT

Run = Callable[..., tuple[int, str, str]]  # the command: arguments to (exit status, stdout, stderr)

VOCABULARY = {
    "a": PROMPT | ANSWER,
    "of": PROMPT,
    "normalize": PROMPT | ANSWER,
    "vector": PROMPT,
    "color": PROMPT | NAME,
    "RGB": PROMPT,
    ",": PROMPT | ANSWER,
    "dot": PROMPT | ANSWER,
    "v": ANSWER,
    "(": ANSWER,
    ")": ANSWER,
    "vec3": ANSWER,
    "<": ANSWER,
    ">": ANSWER,
    "f32": ANSWER,
    "0.5": ANSWER,
    "let": ANSWER,
}


def make(**changes: Any) -> Tokenizer:
    settings: dict[str, Any] = {"learned": list(VOCABULARY), "uses": list(VOCABULARY.values()), **changes}
    return Tokenizer(settings.pop("learned"), settings.pop("uses"), **settings)


def merge_of(*tokens: str) -> tuple[int, ...]:
    return tuple(make().ids[token] for token in tokens)
