"""A configuration as commented TOML, from the settings' own descriptions."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from .config import TABLES, Config
from .settings import REQUIRED


def render_config(values: Config | Mapping[str, Mapping[str, Any]]) -> str:
    """Every table and key with its value, meaning and range; a mapping's missing keys take their defaults."""
    lines: list[str] = []
    for table, kind in TABLES.items():
        lines += ["", f"[{table}]"] if lines else [f"[{table}]"]
        rows = []
        for field in dataclasses.fields(kind):
            if isinstance(values, Config):
                value = getattr(getattr(values, table), field.name)
            else:
                default = REQUIRED if field.default is dataclasses.MISSING else field.default
                value = values.get(table, {}).get(field.name, default)
            rows.append((f"{field.name} = {json.dumps(value, ensure_ascii=False)}", _describe(field.metadata)))
        width = min(max(len(assignment) for assignment, _ in rows), 40)
        lines += [f"{assignment:{width}}  # {meaning}" for assignment, meaning in rows]
    return "\n".join(lines) + "\n"


def _describe(limits: Mapping[str, Any]) -> str:
    meaning = str(limits["meaning"])
    if len(limits["choices"]) > 1:
        return f"{meaning} ({', '.join(limits['choices'])})"
    low, high = limits["low"], limits["high"]
    if math.isfinite(low) and math.isfinite(high):
        return f"{meaning} ({low:g} to {high:g})"
    return meaning
