"""From a checkpoint to a bundle that onnxruntime alone can serve."""

from .bundle import export_bundle
from .ship import ship_bundle

__all__ = ["export_bundle", "ship_bundle"]
