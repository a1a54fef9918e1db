"""From a checkpoint to a bundle that onnxruntime alone can serve."""

from .bundle import export_bundle

__all__ = ["export_bundle"]
