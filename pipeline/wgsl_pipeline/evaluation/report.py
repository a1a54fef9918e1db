"""The report of an evaluation, as lines for the terminal and as one HTML page that needs no other file."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any

from .execution import NOT_RUN
from .measures import NOT_MEASURED, OUTCOMES

Report = dict[str, Any]

_HEADINGS = ("category", "pairs", "loss/token", "exact", "valid", "execution", "not run")
_BASELINE_HEADINGS = ("exact", "valid", "execution")
_LEGEND = (
    ("loss/token", "cross-entropy of the right answer's tokens under teacher forcing, in nats; float32, from PyTorch."),
    (
        "exact",
        "the reference's lexemes; layout, comments, the spelling of numbers, short type names, trailing commas and a"
        " final semicolon do not count.",
    ),
    ("valid", "compiles with naga, with free names declared as their use suggests; no answer is not valid."),
    (
        "execution",
        "exact, or run beside the reference with equal results: expressions and functions on 64 random inputs, fragment"
        " shaders as pictures of 32 x 32 pixels, within 1e-3 absolute plus 1e-3 relative.",
    ),
    (
        "not run",
        "answers that compile and differ from a reference which cannot be run; they count as wrong, some may be right.",
    ),
    (
        "baseline",
        "the code of the training prompt nearest in TF-IDF, its slots refilled from the prompt; a training pair does"
        " not find itself.",
    ),
)


def render_text(report: Report) -> Iterator[str]:
    """The tables, for a terminal."""
    rows: list[Sequence[str]] = [("", "", "", "", "", "", "", "baseline", "", ""), (*_HEADINGS, *_BASELINE_HEADINGS)]
    rows += [_cells(row) for row in report["table"]]
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    for row in rows:
        first, *others = row
        yield "  ".join([f"{first:{widths[0]}}", *(f"{c:>{w}}" for c, w in zip(others, widths[1:], strict=True))])
    for name, row in report["unsupported"].items():
        yield f"unsupported prompts, {name}: {_refusals(row)}"
    error = report["calibration"]["expected_calibration_error"]
    yield f"expected calibration error {error:.3f}; compiled and run on: {report['made']['device']}"
    yield f"wrong answers: {report['faults']['wrong']} {_counts(report['faults']['kinds'])}".rstrip()


def _cells(row: Report) -> list[str]:
    """One row of the table as text, the category first."""
    model, baseline = row["model"], row["baseline"]
    loss = row["loss_per_token"]
    return [
        row["category"],
        str(row["pairs"]),
        NOT_MEASURED if loss is None else f"{loss:.4f}",
        *(_percent(model[key]) for key in ("exact_match", "valid", "execution_match")),
        NOT_MEASURED if model["execution_match"] is None else str(model["outcomes"].get(NOT_RUN, 0)),
        *(_percent(baseline[key]) for key in ("exact_match", "valid", "execution_match")),
    ]


def _percent(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1%}"


def _refusals(row: Report) -> str:
    if not row["pairs"] and not row["refused"]:
        return "none in these parts"
    precision = "none refused" if row["precision"] is None else f"precision {row['precision']:.1%}"
    recall = "none to refuse" if row["recall"] is None else f"recall {row['recall']:.1%}"
    return f"{row['rightly_refused']} of {row['pairs']} refused, {row['refused']} in all; {precision}, {recall}"


def _counts(kinds: dict[str, int]) -> str:
    return f"({', '.join(f'{kind} {count}' for kind, count in kinds.items())})" if kinds else ""


# ---------------------------------------------------------------- HTML

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; color: #202124; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; }
table { border-collapse: collapse; } td, th { padding: .25rem .7rem; border-bottom: 1px solid #dadce0; }
th { text-align: left; } .numbers td:not(:first-child), .numbers th:not(:first-child) { text-align: right; }
.numbers tr:last-child td { font-weight: 600; } .baseline { color: #5f6368; }
img { max-width: 100%; } pre { margin: 0; white-space: pre-wrap; font-size: 12px; } dt { font-weight: 600; }
.made td { font-size: 13px; word-break: break-all; } .fault { white-space: nowrap; }
"""


def render_html(report: Report) -> str:
    """The page, pictures included."""
    from .figures import draw_all

    made = report["made"]
    title = escape(f"Evaluation of {made['task'] or made['bundle']}")
    parts = [
        f"<h1>{title}</h1>",
        _facts(made),
        "<h2>How often it is right</h2>",
        _main_table(report),
        f"<dl>{''.join(f'<dt>{name}</dt><dd>{escape(text)}</dd>' for name, text in _LEGEND)}</dl>",
        "<h2>Prompts without an answer</h2>",
        *(f"<p>{name}: {_refusals(row)}</p>" for name, row in report["unsupported"].items()),
        "<h2>How answers were judged</h2>",
        _outcomes(report),
    ]
    for heading, picture in draw_all(report).items():
        data = base64.b64encode(picture).decode()
        parts += [f"<h2>{heading}</h2>", f'<img alt="{heading}" src="data:image/png;base64,{data}">']
    found = report["faults"]
    parts += [
        f"<h2>Wrong answers</h2><p>{found['wrong']} {escape(_counts(found['kinds']))}</p>",
        _sample(found["sample"]),
    ]
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _facts(made: Report) -> str:
    rows = [(key, " and ".join(value) if isinstance(value, list) else str(value)) for key, value in made.items()]
    return f'<table class="made">{"".join(f"<tr><th>{k}</th><td>{escape(v)}</td></tr>" for k, v in rows)}</table>'


def _main_table(report: Report) -> str:
    head = "".join(f"<th>{name}</th>" for name in _HEADINGS)
    head += "".join(f'<th class="baseline">baseline<br>{name}</th>' for name in _BASELINE_HEADINGS)
    rows = [_cells(row) for row in report["table"]]
    own = len(_HEADINGS)
    body = "".join(
        f"<tr>{_tds(row[:own])}{''.join(f'<td class=baseline>{escape(c)}</td>' for c in row[own:])}</tr>"
        for row in rows
    )
    return f'<table class="numbers"><tr>{head}</tr>{body}</table>'


def _tds(cells: Sequence[str]) -> str:
    return "".join(f"<td>{escape(cell)}</td>" for cell in cells)


def _outcomes(report: Report) -> str:
    """How many answers to prompts in the domain were judged in which way."""
    overall = report["table"][-1]
    rows = []
    for name in OUTCOMES:
        counts = [overall[who]["outcomes"].get(name, 0) for who in ("model", "baseline")]
        if any(counts):
            rows.append(f"<tr>{_tds([name, *map(str, counts)])}</tr>")
    return f'<table><tr><th>outcome</th><th>model</th><th class="baseline">baseline</th></tr>{"".join(rows)}</table>'


def _sample(rows: Sequence[Report]) -> str:
    body = "".join(
        f'<tr><td class="fault">{escape(row["fault"])}</td><td>{escape(row["prompt"])}</td>'
        f"<td>{_code(row['got'])}</td><td>{_code(row['wanted'])}</td><td>{row['confidence']:.2f}</td></tr>"
        for row in rows
    )
    head = "<tr><th>fault</th><th>prompt</th><th>got</th><th>wanted</th><th>confidence</th></tr>"
    return f"<table>{head}{body}</table>"


def _code(code: str | None) -> str:
    return "no answer" if code is None else f"<pre>{escape(code)}</pre>"
