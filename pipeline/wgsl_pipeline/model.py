"""The network: an encoder-decoder transformer (Vaswani et al. 2017), its attention written out.

Legend: B batch, S source length, T target length, P target tokens already decoded, D model width, H heads, K = D / H,
V vocabulary, L layers.

At the default settings layer norm follows each residual sum and none ends a stack, positions are sinusoids, both sides
share one token embedding, and the output projection is a matrix of its own with a bias. Residual factors and initial
weights are DeepNet's (Wang et al. 2022, "DeepNet: Scaling Transformers to 1,000 Layers", table 2), which adds no
parameter.
"""

from __future__ import annotations

import math
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from wgsl_infer.tokens import PAD

from .deepnet import ResidualScaling, initialise_layer
from .dropout import Dropout
from .positions import RelativeBias, sinusoids
from .settings import Model as ModelSettings

LAYER_NORM_EPSILON = 1e-5
KeysValues = tuple[Tensor, Tensor]


class SelfAttention(nn.Module):
    """Multi-head attention of a sequence to itself."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.heads, self.dropout = settings.nhead, settings.attention_dropout
        self.qkv = nn.Linear(settings.d_model, 3 * settings.d_model)
        self.out = nn.Linear(settings.d_model, settings.d_model)

    def forward(
        self, x: Tensor, mask: Tensor | None, *, causal: bool = False, past: KeysValues | None = None
    ) -> tuple[Tensor, KeysValues]:
        """Attend; [B, T, D] -> [B, T, D] and the keys and values [B, H, P + T, K], those in `past` included."""
        query, key, value = (_heads(part, self.heads) for part in self.qkv(x).chunk(3, dim=-1))
        if past is not None:
            key, value = (torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2))
        found = _attend(query, key, value, mask, self.dropout if self.training else 0.0, causal)
        return self.out(found), (key, value)


class CrossAttention(nn.Module):
    """Multi-head attention of the decoder to the encoder's output."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.heads, self.dropout = settings.nhead, settings.attention_dropout
        self.query = nn.Linear(settings.d_model, settings.d_model)
        self.kv = nn.Linear(settings.d_model, 2 * settings.d_model)
        self.out = nn.Linear(settings.d_model, settings.d_model)

    def keys_values(self, memory: Tensor) -> KeysValues:
        """Keys and values of the encoder's output, [B, S, D] -> [B, H, S, K] each; computed once for an answer."""
        key, value = self.kv(memory).chunk(2, dim=-1)
        return _heads(key, self.heads), _heads(value, self.heads)

    def forward(self, x: Tensor, memory: KeysValues, mask: Tensor) -> Tensor:
        """Attend; [B, T, D] -> [B, T, D]."""
        query = _heads(self.query(x), self.heads)
        found = _attend(query, *memory, mask, self.dropout if self.training else 0.0, False)
        out: Tensor = self.out(found)
        return out


def _heads(x: Tensor, heads: int) -> Tensor:
    batch, length, width = x.shape
    return x.view(batch, length, heads, width // heads).transpose(1, 2)  # [B, T, D] -> [B, H, T, K]


def _attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, dropout: float, causal: bool) -> Tensor:
    if mask is not None and mask.is_floating_point():
        mask = mask.to(query.dtype)
    if query.device.type == "cpu" and query.requires_grad and dropout == 0.0:
        found = attention(query, key, value, mask, causal)
    else:
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout, is_causal=causal)
    return found.transpose(1, 2).flatten(2)  # [B, H, T, K] -> [B, T, D]


def attention(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, causal: bool) -> Tensor:
    """Scaled dot-product attention, written out: a CPU trains on short sequences 1.4 times as fast as with the fused
    kernel, whose gradient is slow there (`python benchmarks/training_step.py`).
    """
    scores = (query * query.shape[-1] ** -0.5) @ key.transpose(-1, -2)
    if causal:
        mask = torch.ones(scores.shape[-2:], dtype=torch.bool).tril()
    if mask is not None:
        scores = scores + mask if mask.is_floating_point() else scores.masked_fill(~mask, -math.inf)
    found: Tensor = scores.float().softmax(-1).to(value.dtype) @ value
    return found


class Residual(nn.Module):
    """What joins a sublayer to the stream: dropout, the sum, and layer norm behind or before it."""

    def __init__(self, settings: ModelSettings, factor: float) -> None:
        super().__init__()
        self.pre = settings.norm == "pre"
        self.factor = factor  # DeepNet's alpha; 1 with pre norm
        self.norm = nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPSILON)
        self.dropout = Dropout(settings.dropout)

    def enter(self, x: Tensor) -> Tensor:
        """What the sublayer reads."""
        return cast(Tensor, self.norm(x)) if self.pre else x

    def leave(self, x: Tensor, sublayer: Tensor) -> Tensor:
        """The stream behind the sublayer."""
        total: Tensor = x * self.factor + self.dropout(sublayer)
        return total if self.pre else cast(Tensor, self.norm(total))


class FeedForward(nn.Module):
    """Two linear layers with an activation between, at every position alike."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.up = nn.Linear(settings.d_model, settings.dim_feedforward)
        self.down = nn.Linear(settings.dim_feedforward, settings.d_model)
        self.dropout = Dropout(settings.dropout)
        self.activation = F.relu if settings.activation == "relu" else F.gelu

    def forward(self, x: Tensor) -> Tensor:
        """[B, T, D] -> [B, T, D]."""
        out: Tensor = self.down(self.dropout(self.activation(self.up(x))))
        return out


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward."""

    def __init__(self, settings: ModelSettings, factor: float) -> None:
        super().__init__()
        self.attention = SelfAttention(settings)
        self.after_attention = Residual(settings, factor)
        self.feedforward = FeedForward(settings)
        self.after_feedforward = Residual(settings, factor)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """[B, S, D] -> [B, S, D]."""
        found, _ = self.attention(self.after_attention.enter(x), mask)
        x = self.after_attention.leave(x, found)
        return self.after_feedforward.leave(x, self.feedforward(self.after_feedforward.enter(x)))


class DecoderLayer(nn.Module):
    """Self-attention, attention to the encoder, and feed-forward."""

    def __init__(self, settings: ModelSettings, factor: float) -> None:
        super().__init__()
        self.attention = SelfAttention(settings)
        self.after_attention = Residual(settings, factor)
        self.cross = CrossAttention(settings)
        self.after_cross = Residual(settings, factor)
        self.feedforward = FeedForward(settings)
        self.after_feedforward = Residual(settings, factor)

    def forward(
        self,
        x: Tensor,
        memory: KeysValues,
        memory_mask: Tensor,
        *,
        mask: Tensor | None = None,
        causal: bool = False,
        past: KeysValues | None = None,
    ) -> tuple[Tensor, KeysValues]:
        """[B, T, D] -> [B, T, D] and the self-attention's keys and values, [B, H, P + T, K] each."""
        found, state = self.attention(self.after_attention.enter(x), mask, causal=causal, past=past)
        x = self.after_attention.leave(x, found)
        x = self.after_cross.leave(x, self.cross(self.after_cross.enter(x), memory, memory_mask))
        x = self.after_feedforward.leave(x, self.feedforward(self.after_feedforward.enter(x)))
        return x, state


class Transformer(nn.Module):
    """The whole network.

    Args:
        settings: the [model] table.
        vocabulary: V, how many tokens there are.
        generator: source of the initial weights; None leaves them as torch makes them, for weights about to be loaded.
    """

    def __init__(self, settings: ModelSettings, vocabulary: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.settings = settings
        scaling = ResidualScaling(settings)
        self.embedding = nn.Embedding(vocabulary, settings.d_model)
        self.encoder = nn.ModuleList(EncoderLayer(settings, scaling.encoder) for _ in range(settings.encoder_depth))
        self.decoder = nn.ModuleList(DecoderLayer(settings, scaling.decoder) for _ in range(settings.decoder_depth))
        self.dropout = Dropout(settings.dropout)
        pre = settings.norm == "pre"
        self.encoder_norm = nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPSILON) if pre else nn.Identity()
        self.decoder_norm = nn.LayerNorm(settings.d_model, eps=LAYER_NORM_EPSILON) if pre else nn.Identity()
        if not settings.tie_output:
            self.output_weight = nn.Parameter(torch.empty(vocabulary, settings.d_model))
        self.output_bias = nn.Parameter(torch.zeros(vocabulary))
        if settings.positions == "relative":
            self.encoder_bias = RelativeBias(settings, causal=False)
            self.decoder_bias = RelativeBias(settings, causal=True)
        else:
            self.sinusoids: Tensor  # not a parameter, and not saved
            self.register_buffer("sinusoids", sinusoids(settings.max_seq_len, settings.d_model), persistent=False)
        if generator is not None:
            self._initialise(scaling, generator)

    @torch.no_grad()
    def _initialise(self, scaling: ResidualScaling, generator: torch.Generator) -> None:
        for layers, gain in ((self.encoder, scaling.encoder_gain), (self.decoder, scaling.decoder_gain)):
            for layer in layers:
                initialise_layer(layer, gain, generator)
        deviation = self.settings.d_model**-0.5
        nn.init.normal_(self.embedding.weight, std=deviation, generator=generator)
        if not self.settings.tie_output:
            nn.init.normal_(self.output_weight, std=deviation, generator=generator)

    def keys_values(self, memory: Tensor) -> list[KeysValues]:
        """What each decoder layer attends to of the encoder's output [B, S, D]: keys and values, [B, H, S, K] each."""
        return [cast(DecoderLayer, layer).cross.keys_values(memory) for layer in self.decoder]

    def forward(self, source: Tensor, target: Tensor, columns: Tensor | None = None) -> Tensor:
        """Logits of each next token under teacher forcing; [B, S] and [B, T] -> [B, T, V].

        Args:
            columns: tokens to compute logits for, in this order; all V if None.
        """
        memory, memory_mask = self.encode(source)
        x = self._embed(target)
        length = target.shape[1]
        mask = self.decoder_bias(length, length) if self.settings.positions == "relative" else None
        for layer, keys_values in zip(self.decoder, self.keys_values(memory), strict=True):
            x, _ = layer(x, keys_values, memory_mask, mask=mask, causal=mask is None)
        return self.project(x, columns)

    def encode(self, source: Tensor) -> tuple[Tensor, Tensor]:
        """The encoder's output [B, S, D] and which source positions hold a token, [B, 1, 1, S]."""
        memory_mask = (source != PAD)[:, None, None, :]
        mask = memory_mask
        if self.settings.positions == "relative":
            bias = self.encoder_bias(source.shape[1], source.shape[1])
            mask = bias.masked_fill(~memory_mask, -math.inf)
        x = self._embed(source)
        for layer in self.encoder:
            x = layer(x, mask)
        return self.encoder_norm(x), memory_mask

    def step(
        self, tokens: Tensor, memory: list[KeysValues], memory_mask: Tensor, past: list[KeysValues]
    ) -> tuple[Tensor, list[KeysValues]]:
        """One token further: [B] -> logits [B, V] and the grown state. `memory` and `past`: a pair for each layer."""
        position = past[0][0].shape[2]
        x = self._embed(tokens[:, None], position)
        mask = self.decoder_bias(1, position + 1) if self.settings.positions == "relative" else None
        state = []
        for layer, keys_values, before in zip(self.decoder, memory, past, strict=True):
            x, after = layer(x, keys_values, memory_mask, mask=mask, past=before)
            state.append(after)
        return self.project(x)[:, 0], state

    def project(self, x: Tensor, columns: Tensor | None = None) -> Tensor:
        """Logits of the decoder's output, of all tokens or of those in `columns`; [B, T, D] -> [B, T, V]."""
        weight = self.embedding.weight if self.settings.tie_output else self.output_weight
        if columns is None:
            return F.linear(self.decoder_norm(x), weight, self.output_bias)
        return F.linear(self.decoder_norm(x), weight[columns], self.output_bias[columns])

    def _embed(self, tokens: Tensor, position: int = 0) -> Tensor:
        x = self.embedding(tokens) * math.sqrt(self.settings.d_model)
        if self.settings.positions == "sinusoidal":
            x = x + self.sinusoids[position : position + tokens.shape[1]]
        out: Tensor = self.dropout(x)
        return out


def count_parameters(settings: ModelSettings, vocabulary: int) -> int:
    """How many parameters the network has, without making their memory."""
    with torch.device("meta"):
        return sum(p.numel() for p in Transformer(settings, vocabulary).parameters())
