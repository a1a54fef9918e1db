"""Training pairs a second of this project's network and of MarianMT of the same size, in the same loop.

    pip install transformers
    python -m benchmarks.training_engines [--config config/wgsl_generation.toml] [--rounds 5] [--out FILE.json]

Random pairs of the lengths of the seed corpus, bf16 autocast where the processor multiplies it natively, fused AdamW,
batches of the same sizes for both; each engine in turn, several rounds, medians. The share of the peak is that of a
large matrix product in the same process (model FLOP utilisation: 6 FLOPs a parameter and token).
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from wgsl_pipeline.config import Config, load_config
from wgsl_pipeline.devices import autocast, choose_precision
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.optimisation import summed_loss

SOURCE, TARGET = 8, 19  # mean lengths of the seed corpus's prompts and answers, sentinels included
VOCABULARY = 1000
STEPS = 6
CPU = torch.device("cpu")

Logits = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def ours(config: Config) -> tuple[nn.Module, Logits]:
    """This project's network."""
    model = Transformer(config.model, VOCABULARY, torch.Generator().manual_seed(0)).train()
    return model, lambda source, target: model(source, target)


def marian(config: Config) -> tuple[nn.Module, Logits]:
    """MarianMT with the same sizes and dropout."""
    import transformers

    s = config.model
    model = transformers.MarianMTModel(
        transformers.MarianConfig(
            vocab_size=VOCABULARY,
            d_model=s.d_model,
            encoder_layers=s.encoder_depth,
            decoder_layers=s.decoder_depth,
            encoder_attention_heads=s.nhead,
            decoder_attention_heads=s.nhead,
            encoder_ffn_dim=s.dim_feedforward,
            decoder_ffn_dim=s.dim_feedforward,
            max_position_embeddings=s.max_seq_len,
            activation_function=s.activation,
            dropout=s.dropout,
            attention_dropout=s.attention_dropout,
            scale_embedding=True,
            pad_token_id=0,
            decoder_start_token_id=2,
            eos_token_id=3,
            tie_word_embeddings=s.tie_output,
        )
    ).train()

    def logits(source: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        # both networks predict each target from those before it, <sos> first
        given = torch.cat([torch.full_like(target[:, :1], 2), target[:, :-1]], dim=1)
        found: torch.Tensor = model(input_ids=source, decoder_input_ids=given, use_cache=False).logits
        return found

    return model, logits


def peak(precision: str) -> float:
    """FLOPs a second of a large matrix product."""
    a = torch.randn(2048, 2048, dtype=torch.bfloat16 if precision == "bfloat16" else torch.float32)
    best = 0.0
    for _ in range(8):
        began = time.perf_counter()
        _ = a @ a
        best = max(best, 2 * 2048**3 / (time.perf_counter() - began))
    return best


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path(__file__).parents[1] / "config" / "wgsl_generation.toml")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    config = load_config(options.config)
    precision = choose_precision("auto", CPU)
    size = config.training.batch_size
    engines = {"wgsl-infer": ours(config), "MarianMT": marian(config)}
    optimizers = {
        name: torch.optim.AdamW(model.parameters(), lr=1e-4, weight_decay=0.01, fused=True)
        for name, (model, _) in engines.items()
    }
    draw = torch.Generator().manual_seed(1)

    def turn(name: str) -> float:
        model, logits = engines[name]
        began = time.perf_counter()
        for _ in range(STEPS):
            source = torch.randint(4, VOCABULARY, (size, SOURCE), generator=draw)
            target = torch.randint(4, VOCABULARY, (size, TARGET), generator=draw)
            with autocast(CPU, precision):
                found = logits(source, target)
            optimizers[name].zero_grad(set_to_none=True)
            (summed_loss(found, target, config.training.label_smoothing) / target.numel()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=True)
            optimizers[name].step()
        return STEPS * size / (time.perf_counter() - began)

    for name in engines:
        turn(name)
    speeds: dict[str, list[float]] = {name: [] for name in engines}
    for _ in range(options.rounds):
        for name in engines:
            speeds[name].append(turn(name))
    top = peak(precision)
    result: dict[str, object] = {"precision": precision, "batch": size, "peak_gflops": top / 1e9}
    for name, (model, _) in engines.items():
        parameters = sum(p.numel() for p in model.parameters() if p.requires_grad)
        speed = statistics.median(speeds[name])
        # encoder weights see the source's tokens, decoder weights the target's: half each is near enough for both
        utilisation = speed * 6 * parameters * (SOURCE + TARGET) / 2 / top
        result[name] = {"parameters": parameters, "pairs_per_second": speed, "utilisation": utilisation}
        print(f"{name:12} {parameters / 1e6:5.1f} M {speed:7.1f} pairs/s, {utilisation:.0%} of {top / 1e9:.0f} GFLOP/s")
    ratios = [a / b for a, b in zip(speeds["wgsl-infer"], speeds["MarianMT"], strict=True)]
    result["ratio"] = [statistics.median(ratios), min(ratios), max(ratios)]
    print(f"ratio {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}), {precision}")
    if options.out:
        options.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
