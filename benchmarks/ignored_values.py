"""How often right answers do not take over a value that their prompt gives: what `plausibility.IGNORED` was set by.

    python benchmarks/ignored_values.py [--config config/wgsl_tiny.toml]

Of 4,000 training pairs written by hand, for each kind of value: how many there are, and how many the answer ignores.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from pathlib import Path

from wgsl_infer.english import is_compound
from wgsl_infer.tokens import UNSUPPORTED
from wgsl_pipeline.config import load_config
from wgsl_pipeline.corpus import corpus_files, read_examples
from wgsl_pipeline.dataset import Corpus


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, default=Path("config/wgsl_tiny.toml"))
    config = load_config(parser.parse_args().config)
    tokenizer = Corpus.open(config.data_folder).tokenizer
    examples = [
        example
        for file in corpus_files(Path(config.dataset.train_path))
        for example in read_examples(file)
        if example.code != UNSUPPORTED
    ]
    given, ignored = Counter[str](), Counter[str]()
    for example in random.Random(0).sample(examples, 4000):
        encoded = tokenizer.encode_prompt(example.prompt)
        used = tokenizer.slots_used(tokenizer.encode_answer(example.code, encoded.slots))
        for family, values in encoded.slots.values.items():
            for index, value in enumerate(values):
                kind = family if family != "name" or not is_compound(value) else "name of several words"
                given[kind] += 1
                ignored[kind] += (family, index) not in used
    for kind, count in sorted(given.items()):
        print(f"{kind:22} {count:6} given, {ignored[kind]:6} ignored: {ignored[kind] / count:.1%}")


if __name__ == "__main__":
    main()
