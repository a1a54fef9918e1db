"""Whether an answer is valid WGSL: naga compiles it in the smallest wrapper that declares its free names."""

from .diagnostics import Diagnostic
from .validator import Solution, Validator, ValidatorUnavailable

__all__ = ["Diagnostic", "Solution", "Validator", "ValidatorUnavailable"]
