"""The exported weights are those of an ordinary transformer that computes what the trained one does."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from builders import small_model
from wgsl_export.weights import plain_weights
from wgsl_infer.tokens import PAD
from wgsl_pipeline.deepnet import ResidualScaling
from wgsl_pipeline.model import LAYER_NORM_EPSILON, Transformer
from wgsl_pipeline.positions import sinusoids

OUTPUTS = ("attention.out", "cross.out", "feedforward.down")


def ordinary(model: Transformer) -> Transformer:
    """A network without residual factors that holds the exported weights of `model`."""
    plain = plain_weights(model)
    settings = dataclasses.replace(model.settings, residual_scaling="none")
    found = Transformer(settings, model.embedding.num_embeddings)
    with torch.no_grad():
        for name, value in found.named_parameters():
            value.copy_(torch.from_numpy(plain.tensors[name]))
    for name, module in found.named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = plain.encoder_epsilon if name.startswith("encoder") else plain.decoder_epsilon
    return found.eval()


@pytest.mark.parametrize(
    "changes",
    [{}, {"num_layers": 3}, {"encoder_layers": 4, "decoder_layers": 1}, {"norm": "pre"}, {"residual_scaling": "none"}],
)
@torch.no_grad()
def test_folded_weights_give_the_same_outputs(changes: dict[str, object]) -> None:
    model = small_model(**changes)
    generator = torch.Generator().manual_seed(0)
    source, target = (torch.randint(4, 40, (3, 9), generator=generator) for _ in range(2))
    source[0, 4:] = PAD
    torch.testing.assert_close(ordinary(model)(source, target), model(source, target), rtol=1e-4, atol=1e-5)


def test_the_factors_go_into_the_output_projections_and_nowhere_else() -> None:
    model = small_model(encoder_layers=3, decoder_layers=2)
    scaling = ResidualScaling(model.settings)
    assert scaling.encoder != scaling.decoder
    assert min(scaling.encoder, scaling.decoder) > 1.1
    plain = plain_weights(model)
    assert plain.tensors.keys() == dict(model.named_parameters()).keys()
    for name, value in model.named_parameters():
        factor = 1.0
        if any(f".{output}." in name for output in OUTPUTS):
            factor = scaling.encoder if name.startswith("encoder.") else scaling.decoder
        np.testing.assert_allclose(plain.tensors[name] * np.float32(factor), value.detach().numpy(), rtol=1e-6)


def test_the_epsilon_of_the_norms_shrinks_with_the_square_of_the_factor() -> None:
    """norm(x * a + y) with epsilon e is norm(x + y / a) with epsilon e / a**2; shown where epsilon is all there is."""
    model = small_model()
    scaling = ResidualScaling(model.settings)
    plain = plain_weights(model)
    assert plain.encoder_epsilon == pytest.approx(LAYER_NORM_EPSILON / scaling.encoder**2)
    assert plain.decoder_epsilon == pytest.approx(LAYER_NORM_EPSILON / scaling.decoder**2)
    x, y = 1e-3 * torch.randn(2, 16, generator=torch.Generator().manual_seed(0))
    norm = torch.nn.functional.layer_norm
    for a, epsilon in ((scaling.encoder, plain.encoder_epsilon), (scaling.decoder, plain.decoder_epsilon)):
        with_factor = norm(x * a + y, (16,), eps=LAYER_NORM_EPSILON)
        torch.testing.assert_close(norm(x + y / a, (16,), eps=epsilon), with_factor)
        assert (norm(x + y / a, (16,), eps=LAYER_NORM_EPSILON) - with_factor).abs().max() > 0.01


@pytest.mark.parametrize("changes", [{"norm": "pre"}, {"residual_scaling": "none"}])
def test_without_factors_the_weights_stay_as_they_are(changes: dict[str, object]) -> None:
    model = small_model(**changes)
    plain = plain_weights(model)
    for name, value in model.named_parameters():
        assert np.array_equal(plain.tensors[name], value.detach().numpy())
    assert plain.encoder_epsilon == plain.decoder_epsilon == LAYER_NORM_EPSILON


def test_the_trained_model_keeps_its_weights() -> None:
    model = small_model()
    before = {name: value.detach().clone() for name, value in model.named_parameters()}
    plain = plain_weights(model)
    for array in plain.tensors.values():
        array += 1.0
    changed = [n for n, v in model.named_parameters() if not torch.equal(v, before[n]) and any(o in n for o in OUTPUTS)]
    assert changed == []


def test_sinusoids_come_along_where_they_are_used() -> None:
    plain = plain_weights(small_model())
    assert plain.positions is not None
    assert np.array_equal(plain.positions, sinusoids(48, 16).numpy())
    assert plain.encoder_bias is plain.decoder_bias is None


@torch.no_grad()
def test_relative_biases_become_tables_by_distance() -> None:
    model = small_model(positions="relative")
    plain = plain_weights(model)
    assert plain.positions is None
    assert plain.encoder_bias is not None
    assert plain.decoder_bias is not None
    assert plain.encoder_bias.shape == (2, 2 * 48 - 1)
    assert plain.decoder_bias.shape == (2, 48)
    encoder, decoder = model.encoder_bias(48, 48).numpy(), model.decoder_bias(48, 48).numpy()
    for query in (0, 3, 47):
        for key in (0, 5, 47):
            assert np.array_equal(encoder[:, query, key], plain.encoder_bias[:, key - query + 47])
            if key <= query:
                assert np.array_equal(decoder[:, query, key], plain.decoder_bias[:, query - key])
