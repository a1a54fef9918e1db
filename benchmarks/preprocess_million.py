"""One million generated pairs through `pipeline preprocess`: time, and peak memory beside that of 10,000 pairs.

    python benchmarks/preprocess_million.py [PAIRS]

Each size runs in a process of its own; the corpus and what is made of it are written to a temporary folder.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

VERBS = ("normalize", "length of", "sine of", "absolute value of", "square root of", "floor of", "exponential of")
CALLS = ("normalize", "length", "sin", "abs", "sqrt", "floor", "exp")

CHILD = """
import resource, sys
from pathlib import Path
from wgsl_pipeline.config import load_config
from wgsl_pipeline.preprocess import preprocess
figures = preprocess(load_config(Path(sys.argv[1]))).figures
print(figures["examples"], resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def write_corpus(path: Path, count: int) -> None:
    """`count` distinct pairs with names and numbers."""
    generator = random.Random(0)
    with path.open("w", encoding="utf-8") as file:
        for k in range(count):
            which = generator.randrange(len(VERBS))
            name, number = f"value{k}", generator.randrange(5, 10_000) / 8
            prompt = f"{VERBS[which]} {name} times {number}"
            code = f"{CALLS[which]}({name} * {float(number)!r})"
            file.write(f'[[examples]]\nnatural_language = "{prompt}"\nwgsl_code = "{code}"\n\n')


def measure(count: int) -> dict[str, float]:
    """Seconds and peak memory of preprocessing `count` pairs in a fresh process."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_corpus(folder / "corpus.toml", count)
        config = folder / "config.toml"
        config.write_text(
            f'[task]\nname = "million"\n[dataset]\ntrain_path = "{folder / "corpus.toml"}"\n'
            f'[output]\ndir = "{folder / "run"}"\n',
            encoding="utf-8",
        )
        began = time.perf_counter()
        out = subprocess.run([sys.executable, "-c", CHILD, str(config)], check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - began
        examples, peak = map(int, out.stdout.split())
        size = sum(file.stat().st_size for file in (folder / "run" / "data").glob("*.parquet"))
        return {
            "pairs": examples,
            "seconds": round(seconds, 1),
            "peak_mb": round(peak / 1024),
            "corpus_mb": round((folder / "corpus.toml").stat().st_size / 1e6, 1),
            "parquet_mb": round(size / 1e6, 1),
        }


if __name__ == "__main__":
    for count in (10_000, int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000):
        print(json.dumps(measure(count)), flush=True)
