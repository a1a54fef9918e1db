"""A trained model's weights as those of an ordinary transformer, without DeepNet's residual factors.

Layer norm ignores a common factor of its input, so `norm(x * a + f(x))` is `norm(x + f(x) / a)` with the epsilon
divided by a squared: the factor goes into the output projection of every sublayer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from wgsl_pipeline.deepnet import ResidualScaling
from wgsl_pipeline.model import LAYER_NORM_EPSILON, Transformer
from wgsl_pipeline.positions import sinusoids
from wgsl_pipeline.settings import Model as ModelSettings

Array = NDArray[np.float32]

_SUBLAYER_OUTPUTS = ("attention.out", "cross.out", "feedforward.down")


@dataclass(frozen=True)
class PlainWeights:
    """Weights and the few numbers beside them that the graphs are built from.

    Attributes:
        settings: shape of the network.
        tensors: by the names of the PyTorch model; linear layers are [out, in].
        encoder_epsilon, decoder_epsilon: of the layer norms.
        positions: sinusoids [max_seq_len, D], or None where distances are used.
        encoder_bias: attention bias by distance -(max_seq_len - 1) ... max_seq_len - 1, [H, 2 * max_seq_len - 1], or
            None.
        decoder_bias: the same for distances 0 ... -(max_seq_len - 1), [H, max_seq_len], or None.
    """

    settings: ModelSettings
    tensors: dict[str, Array]
    encoder_epsilon: float
    decoder_epsilon: float
    positions: Array | None
    encoder_bias: Array | None
    decoder_bias: Array | None


def plain_weights(model: Transformer) -> PlainWeights:
    """Fold the residual factors away and compute the position tables."""
    settings = model.settings
    scaling = ResidualScaling(settings)
    tensors = {}
    for name, value in model.named_parameters():
        array = value.detach().cpu().numpy().astype(np.float32)
        if ".".join(name.split(".")[2:4]) in _SUBLAYER_OUTPUTS:
            array = array / np.float32(scaling.encoder if name.startswith("encoder.") else scaling.decoder)
        tensors[name] = array
    relative = settings.positions == "relative"
    return PlainWeights(
        settings=settings,
        tensors=tensors,
        encoder_epsilon=LAYER_NORM_EPSILON / scaling.encoder**2,
        decoder_epsilon=LAYER_NORM_EPSILON / scaling.decoder**2,
        positions=None if relative else sinusoids(settings.max_seq_len, settings.d_model).numpy(),
        encoder_bias=_encoder_bias(model) if relative else None,
        decoder_bias=_decoder_bias(model) if relative else None,
    )


@torch.no_grad()
def _encoder_bias(model: Transformer) -> Array:
    last = model.settings.max_seq_len - 1
    bias = model.encoder_bias
    found: Array = bias.weight[bias.bucket(torch.arange(-last, last + 1))].T.contiguous().numpy()
    return found


@torch.no_grad()
def _decoder_bias(model: Transformer) -> Array:
    bias = model.decoder_bias
    found: Array = bias.weight[bias.bucket(-torch.arange(model.settings.max_seq_len))].T.contiguous().numpy()
    return found
