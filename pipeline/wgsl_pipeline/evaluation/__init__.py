"""`pipeline evaluate`: how often a bundle is right on a part of the corpus, beside a retrieval baseline."""

from .stage import DEFAULT_PARTS, Options, evaluate

__all__ = ["DEFAULT_PARTS", "Options", "evaluate"]
