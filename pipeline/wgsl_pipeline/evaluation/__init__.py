"""How often a bundle is right beside a retrieval baseline, and how probable it is that a single answer is."""

from .calibrate import calibrate
from .stage import DEFAULT_PARTS, Options, evaluate

__all__ = ["DEFAULT_PARTS", "Options", "calibrate", "evaluate"]
