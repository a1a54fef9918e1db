"""Whether what recipes give compiles: each pair with the types its recipe says its operands have."""

from __future__ import annotations

import re

from wgsl_infer.validation import Validator

from .grammar import FORMS
from .pieces import Piece

_PARAMETER = re.compile(r"(f32|i32|u32|bool|vec[234]<\w+>|mat[234]x[234]<f32>)\Z")


def compile_piece(validator: Validator, piece: Piece) -> str | None:
    """None if the code compiles with the declared types, else a diagnostic of one line."""
    plain = {name: full for name, full in piece.names.items() if _PARAMETER.match(full)}
    if piece.recipe.result == "statement" and plain:
        declared = "".join(f"var {name}: {full};\n" for name, full in plain.items())
        if validator.check(declared + piece.code) is None:
            return None
    if piece.recipe.result in FORMS or len(plain) < len(piece.names):
        found = validator.check(piece.code)
        # "call update with dt": a function that the prompt names is the user's own
        missing = re.match(r"no definition in scope for identifier: `(\w+)`", found or "")
        return None if missing and missing[1] in piece.copied and f"{missing[1]}(" in piece.code else found
    parameters = ", ".join(f"{name}: {full}" for name, full in piece.names.items())
    return validator.compile(f"fn wi_probe({parameters}) -> {piece.type} {{\n    return {piece.code};\n}}")
