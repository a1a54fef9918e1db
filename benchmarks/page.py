"""The tables and the picture of docs/performance.md, from what the benchmarks wrote.

    python -m benchmarks.page DECODING.json COLD.json TRAINING.json

What stands between the marks in docs/performance.md is replaced; the rest of the page is written by hand.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from .decoding import TASKS, compare

DOCS = Path(__file__).parents[1] / "docs"
BEGIN, END = "<!-- tables: python -m benchmarks.page -->", "<!-- end of the tables -->"
_OURS, _THEIRS, _QUIET = "#2b6cb0", "#c05621", "#a0aec0"


def decoding_tables(results: list[dict[str, Any]]) -> str:
    """A table of milliseconds an answer for each model, and one of ratios."""
    parts = []
    for result in results:
        parts.append(
            f"### {result['parameters'] / 1e6:.1f} M parameters, {result['tokens']:.0f} tokens an answer on average\n\n"
            "Milliseconds an answer, median; in brackets how many answers equal PyTorch's in float32.\n\n"
            f"| engine | threads | {' | '.join(TASKS)} |\n| --- | --- |{' --- |' * len(TASKS)}"
        )
        cells: dict[tuple[str, int], list[str]] = {}
        for row in result["rows"]:
            told = f"{statistics.median(row['ms']):.2f} ({row['same']} of {row['prompts']})"
            cells.setdefault((row["engine"], row["threads"]), []).append(told)
        parts += [f"| {engine} | {threads} | {' | '.join(row)} |" for (engine, threads), row in cells.items()]
        parts.append(
            "\nHow many times as fast as CTranslate2's best setting of one or two threads: median of the rounds, least"
            " and most.\n\n| task | precision | 1 thread | 2 threads |\n| --- | --- | --- | --- |"
        )
        for task in TASKS:
            for precision in ("int8", "float32"):
                found = compare(result["rows"], task, precision)
                row = [f"{m:.2f} ({low:.2f} to {high:.2f})" for _, (m, low, high) in sorted(found.items())]
                parts.append(f"| {task} | {precision} | {' | '.join(row)} |")
        parts.append("")
    return "\n".join(parts)


def cold_table(rows: dict[str, dict[str, float]]) -> str:
    """The table of whole processes."""
    lines = ["| process | ms, median (least to most) | peak MB |", "| --- | --- | --- |"]
    for name, row in rows.items():
        lines.append(f"| {name} | {row['ms']:.0f} ({row['least']:.0f} to {row['most']:.0f}) | {row['peak_mb']:.0f} |")
    ours = rows["wgsl-infer"]
    lines.append(
        f"\n`wgsl-infer` beyond the import of onnxruntime: {ours['beyond_onnxruntime_ms']:.0f} ms;"
        f" {ours['times_ctranslate2']:.2f} times CTranslate2's process."
    )
    return "\n".join(lines)


def training_table(result: dict[str, Any]) -> str:
    """The table of training speed."""
    lines = ["| network | parameters | pairs a second | share of the peak |", "| --- | --- | --- | --- |"]
    for name in ("wgsl-infer", "MarianMT"):
        row = result[name]
        lines.append(
            f"| {name} | {row['parameters'] / 1e6:.1f} M | {row['pairs_per_second']:.0f} | {row['utilisation']:.0%} |"
        )
    median, low, high = result["ratio"]
    lines.append(f"\nRatio {median:.2f} ({low:.2f} to {high:.2f}), {result['precision']}, batch {result['batch']}.")
    return "\n".join(lines)


def picture(results: list[dict[str, Any]], path: Path) -> None:
    """Bars of milliseconds an answer: engines by task, one panel a model."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.5, 3.2 * len(results)), layout="constrained")
    for panel, result in zip(figure.subplots(len(results), len(TASKS), squeeze=False), results, strict=True):
        for axes, task in zip(panel, TASKS, strict=True):
            rows = [row for row in result["rows"] if row["task"] == task]
            best: dict[str, float] = {}
            for row in rows:
                ms = statistics.median(row["ms"])
                best[row["engine"]] = min(ms, best.get(row["engine"], ms))
            colors = [_OURS if n.startswith("wgsl") else _THEIRS if n.startswith("CT") else _QUIET for n in best]
            bars = axes.barh(list(best), list(best.values()), color=colors)
            axes.bar_label(bars, fmt="%.1f", fontsize=8, padding=2)
            axes.set_xscale("log")
            axes.set_title(f"{result['parameters'] / 1e6:.1f} M, {task}", fontsize=9)
            axes.set_xlabel("ms an answer, best of 1 and 2 threads", fontsize=8)
            axes.tick_params(labelsize=8)
            axes.invert_yaxis()
            axes.margins(x=0.25)
    figure.savefig(path, dpi=110)


def main(arguments: list[str]) -> None:
    """Rewrite the page's tables and its picture."""
    decoding, cold, training = (json.loads(Path(name).read_text(encoding="utf-8")) for name in arguments)
    page = DOCS / "performance.md"
    text = page.read_text(encoding="utf-8")
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    tables = "\n\n".join(
        [
            "## Decoding\n\n![milliseconds an answer](performance.png)\n\n" + decoding_tables(decoding).rstrip(),
            "## From nothing\n\n" + cold_table(cold),
            "## Training\n\n" + training_table(training),
        ]
    )
    page.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{after}", encoding="utf-8")
    picture(decoding, DOCS / "performance.png")


if __name__ == "__main__":
    main(sys.argv[1:])
