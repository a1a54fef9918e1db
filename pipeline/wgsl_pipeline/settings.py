"""Every setting there is: one frozen dataclass for each table of the configuration, each field with meaning and range.

The meanings are also the comments of the configuration that `pipeline init` writes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

REQUIRED: Any = object()


def setting(
    default: Any, meaning: str, *, low: float = -math.inf, high: float = math.inf, choices: tuple[str, ...] = ()
) -> Any:
    """A field with what it means and the limits its value must keep; a REQUIRED one has no default."""
    metadata = {"meaning": meaning, "low": low, "high": high, "choices": choices}
    return field(metadata=metadata) if default is REQUIRED else field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Task:
    """[task]"""

    name: str = setting(REQUIRED, "names the run: letters, digits, - and _")
    task_type: str = setting("code_generation", "a prompt of one line in, code out", choices=("code_generation",))


@dataclass(frozen=True)
class Model:
    """[model]: an encoder-decoder transformer."""

    architecture: str = setting("transformer", "the family of networks", choices=("transformer",))
    d_model: int = setting(512, "width of every layer, even, a multiple of nhead", low=2, high=8192)
    nhead: int = setting(8, "attention heads in every layer", low=1, high=128)
    num_layers: int = setting(
        6, "layers of the encoder and of the decoder, unless the next two say otherwise", low=1, high=64
    )
    encoder_layers: int = setting(0, "layers of the encoder; 0 means num_layers", low=0, high=64)
    decoder_layers: int = setting(0, "layers of the decoder; 0 means num_layers", low=0, high=64)
    dim_feedforward: int = setting(2048, "width of the hidden layer between attention blocks", low=1, high=65536)
    dropout: float = setting(
        0.1,
        "share of activations dropped while training, behind embeddings, sublayers and the hidden activation",
        low=0.0,
        high=0.9,
    )
    attention_dropout: float = setting(
        0.0,
        "share of attention weights dropped while training; above 0 it slows a CPU down by a third",
        low=0.0,
        high=0.9,
    )
    max_seq_len: int = setting(
        512, "most tokens of a prompt or an answer the network has positions for", low=8, high=16384
    )
    activation: str = setting("relu", "of the hidden layer", choices=("relu", "gelu"))
    norm: str = setting(
        "post",
        "layer norm after each residual sum, or before each sublayer and once at the end of a stack",
        choices=("post", "pre"),
    )
    positions: str = setting(
        "sinusoidal",
        "sinusoids added to the embeddings (no parameters), or learned biases by distance in self-attention",
        choices=("sinusoidal", "relative"),
    )
    tie_output: bool = setting(
        False, "whether the output projection is the token embedding instead of a matrix of its own"
    )
    residual_scaling: str = setting(
        "deepnet",
        "DeepNet's residual factors and initialisation (post norm only), or the plain ones",
        choices=("deepnet", "none"),
    )

    @property
    def encoder_depth(self) -> int:
        """Layers of the encoder."""
        return self.encoder_layers or self.num_layers

    @property
    def decoder_depth(self) -> int:
        """Layers of the decoder."""
        return self.decoder_layers or self.num_layers


@dataclass(frozen=True)
class Training:
    """[training]"""

    num_epochs: int = setting(100, "passes over the training pairs", low=1, high=1_000_000)
    max_steps: int = setting(
        0, "updates after which training ends, in the middle of an epoch; 0: none", low=0, high=1_000_000_000
    )
    batch_size: int = setting(16, "pairs in one update, over all processes together", low=1, high=65536)
    learning_rate: float = setting(1e-4, "highest learning rate, reached after the warm-up", low=1e-9, high=1.0)
    optimizer: str = setting("adamw", "AdamW; biases, norms and embeddings are not decayed", choices=("adamw",))
    weight_decay: float = setting(0.01, "decoupled decay of the weight matrices", low=0.0, high=1.0)
    beta1: float = setting(0.9, "decay of the running mean of gradients", low=0.0, high=0.9999)
    beta2: float = setting(0.98, "decay of the running mean of squared gradients", low=0.0, high=0.99999)
    warmup_steps: int = setting(10, "updates over which the learning rate rises from 0", low=0, high=10_000_000)
    schedule: str = setting(
        "linear",
        "how the learning rate falls after the warm-up, over the epochs left",
        choices=("constant", "linear", "cosine", "inverse_sqrt"),
    )
    min_learning_rate: float = setting(
        0.0, "where the linear and the cosine schedule end, as a share of learning_rate", low=0.0, high=1.0
    )
    label_smoothing: float = setting(
        0.0, "share of the target's probability spread over the vocabulary", low=0.0, high=0.5
    )
    gradient_clip_norm: float = setting(
        1.0, "largest norm of an update's gradient; 0 switches clipping off", low=0.0, high=1e6
    )
    early_stopping: bool = setting(True, "whether to stop when the monitored loss no longer improves")
    early_stopping_patience: int = setting(
        15, "epochs without improvement after which training stops", low=1, high=1_000_000
    )
    monitor: str = setting(
        "val_loss", "the loss that picks the best checkpoint and stops early", choices=("val_loss", "train_loss")
    )
    save_every: int = setting(10, "epochs between checkpoints", low=1, high=1_000_000)
    keep_checkpoints: int = setting(
        3, "how many of the latest checkpoints stay on disk, besides the best one", low=1, high=10_000
    )
    seed: int = setting(0, "of initialisation, dropout and the order of batches", low=0, high=2**31 - 1)
    device: str = setting(
        "auto", "where to train; auto takes cuda, then mps, then cpu", choices=("auto", "cpu", "cuda", "mps")
    )
    precision: str = setting(
        "auto",
        "of the matrix products; auto takes bfloat16 where the hardware multiplies it natively",
        choices=("auto", "float32", "bfloat16"),
    )


@dataclass(frozen=True)
class TokenizerSettings:
    """[tokenizer]"""

    tokenizer_type: str = setting(
        "wgsl", "language of the answers: WGSL lexemes, or any text", choices=("wgsl", "plain")
    )
    max_length: int = setting(512, "most tokens of a prompt or an answer; longer pairs are left out", low=8, high=16384)
    lowercase: bool = setting(False, "whether prompt words are folded to lower case")
    min_freq: int = setting(
        1, "how often a word or lexeme must occur in the training part to enter the vocabulary", low=1, high=1_000_000
    )
    phrases: int = setting(
        0, "most runs of lexemes that become tokens of their own, which shortens answers", low=0, high=65536
    )


@dataclass(frozen=True)
class Dataset:
    """[dataset]"""

    train_path: str = setting(REQUIRED, "the corpus: a TOML file, or a folder of them read in order of their names")
    train_ratio: float = setting(0.8, "share of the pairs to train on", low=0.0, high=1.0)
    val_ratio: float = setting(0.1, "share of the pairs to validate on; the rest is the test part", low=0.0, high=1.0)
    split: str = setting(
        "order", "cut the file in this order, or send each pair by the hash of its prompt", choices=("order", "hash")
    )
    recipes: str = setting("", "recipes to draw further pairs from: a TOML file or a folder of them; empty means none")
    recipe_pairs: int = setting(0, "how many pairs to draw from the recipes for training", low=0, high=100_000_000)
    held_out: float = setting(
        0.02,
        "share of the phrasings, and of the combinations of two recipes, drawn from for validation alone",
        low=0.0,
        high=0.5,
    )
    copies: int = setting(
        1, "how often each training pair of the corpus stands in an epoch, from the second on varied", low=1, high=1000
    )
    outside_copies: int = setting(
        1, "the same for pairs whose answer is <unsupported>: rare, and all of them alike", low=1, high=1000
    )
    draw_seed: int = setting(0, "of drawing from recipes and of varying copies", low=0, high=2**31 - 1)
    rows_per_shard: int = setting(100_000, "pairs in one Parquet file", low=1, high=100_000_000)


@dataclass(frozen=True)
class Export:
    """[export]: what the bundle holds and how it generates unless told otherwise."""

    precision: str = setting("int8", "which graphs are used by default", choices=("int8", "float32"))
    beam: int = setting(1, "hypotheses kept at each step; 1 is greedy", low=1, high=64)
    second_look: int = setting(
        8, "hypotheses kept when something speaks against the best WGSL answer; 0: never", low=0, high=64
    )
    length_penalty: float = setting(1.0, "exponent of the length normalisation of scores", low=0.0, high=10.0)
    max_tokens: int = setting(510, "most tokens of an answer", low=1, high=16382)


@dataclass(frozen=True)
class Output:
    """[output]"""

    dir: str = setting("", "folder for everything the stages write; empty means runs/ and the task's name")
