"""What training with a configuration costs: parameters, memory, updates."""

from __future__ import annotations

from collections.abc import Iterator

from wgsl_infer.errors import WgslInferError

from .config import Config
from .dataset import Corpus
from .model import count_parameters

_MEGABYTE = 1e6
_TRAINING_COPIES = 4  # weights, gradients, and AdamW's two running means, all float32


def describe(config: Config) -> Iterator[str]:
    """Lines for `pipeline show`. What depends on the vocabulary is told once the corpus has been preprocessed."""
    try:
        corpus = Corpus.open(config.data_folder)
    except WgslInferError:
        parameters = count_parameters(config.model, 0)
        per_token = count_parameters(config.model, 1) - parameters
        yield f"Parameters: {parameters:,} and {per_token:,} for each token; preprocess the corpus for the rest"
        return
    parameters = count_parameters(config.model, len(corpus.tokenizer))
    train = corpus.figures["parts"]["train"]
    batches = -(-train // config.training.batch_size)
    weights = parameters * 4 / _MEGABYTE
    activations = activation_bytes(config, corpus) / _MEGABYTE
    yield f"Parameters: {parameters:,} (vocabulary {len(corpus.tokenizer):,})"
    yield f"Memory: weights {weights:,.0f} MB; training about {weights * _TRAINING_COPIES + activations:,.0f} MB"
    yield f"Disk: {weights * 3:,.0f} MB a checkpoint, {weights:,.0f} MB for the best"
    updates = batches * config.training.num_epochs
    updates = min(updates, config.training.max_steps or updates)
    yield f"Updates: {batches:,} batches an epoch of {train:,} pairs, {updates:,} in all"


def activation_bytes(config: Config, corpus: Corpus) -> float:
    """What one update keeps for the backward pass, about: the inputs of every product, in float32.

    Per token and layer these are 7 D (norms, attention, projections) and 2 F (hidden layer) values for the encoder,
    12 D and 2 F for the decoder, and twice V for the logits.
    """
    model = config.model
    width, hidden = model.d_model, model.dim_feedforward
    source: float = corpus.figures["prompt_tokens"] + 1
    target: float = corpus.figures["code_tokens"] + 1
    encoder = source * model.encoder_depth * (7 * width + 2 * hidden)
    decoder = target * model.decoder_depth * (12 * width + 2 * hidden)
    logits = target * 2 * len(corpus.tokenizer)
    return 4.0 * config.training.batch_size * (encoder + decoder + logits)
