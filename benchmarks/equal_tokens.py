"""How many greedy answers of the exported graphs have the tokens of the trained model's in PyTorch.

    python -m benchmarks.equal_tokens PROMPTS [--config config/wgsl_tiny.toml]

PROMPTS is a file with one prompt a line, such as a benchmark's. `pipeline export` does the same with prompts of the
corpus, and refuses a bundle of which one float32 answer differs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from wgsl_export.parity import greedy_answers, whole_answers
from wgsl_infer.bundle import Bundle
from wgsl_infer.session import OnnxModel
from wgsl_pipeline.checkpoint import CheckpointFolder, load_model
from wgsl_pipeline.config import load_config
from wgsl_pipeline.dataset import Corpus
from wgsl_pipeline.decoding import TorchDecoding
from wgsl_pipeline.model import Transformer


def main() -> None:
    """Answer all prompts by each and print how many are alike."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--config", type=Path, default=Path("config/wgsl_tiny.toml"))
    options = parser.parse_args()
    config = load_config(options.config)
    prompts = options.prompts.read_text(encoding="utf-8").splitlines()
    tokenizer = Corpus.open(config.data_folder).tokenizer
    model = Transformer(config.model, len(tokenizer))
    load_model(CheckpointFolder(config.checkpoint_folder).find("best"), model)
    model.eval()
    limit = config.export.max_tokens
    wanted = greedy_answers(lambda sources: TorchDecoding(model, sources), tokenizer, prompts, limit)
    bundle = Bundle.open(config.bundle_folder)
    for precision in bundle.precisions:
        graphs = OnnxModel(bundle, precision)
        by_steps = greedy_answers(graphs.start, tokenizer, prompts, limit)
        for name, found in (("in one call", whole_answers(graphs, tokenizer, prompts, limit)), ("by steps", by_steps)):
            alike = sum(one.ids == other.ids for one, other in zip(wanted, found, strict=True))
            print(f"{precision} {name}: {alike} of {len(prompts)} answers have PyTorch's tokens")


if __name__ == "__main__":
    main()
