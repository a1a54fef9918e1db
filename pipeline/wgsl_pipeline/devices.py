"""Where to compute, and in which precision."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch

from wgsl_infer.errors import EnvironmentLacks


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device for `name` (auto, cpu, cuda or mps); of several CUDA devices the one numbered `local_rank`.

    Raises:
        EnvironmentLacks: the device asked for is not there.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    if name == "auto":
        name = next(kind for kind, there in available.items() if there)
    if not available[name]:
        there = ", ".join(kind for kind, is_there in available.items() if is_there)
        raise EnvironmentLacks(f"no {name} device here; there is {there} (training.device, or --device)")
    return torch.device("cuda", local_rank) if name == "cuda" else torch.device(name)


def choose_precision(name: str, device: torch.device) -> str:
    """float32 or bfloat16; auto takes bfloat16 where it is faster: where the hardware multiplies it natively."""
    if name != "auto":
        return name
    return "bfloat16" if native_bfloat16(device) else "float32"


def native_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        return bool({"avx512_bf16", "amx_bf16", "bf16"} & _cpu_flags())
    return False


def _cpu_flags() -> set[str]:
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as lines:
            for line in lines:
                if line.lower().startswith(("flags", "features")):
                    return set(line.split(":", 1)[1].split())
    except OSError:
        pass
    return set()


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """The context in which matrix products are made in this precision; weights stay float32."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(device.type, dtype=torch.bfloat16)
