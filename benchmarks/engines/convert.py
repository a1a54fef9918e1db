"""A bundle's float32 weights as a CTranslate2 model or as a MarianMT checkpoint of Hugging Face's transformers.

    python -m benchmarks.engines.convert BUNDLE ctranslate2 FOLDER
    python -m benchmarks.engines.convert BUNDLE marian FOLDER

Needs `pip install ctranslate2 transformers`, whichever is wanted. Networks with sinusoidal positions and post norm
only. Token k is the word "k" in CTranslate2's vocabularies, whose target side holds the tokens of answers alone, as a
bundle's does.
Both engines have one epsilon for all layer norms: the smallest of the bundle's, which are 4e-6 to 1e-5.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.numpy import load_file

from wgsl_infer.bundle import Bundle
from wgsl_infer.tokens import EOS, PAD, SOS, UNK
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.positions import sinusoids
from wgsl_pipeline.settings import Model as ModelSettings

Tensors = dict[str, NDArray[np.float32]]


def read(folder: Path) -> tuple[Bundle, dict[str, Any], Tensors]:
    """A bundle, what its manifest says of the network, and its weights.

    Raises:
        SystemExit: the network is of a kind that the engines have not.
    """
    bundle = Bundle.open(folder)
    settings = bundle.manifest["model"]
    if settings["positions"] != "sinusoidal" or settings["norm"] != "post":
        raise SystemExit(f"{folder}: only post norm and sinusoidal positions can be converted")
    return bundle, settings, load_file(bundle.file("model.safetensors"))


def to_ctranslate2(source: Path, target: Path, quantization: str = "float32") -> None:
    """Write a CTranslate2 model.

    Args:
        source: a bundle with model.safetensors.
        target: the folder to make.
        quantization: float32 or int8.
    """
    import ctranslate2

    bundle, settings, tensors = read(source)
    spec = ctranslate2.specs.TransformerSpec.from_config(
        (settings["encoder_layers"], settings["decoder_layers"]),
        settings["nhead"],
        pre_norm=False,
        activation=getattr(ctranslate2.specs.Activation, settings["activation"].upper()),
    )
    answers = bundle.tokenizer().target_ids
    table = tensors["embedding.weight"]
    spec.encoder.embeddings[0].weight = table
    spec.decoder.embeddings.weight = table[answers]
    spec.decoder.projection.weight = (table if settings["tie_output"] else tensors["output_weight"])[answers]
    spec.decoder.projection.bias = tensors["output_bias"][answers]
    for side, layers in ((spec.encoder, spec.encoder.layer), (spec.decoder, spec.decoder.layer)):
        side.scale_embeddings = True
        side.position_encodings.encodings = sinusoids(settings["max_seq_len"], settings["d_model"]).numpy()
        name = "encoder" if side is spec.encoder else "decoder"
        for k, layer in enumerate(layers):
            _fill_layer(layer, tensors, f"{name}.{k}", cross=name == "decoder")
    spec.config.layer_norm_epsilon = min(settings["layer_norm_epsilon"].values())
    spec.config.unk_token, spec.config.bos_token, spec.config.eos_token = str(UNK), str(SOS), str(EOS)
    spec.config.decoder_start_token = str(SOS)
    spec.register_source_vocabulary([str(k) for k in range(len(table))])
    spec.register_target_vocabulary([str(k) for k in answers])
    spec.validate()
    spec.optimize(quantization=None if quantization == "float32" else quantization)
    target.mkdir(parents=True, exist_ok=True)
    spec.save(str(target))


def _fill_layer(layer: Any, tensors: Tensors, name: str, *, cross: bool) -> None:
    def linear(spec: Any, part: str) -> None:
        spec.weight, spec.bias = tensors[f"{name}.{part}.weight"], tensors[f"{name}.{part}.bias"]

    def norm(spec: Any, part: str) -> None:
        spec.gamma, spec.beta = tensors[f"{name}.{part}.norm.weight"], tensors[f"{name}.{part}.norm.bias"]

    linear(layer.self_attention.linear[0], "attention.qkv")
    linear(layer.self_attention.linear[1], "attention.out")
    norm(layer.self_attention.layer_norm, "after_attention")
    if cross:
        linear(layer.attention.linear[0], "cross.query")
        linear(layer.attention.linear[1], "cross.kv")
        linear(layer.attention.linear[2], "cross.out")
        norm(layer.attention.layer_norm, "after_cross")
    linear(layer.ffn.linear_0, "feedforward.up")
    linear(layer.ffn.linear_1, "feedforward.down")
    norm(layer.ffn.layer_norm, "after_feedforward")


def marian(source: Path) -> Any:
    """The bundle's network as a MarianMTModel, in evaluation mode."""
    import transformers

    bundle, settings, tensors = read(source)
    answers = bundle.tokenizer().target_ids
    # the logits of words of prompts alone were never trained
    bias = np.full(len(tensors["embedding.weight"]), -1e9, dtype=np.float32)
    bias[answers] = tensors["output_bias"][answers]
    sizes = {
        f"{side}_{key}": settings[value] if key != "layers" else settings[f"{side}_layers"]
        for side in ("encoder", "decoder")
        for key, value in (("layers", ""), ("attention_heads", "nhead"), ("ffn_dim", "dim_feedforward"))
    }
    config = transformers.MarianConfig(
        vocab_size=len(tensors["embedding.weight"]),
        d_model=settings["d_model"],
        max_position_embeddings=settings["max_seq_len"],
        activation_function=settings["activation"],
        scale_embedding=True,
        tie_word_embeddings=settings["tie_output"],
        pad_token_id=PAD,
        bos_token_id=SOS,
        eos_token_id=EOS,
        decoder_start_token_id=SOS,
        forced_eos_token_id=None,
        dropout=0.0,
        **sizes,
    )
    model = transformers.MarianMTModel(config).eval()
    state = {
        "model.shared.weight": tensors["embedding.weight"],
        "model.encoder.embed_tokens.weight": tensors["embedding.weight"],
        "model.decoder.embed_tokens.weight": tensors["embedding.weight"],
        "lm_head.weight": tensors["embedding.weight" if settings["tie_output"] else "output_weight"],
        "final_logits_bias": bias[None],
    }
    for side in ("encoder", "decoder"):
        state[f"model.{side}.embed_positions.weight"] = sinusoids(settings["max_seq_len"], settings["d_model"]).numpy()
        for k in range(settings[f"{side}_layers"]):
            state |= _marian_layer(tensors, f"{side}.{k}", f"model.{side}.layers.{k}")
    missing, unexpected = model.load_state_dict({k: torch.from_numpy(v) for k, v in state.items()}, strict=False)
    if missing or unexpected:
        raise SystemExit(f"not MarianMT's weights: {missing} missing, {unexpected} unknown")
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = min(settings["layer_norm_epsilon"].values())
    return model


def _marian_layer(tensors: Tensors, ours: str, theirs: str) -> Tensors:
    found: Tensors = {}
    for kind in ("weight", "bias"):
        stacks = [("self_attn", ("q", "k", "v"), "attention.qkv")]
        if ours.startswith("decoder"):
            stacks += [("encoder_attn", ("q",), "cross.query"), ("encoder_attn", ("k", "v"), "cross.kv")]
        for block, parts, name in stacks:
            split = np.split(tensors[f"{ours}.{name}.{kind}"], len(parts))
            found |= {f"{theirs}.{block}.{p}_proj.{kind}": v for p, v in zip(parts, split, strict=True)}
        names = {
            "self_attn.out_proj": "attention.out",
            "self_attn_layer_norm": "after_attention.norm",
            "fc1": "feedforward.up",
            "fc2": "feedforward.down",
            "final_layer_norm": "after_feedforward.norm",
        }
        if ours.startswith("decoder"):
            names |= {"encoder_attn.out_proj": "cross.out", "encoder_attn_layer_norm": "after_cross.norm"}
        found |= {f"{theirs}.{a}.{kind}": tensors[f"{ours}.{b}.{kind}"] for a, b in names.items()}
    return found


def trained(source: Path) -> tuple[Transformer, list[int]]:
    """The bundle's network in PyTorch, in evaluation mode, and the tokens that answers are made of."""
    bundle, settings, tensors = read(source)
    known = {row.name for row in dataclasses.fields(ModelSettings)}
    # the exporter folded the residual factors into the weights
    given = {key: value for key, value in settings.items() if key in known} | {"residual_scaling": "none"}
    model = Transformer(ModelSettings(**given), len(tensors["embedding.weight"])).eval()
    model.load_state_dict({name: torch.from_numpy(value) for name, value in tensors.items()})
    for name, module in model.named_modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = settings["layer_norm_epsilon"]["encoder" if name.startswith("encoder") else "decoder"]
    return model, bundle.tokenizer().target_ids


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("engine", choices=["ctranslate2", "marian"])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--quantization", choices=["float32", "int8"], default="float32", help="of CTranslate2")
    options = parser.parse_args()
    if options.engine == "ctranslate2":
        to_ctranslate2(options.bundle, options.folder, options.quantization)
    else:
        marian(options.bundle).save_pretrained(options.folder)


if __name__ == "__main__":
    main()
