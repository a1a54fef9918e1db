"""Starting from the weights of an earlier run, whose corpus was another: what it knew need not be learnt again.

Vectors of tokens are taken over by what the tokens stand for, so words may have come or gone.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from wgsl_infer.bundle import file_hash
from wgsl_infer.errors import TokenizerError
from wgsl_infer.tokenizer import Tokenizer

from .checkpoint import MODEL, CheckpointFolder, load_tensors
from .errors import ArtefactError
from .model import Transformer

_BY_TOKEN = ("embedding.weight", "output_weight", "output_bias")


def warm_start(model: Transformer, tokenizer: Tokenizer, folder: Path) -> tuple[str, int]:
    """Load the best weights of the run in `folder`; returns their sha256 and how many tokens both runs know.

    Raises:
        ArtefactError: there is no such run, or its network has other shapes.
    """
    try:
        before = Tokenizer.load(folder / "data" / "tokenizer.json")
    except TokenizerError as error:
        raise ArtefactError(f"{error}: no run to start from") from error
    path = CheckpointFolder(folder / "checkpoints").find("best") / MODEL
    tensors = load_tensors(path)
    known = {text: k for k, text in enumerate(_meanings(before))}
    rows = [(k, known[text]) for k, text in enumerate(_meanings(tokenizer)) if text in known]
    here, there = torch.tensor(rows).T
    own = dict(model.named_parameters())
    if own.keys() != tensors.keys():
        raise ArtefactError(f"{path}: weights of another network than the configuration describes")
    with torch.no_grad():
        for name, parameter in own.items():
            _copy(parameter, tensors[name], name in _BY_TOKEN, here, there, path)
    return file_hash(path), len(rows)


def _copy(parameter: Tensor, given: Tensor, by_token: bool, here: Tensor, there: Tensor, path: Path) -> None:
    if parameter.shape[by_token:] != given.shape[by_token:]:
        raise ArtefactError(f"{path}: weights of another network than the configuration describes")
    if by_token:
        parameter[here.to(parameter.device)] = given[there].to(parameter.device)
    else:
        parameter.copy_(given)


def _meanings(tokenizer: Tokenizer) -> list[str]:
    """What each token stands for: itself, or for a phrase the lexemes in it."""
    phrases = range(tokenizer.phrases.first, len(tokenizer))
    return [
        *tokenizer.tokens,
        *(" ".join(["", *(tokenizer.tokens[k] for k in tokenizer.phrases.expand(token))]) for token in phrases),
    ]
