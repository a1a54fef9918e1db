"""The same weights through this runtime, CTranslate2, Hugging Face's generate and torch: milliseconds an answer.

    pip install ctranslate2 transformers
    python -m benchmarks.decoding BUNDLE... [--rounds 7] [--out FILE.json]

Each engine runs in a process of its own, stopped while another one works. Every round each engine does every task, so
ratios of one round were measured side by side; told are medians over the rounds and the spread of the ratios. Before
anything is timed every engine answers all prompts, and how many answers equal those of torch in float32 is told; and
whenever it is woken it answers a few off the clock, so that what is timed is decoding, not the filling of caches that
another engine emptied. BUNDLE is one that `pipeline export` wrote, in the folder of its run: asked are prompts of its
own corpus.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wgsl_infer.bundle import Bundle
from wgsl_pipeline.dataset import Corpus

from .engines.convert import to_ctranslate2

ROOT = Path(__file__).parents[1]
PROMPTS = 12  # asked one by one
TOGETHER = 32  # in one batch
LIMIT = 256  # tokens of an answer
AWAKE = 4  # prompts answered off the clock each time before it starts
SLOW = ("transformers", "PyTorch")  # two rounds are enough to see how far behind they are
TASKS = {
    "greedy": {"beam": 1, "together": False},
    "beam 4": {"beam": 4, "together": False},
    "batch 32": {"beam": 1, "together": True},
}


class Engine:
    """A process that decodes when it is asked, and is stopped in between."""

    def __init__(self, name: str, bundle: Path, threads: int, folder: Path) -> None:
        self.name, self.threads = name, threads
        self.times: dict[str, list[float]] = {}
        self.tokens: dict[str, list[list[int]]] = {}
        environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path[1:]])}
        if name.startswith("CTranslate2"):
            environment["CT2_FORCE_CPU_ISA"] = "AVX512"  # its best on the machines this was run on
        command = [sys.executable, "-m", "benchmarks.engines.worker", name, str(bundle), str(threads), str(folder)]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
        )
        self._read()
        self._process.send_signal(signal.SIGSTOP)

    def run(self, task: str, prompts: Sequence[Sequence[int]]) -> float:
        """Do a task once; milliseconds for each prompt.

        Some prompts are answered before the clock starts: while the process was stopped, the caches became another's.
        """
        self._process.send_signal(signal.SIGCONT)
        self._answer(task, prompts[:AWAKE])
        found = self._answer(task, prompts)
        self._process.send_signal(signal.SIGSTOP)
        self.tokens[task] = found["ids"]
        return float(found["ms"]) / len(prompts)

    def close(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()

    def _answer(self, task: str, prompts: Sequence[Sequence[int]]) -> dict[str, Any]:
        assert self._process.stdin is not None
        print(json.dumps({"prompts": prompts, "limit": LIMIT, **TASKS[task]}), file=self._process.stdin, flush=True)
        found: dict[str, Any] = json.loads(self._read())
        return found

    def _read(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended before it answered")
        return line


def measure(bundle: Path, rounds: int, thread_counts: Sequence[int]) -> dict[str, Any]:
    """All engines on one bundle; times by task and engine."""
    prompts = _prompts(bundle)
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("int8", "float32"):
            to_ctranslate2(bundle, Path(folder) / f"ctranslate2-{precision}", precision)
        names = [f"{e} {p}" for e in ("wgsl-infer", "CTranslate2") for p in ("int8", "float32")]
        engines = [Engine(name, bundle, threads, Path(folder)) for threads in thread_counts for name in names]
        engines += [Engine(name, bundle, max(thread_counts), Path(folder)) for name in SLOW]
        try:
            return _rounds(bundle, engines, prompts, rounds)
        finally:
            for engine in engines:
                engine.close()


def _rounds(bundle: Path, engines: list[Engine], prompts: list[list[int]], rounds: int) -> dict[str, Any]:
    asked = {task: prompts if TASKS[task]["together"] else prompts[:PROMPTS] for task in TASKS}
    for engine in engines:  # once without the clock, to warm up and to see that the answers are the same
        for task, rows in asked.items():
            engine.run(task, rows)
            engine.times[task] = []
    for turn in range(rounds):
        for task, rows in asked.items():
            for engine in engines:
                if turn < 2 or engine.name not in SLOW:
                    engine.times[task].append(engine.run(task, rows))
        print(f"{bundle.parent.name}: round {turn + 1} of {rounds}", file=sys.stderr)
    reference = next(engine for engine in engines if engine.name == "PyTorch").tokens
    length = statistics.mean(len(ids) + 1 for ids in reference["greedy"])
    rows = [
        {
            "engine": engine.name,
            "threads": engine.threads,
            "task": task,
            "ms": engine.times[task],
            "same": sum(a == b for a, b in zip(engine.tokens[task], reference[task], strict=True)),
            "prompts": len(asked[task]),
            "tokens": sum(len(ids) + 1 for ids in engine.tokens[task]),
        }
        for engine in engines
        for task in TASKS
    ]
    parameters = Bundle.open(bundle).manifest["model"]["parameters"]
    return {"bundle": str(bundle), "parameters": parameters, "tokens": length, "rows": rows}


def _prompts(bundle: Path) -> list[list[int]]:
    """Token ids of prompts spread evenly over the corpus that the bundle was trained on."""
    corpus = Corpus.open(bundle.parent / "data")
    texts = [row["prompt"] for row in corpus.texts("train")]
    return [list(corpus.tokenizer.encode_prompt(texts[k * len(texts) // TOGETHER]).ids) for k in range(TOGETHER)]


def compare(rows: list[dict[str, Any]], task: str, precision: str) -> dict[int, tuple[float, float, float]]:
    """By threads: how many times faster this runtime is than CTranslate2's best setting, median, least and most."""
    best = min(
        (row for row in rows if row["engine"] == f"CTranslate2 {precision}" and row["task"] == task),
        key=lambda row: statistics.median(row["ms"]),
    )
    found = {}
    for row in rows:
        if row["engine"] == f"wgsl-infer {precision}" and row["task"] == task:
            ratios = [theirs / ours for theirs, ours in zip(best["ms"], row["ms"], strict=True)]
            found[row["threads"]] = (statistics.median(ratios), min(ratios), max(ratios))
    return found


def main() -> None:
    """Measure, print, and write what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    results = [measure(bundle.resolve(), options.rounds, options.threads) for bundle in options.bundles]
    for result in results:
        print(f"\n{result['parameters'] / 1e6:.1f} M parameters, {result['tokens']:.0f} tokens an answer")
        print(f"{'engine':22} {'threads':>7} {'task':9} {'ms/answer':>10} {'tokens/s':>9}  as PyTorch")
        for row in result["rows"]:
            ms = statistics.median(row["ms"])
            speed = row["tokens"] / row["prompts"] / ms * 1000
            same = f"{row['same']} of {row['prompts']}"
            print(f"{row['engine']:22} {row['threads']:7} {row['task']:9} {ms:10.2f} {speed:9.0f}  {same}")
        for task in TASKS:
            for precision in ("int8", "float32"):
                for threads, (median, low, high) in compare(result["rows"], task, precision).items():
                    told = f"{median:.2f} times as fast as CTranslate2's best ({low:.2f} to {high:.2f})"
                    print(f"{task}, {precision}, {threads} thread(s): {told}")
    if options.out:
        options.out.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
