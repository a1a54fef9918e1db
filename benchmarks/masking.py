"""What the grammar costs: decoding with and without it, in the same run, as ratios.

    python -m benchmarks.masking [--model DIR] [--rounds 7]

Greedy answers are decoded in one call and read by the grammar's automaton afterwards; beams ask it for every token that
they keep.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

from wgsl_infer import Generator
from wgsl_pipeline.corpus import corpus_files, read_examples

ROOT = Path(__file__).parents[1]
COUNT = 120


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    files = corpus_files(ROOT / "data" / "held_out")
    texts = [example.prompt for file in files for example in read_examples(file) if file.stem != "outside"]
    texts = texts[:: len(texts) // COUNT]
    guided, free = Generator(options.model), Generator(options.model)
    free._grammar = None
    for width in (1, 4):
        ratios = []
        for turn in range(options.rounds + 1):
            times = []
            for generate in (guided, free):
                began = time.perf_counter()
                for text in texts:
                    generate(text, beam=width, second_look=0)
                times.append(time.perf_counter() - began)
            if turn:  # the first round warms up
                ratios.append(times[0] / times[1])
        name = "greedy" if width == 1 else f"beam {width}"
        told = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"{name}: with the grammar {told} times as long as without")


if __name__ == "__main__":
    main()
