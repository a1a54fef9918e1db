"""The pictures of an evaluation as PNG; each carries at its foot what it was made from."""

from __future__ import annotations

import io
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

_RIGHT, _WRONG, _QUIET = "#2a7f62", "#c44536", "#9aa0a6"
_DPI = 120
_WIDTH = 7.5  # inches

Report = dict[str, Any]


def draw_all(report: Report) -> dict[str, bytes]:
    """PNG files by title."""
    return {
        "Right answers by category": _draw(report, _categories, 1.6 + 0.34 * len(report["table"])),
        "Calibration": _draw(report, _calibration, 4.6),
        "Lengths of answers": _draw(report, _lengths, 3.8),
    }


def provenance(report: Report) -> str:
    """What the figures were made from, in two lines."""
    made = report["made"]
    checkpoint, tokenizer = (str(made[key] or "unknown")[:16] for key in ("checkpoint", "tokenizer"))
    facts = f"checkpoint {checkpoint}, tokenizer {tokenizer}, {made['precision']}, beam {made['beam']}"
    return f"{facts}, {made['pairs']} pairs of {' and '.join(made['parts'])}\n$ {made['command'] or 'evaluate()'}"


def _draw(report: Report, draw: Any, height: float) -> bytes:
    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    draw(figure.add_subplot(), report)
    # `$` would begin a formula
    figure.supxlabel(provenance(report).replace("$", r"\$"), fontsize=6, color=_QUIET, x=0.01, ha="left", wrap=True)
    out = io.BytesIO()
    figure.savefig(out, dpi=_DPI, format="png", metadata={"Software": None})
    return out.getvalue()


def _categories(axes: Axes, report: Report) -> None:
    """Bars of right answers, the model's beside the baseline's."""
    rows = list(reversed(report["table"]))
    measured = all(row["model"]["execution_match"] is not None for row in rows)
    key = "execution_match" if measured else "exact_match"
    for name, shift, color in (("model", 0.2, _RIGHT), ("baseline", -0.2, _QUIET)):
        places = [k + shift for k in range(len(rows))]
        axes.barh(places, [100 * (row[name][key] or 0.0) for row in rows], 0.38, color=color, label=name)
    axes.set_yticks(range(len(rows)), [f"{row['category']} ({row['pairs']})" for row in rows])
    axes.set(xlim=(0, 100), xlabel=f"{key.replace('_', ' ')} (%)")
    axes.grid(axis="x", alpha=0.3)
    axes.legend(loc="lower right", fontsize=8)


def _calibration(axes: Axes, report: Report) -> None:
    """A reliability diagram: the share right in each bin of confidence, over the diagonal of perfect calibration."""
    found = report["calibration"]
    bins = [row for row in found["bins"] if row["answers"]]
    axes.plot([0, 1], [0, 1], linestyle="--", color=_QUIET, label="perfectly calibrated")
    width = 1 / len(found["bins"])
    middles = [row["low"] + width / 2 for row in bins]
    axes.bar(middles, [row["right"] for row in bins], 0.9 * width, color=_RIGHT, alpha=0.8, label="share right")
    for middle, row in zip(middles, bins, strict=True):
        axes.annotate(str(row["answers"]), (middle, row["right"]), ha="center", va="bottom", fontsize=7)
    error = found["expected_calibration_error"]
    axes.set(xlim=(0, 1), ylim=(0, 1.08), xlabel="confidence", ylabel="share right (number of answers above)")
    axes.set_title(f"expected calibration error {error:.3f}" if error is not None else "", fontsize=9)
    axes.legend(loc="upper left", fontsize=8)


def _lengths(axes: Axes, report: Report) -> None:
    """A stacked histogram of the lengths of right and wrong answers."""
    right, wrong = report["lengths"]["right"], report["lengths"]["wrong"]
    longest = max([*right, *wrong], default=1)
    axes.hist(
        [right, wrong], bins=30, range=(0, longest + 1), stacked=True, color=[_RIGHT, _WRONG], label=["right", "wrong"]
    )
    axes.set(xlabel="length of the answer (lexemes)", ylabel="answers")
    axes.legend(fontsize=8)
