"""How long a command takes from nothing: whole processes, in turn, milliseconds and peak memory.

    pip install ctranslate2
    python -m benchmarks.cold_start [--model DIR] [--weights BUNDLE] [--rounds 15] [--out FILE.json]

`wgsl-infer "normalize a vector"` beside the import of onnxruntime alone, and beside CTranslate2 doing the same job from
a Python script: token ids in, token ids out, with neither tokenizer nor layout. WEIGHTS is the bundle with the float32
weights that CTranslate2's model is converted from; without it CTranslate2 is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROMPT = "normalize a vector"
_CTRANSLATE2 = """
import sys
import ctranslate2
translator = ctranslate2.Translator(sys.argv[1], compute_type="int8", inter_threads=1, intra_threads=1)
print(translator.translate_batch([sys.argv[2].split()], beam_size=1)[0].hypotheses[0])
"""


def commands(model: Path | None, weights: Path | None, folder: Path) -> dict[str, list[str]]:
    """The commands to compare, by their names."""
    python = [sys.executable, "-c"]
    infer = [sys.executable, "-m", "wgsl_infer", *(["--model", str(model)] if model else []), PROMPT]
    found = {
        "python": [*python, "pass"],
        "import numpy": [*python, "import numpy"],
        "import onnxruntime": [*python, "import onnxruntime"],
        "wgsl-infer": infer,
    }
    if weights:
        convert = ["-m", "benchmarks.engines.convert", str(weights), "ctranslate2", str(folder / "ctranslate2")]
        subprocess.run([sys.executable, *convert, "--quantization", "int8"], check=True)
        ask = "import sys; from pathlib import Path; from wgsl_infer.bundle import Bundle; "
        ask += "print(*Bundle.open(Path(sys.argv[1])).tokenizer().encode_prompt(sys.argv[2]).ids)"
        told = subprocess.run([*python, ask, str(weights), PROMPT], check=True, capture_output=True, text=True)
        ids = told.stdout.split()
        found["CTranslate2"] = [*python, _CTRANSLATE2, str(folder / "ctranslate2"), " ".join(ids)]
    return found


# nothing large may be imported here: a child's peak memory begins with that of the process that it was forked from
def run(command: list[str]) -> tuple[float, float]:
    """Milliseconds and peak memory in MB of one process."""
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=os.environ | {"CT2_FORCE_CPU_ISA": "AVX512"})
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = status
    if status:
        raise SystemExit(f"{command[:3]} failed")
    return (time.perf_counter() - began) * 1000, usage.ru_maxrss / 1024


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="the bundle that wgsl-infer answers with; else its own")
    parser.add_argument("--weights", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        todo = commands(options.model, options.weights, Path(folder))
        found: dict[str, list[tuple[float, float]]] = {name: [] for name in todo}
        for command in todo.values():
            run(command)  # files into the page cache
        for _ in range(options.rounds):
            for name, command in todo.items():
                found[name].append(run(command))
    times = {name: [ms for ms, _ in rows] for name, rows in found.items()}
    rows = {
        name: {
            "ms": statistics.median(times[name]),
            "least": min(times[name]),
            "most": max(times[name]),
            "peak_mb": statistics.median(mb for _, mb in found[name]),
            "beyond_onnxruntime_ms": statistics.median(
                a - b for a, b in zip(times[name], times["import onnxruntime"], strict=True)
            ),
        }
        for name in todo
    }
    for name, row in rows.items():
        print(f"{name:20} {row['ms']:7.0f} ms ({row['least']:.0f} to {row['most']:.0f}) {row['peak_mb']:7.0f} MB")
    print(f"wgsl-infer beyond importing onnxruntime: {rows['wgsl-infer']['beyond_onnxruntime_ms']:.0f} ms")
    if options.weights:
        ratios = [ours / theirs for ours, theirs in zip(times["wgsl-infer"], times["CTranslate2"], strict=True)]
        rows["wgsl-infer"]["times_ctranslate2"] = statistics.median(ratios)
        print(f"wgsl-infer takes {statistics.median(ratios):.2f} times as long as CTranslate2")
    if options.out:
        options.out.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
