"""`pipeline check`: what this machine offers, and what it lacks."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from .extras import INSTALL, NEEDED

_OPTIONAL = {"tensorboard": "event files (pipeline train --tensorboard)", "wgpu": "pipeline validate and evaluate"}


def examine() -> tuple[list[str], bool]:
    """Lines to print, and whether everything needed is there."""
    lines = [
        f"python        {sys.version.split()[0]} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores"
    ]
    complete = True
    for name in ("numpy", "onnxruntime", *NEEDED):
        found = _version(name)
        complete &= found is not None
        lines.append(f"{name:13} {found or f'MISSING: {INSTALL}'}")
    for name, purpose in _OPTIONAL.items():
        lines.append(f"{name:13} {_version(name) or f'not installed; only for {purpose}'}")
    if _version("torch"):
        lines += _devices()
    return lines, complete


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[str]:
    import torch

    from .devices import choose_device, choose_precision

    lines = []
    for kind, there in (("cuda", torch.cuda.is_available()), ("mps", torch.backends.mps.is_available())):
        if not there:
            lines.append(f"{kind:13} none")
            continue
        for k in range(torch.cuda.device_count() if kind == "cuda" else 1):
            name = torch.cuda.get_device_name(k) if kind == "cuda" else "Apple GPU"
            lines.append(f"{kind:13} {name}")
    device = choose_device("auto")
    precision = choose_precision("auto", device)
    lines.append(f"training      would run on {device.type} in {precision}, {torch.get_num_threads()} threads")
    return lines
