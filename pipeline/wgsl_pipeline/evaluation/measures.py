"""From judged answers to figures: the table, refusals, calibration, lengths and a sample of what went wrong.

A figure that was not measured is None, never a number.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .comparison import FAULTS, fault
from .execution import DIFFERENT, EQUAL, HUNG, NOT_RUN, NOT_VALID

BINS = 10  # of confidence
SAMPLE = 40  # wrong answers shown
SAME_TEXT, NOT_ANSWERED, NOT_MEASURED = "same text", "no answer", "not measured"
OUTCOMES = (SAME_TEXT, EQUAL, DIFFERENT, NOT_VALID, NOT_RUN, HUNG, NOT_ANSWERED, NOT_MEASURED)
IN_DOMAIN = "all in domain"


@dataclass(frozen=True)
class Judged:
    """One answer and what is known of it.

    Attributes:
        code: None is no answer.
        confidence: 0 to 1; for the baseline the similarity of the prompt.
        exact: whether it is the reference under one spelling, or rightly absent.
        valid: whether it compiles; None where that was not measured, or there is nothing to compile.
        outcome: how it was judged, one of OUTCOMES.
        lexemes: its length.
    """

    code: str | None
    confidence: float
    exact: bool
    valid: bool | None
    outcome: str
    lexemes: int

    @property
    def right(self) -> bool:
        """Whether it is worth as much as the reference, as far as that was measured."""
        return self.exact or self.outcome == EQUAL


@dataclass(frozen=True)
class Case:
    """One pair of the corpus; `wanted` None means that the prompt has no right answer.

    `loss` is in nats, over `tokens` target tokens; None where there is no checkpoint.
    """

    prompt: str
    category: str
    wanted: str | None
    model: Judged
    baseline: Judged
    loss: float | None
    tokens: int


Pick = Callable[[Case], Judged]


def share(count: float, total: int) -> float | None:
    """A share; None of nothing."""
    return count / total if total else None


def table(cases: Sequence[Case], *, compiled: bool, ran: bool) -> list[dict[str, Any]]:
    """A row of figures for each category and one for all prompts in the domain.

    Args:
        compiled, ran: whether answers were compiled, and run.
    """
    known = [case for case in cases if case.wanted is not None]
    names = sorted({case.category for case in known})
    groups = {name: [case for case in known if case.category == name] for name in names} | {IN_DOMAIN: known}
    return [
        {
            "category": name,
            "pairs": len(group),
            "loss_per_token": _loss_per_token(group),
            "model": _figures([case.model for case in group], compiled, ran),
            "baseline": _figures([case.baseline for case in group], compiled, ran),
        }
        for name, group in groups.items()
    ]


def _loss_per_token(cases: Iterable[Case]) -> float | None:
    rows = [(case.loss, case.tokens) for case in cases]
    losses = [loss for loss, _ in rows if loss is not None]
    tokens = sum(count for _, count in rows)
    return sum(losses) / tokens if len(losses) == len(rows) and tokens else None


def _figures(answers: Sequence[Judged], compiled: bool, ran: bool) -> dict[str, Any]:
    total = len(answers)
    return {
        "exact_match": share(sum(a.exact for a in answers), total),
        "valid": share(sum(a.valid is True for a in answers), total) if compiled else None,
        "execution_match": share(sum(a.right for a in answers), total) if ran else None,
        "outcomes": {name: n for name in OUTCOMES if (n := sum(a.outcome == name for a in answers))},
    }


def refusals(cases: Sequence[Case], pick: Pick) -> dict[str, Any]:
    """Prompts outside the domain: precision and recall of having no answer."""
    refused = [case for case in cases if pick(case).code is None]
    outside = [case for case in cases if case.wanted is None]
    rightly = sum(case.wanted is None for case in refused)
    return {
        "pairs": len(outside),
        "refused": len(refused),
        "rightly_refused": rightly,
        "precision": share(rightly, len(refused)),
        "recall": share(rightly, len(outside)),
    }


def calibration(cases: Sequence[Case]) -> dict[str, Any]:
    """Confidence of the answers given against the share right, in bins, and the expected calibration error.

    See Guo et al. (2017), "On Calibration of Modern Neural Networks".
    """
    given = [case.model for case in cases if case.model.code is not None]
    bins: list[list[Judged]] = [[] for _ in range(BINS)]
    for answer in given:
        bins[min(BINS - 1, int(answer.confidence * BINS))].append(answer)
    rows = [
        {
            "low": k / BINS,
            "high": (k + 1) / BINS,
            "answers": len(answers),
            "confidence": share(sum(a.confidence for a in answers), len(answers)),
            "right": share(sum(a.right for a in answers), len(answers)),
        }
        for k, answers in enumerate(bins)
    ]
    error = sum(abs(sum(a.confidence for a in answers) - sum(a.right for a in answers)) for answers in bins)
    return {"bins": rows, "expected_calibration_error": share(error, len(given))}


def lengths(cases: Sequence[Case]) -> dict[str, list[int]]:
    """The lengths in lexemes of the model's right and wrong answers; no answer has none."""
    given = [case.model for case in cases if case.model.code is not None]
    return {
        "right": sorted(a.lexemes for a in given if a.right),
        "wrong": sorted(a.lexemes for a in given if not a.right),
    }


def faults(cases: Sequence[Case]) -> dict[str, Any]:
    """How often each kind of fault comes, and a sample of wrong answers, evenly spread over them."""
    wrong = [case for case in cases if not case.model.right]
    kinds = [fault(case.wanted, case.model.code, case.model.valid) for case in wrong]
    counts = Counter(kinds)
    chosen = evenly(len(wrong), SAMPLE)
    sample = [
        {
            "prompt": wrong[k].prompt,
            "category": wrong[k].category,
            "got": wrong[k].model.code,
            "wanted": wrong[k].wanted,
            "fault": kinds[k],
            "outcome": wrong[k].model.outcome,
            "confidence": round(wrong[k].model.confidence, 4),
        }
        for k in chosen
    ]
    return {"wrong": len(wrong), "kinds": {kind: counts[kind] for kind in FAULTS if counts[kind]}, "sample": sample}


def evenly(count: int, limit: int | None) -> list[int]:
    """At most `limit` of the numbers below `count`, evenly spread."""
    if limit is None or limit >= count:
        return list(range(count))
    return [k * count // limit for k in range(limit)]
