"""One line of English to WGSL with onnxruntime alone.

    from wgsl_infer import Generator

    generate = Generator("runs/wgsl_generation/bundle")
    print(generate("normalize a vector").code)

Names are loaded when first used, so that importing the tokenizer does not load onnxruntime.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .answers import Alternative, Answer
    from .errors import BundleError, TokenizerError, UsageError, WgslInferError
    from .generator import Generator
    from .tokenizer import Tokenizer

__version__ = "0.1.0"

_HOME = {
    "Alternative": "answers",
    "Answer": "answers",
    "BundleError": "errors",
    "Generator": "generator",
    "Tokenizer": "tokenizer",
    "TokenizerError": "errors",
    "UsageError": "errors",
    "WgslInferError": "errors",
}

__all__ = [
    "Alternative",
    "Answer",
    "BundleError",
    "Generator",
    "Tokenizer",
    "TokenizerError",
    "UsageError",
    "WgslInferError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(import_module(f".{_HOME[name]}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
