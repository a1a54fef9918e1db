"""Figures are what the judged answers say, and what was not measured is no figure."""

from __future__ import annotations

import pytest

from wgsl_pipeline.evaluation.execution import DIFFERENT, EQUAL
from wgsl_pipeline.evaluation.measures import (
    IN_DOMAIN,
    NOT_ANSWERED,
    NOT_MEASURED,
    SAME_TEXT,
    Case,
    Judged,
    calibration,
    evenly,
    faults,
    lengths,
    refusals,
    table,
)

EXACT = Judged("sin(x)", 0.95, True, True, SAME_TEXT, 4)
SAME = Judged("0.0 + sin(x)", 0.75, False, True, EQUAL, 6)
WRONG = Judged("cos(x)", 0.85, False, True, DIFFERENT, 4)
SILENT = Judged(None, 0.05, False, None, NOT_ANSWERED, 0)
REFUSED = Judged(None, 0.9, True, None, NOT_ANSWERED, 0)


def case(model: Judged, wanted: str | None = "sin(x)", category: str = "math", loss: float | None = 2.0) -> Case:
    return Case("sine of x", category, wanted, model, WRONG, loss, 4)


def test_table() -> None:
    cases = [case(EXACT), case(SAME), case(WRONG), case(SILENT, category="other", loss=6.0), case(REFUSED, None)]
    math, other, overall = table(cases, compiled=True, ran=True)
    assert (math["category"], other["category"], overall["category"]) == ("math", "other", IN_DOMAIN)
    assert (math["pairs"], other["pairs"], overall["pairs"]) == (3, 1, 4)
    assert math["model"]["exact_match"] == pytest.approx(1 / 3)
    assert math["model"]["execution_match"] == pytest.approx(2 / 3)
    assert overall["model"]["valid"] == pytest.approx(3 / 4)
    assert overall["baseline"]["execution_match"] == 0.0
    assert overall["loss_per_token"] == pytest.approx(12.0 / 16)
    assert overall["model"]["outcomes"] == {SAME_TEXT: 1, EQUAL: 1, DIFFERENT: 1, NOT_ANSWERED: 1}


def test_what_was_not_measured_is_no_number() -> None:
    unknown = Judged("cos(x)", 0.5, False, None, NOT_MEASURED, 4)
    (row, _) = table([case(unknown, loss=None)], compiled=False, ran=False)
    assert row["model"]["valid"] is None
    assert row["model"]["execution_match"] is None
    assert row["loss_per_token"] is None
    assert row["model"]["exact_match"] == 0.0
    (row, _) = table([case(WRONG)], compiled=True, ran=False)
    assert (row["model"]["valid"], row["model"]["execution_match"]) == (1.0, None)


def test_refusals() -> None:
    cases = [case(REFUSED, None), case(REFUSED, None), case(WRONG, None), case(SILENT), case(EXACT)]
    found = refusals(cases, lambda one: one.model)
    assert (found["pairs"], found["refused"], found["rightly_refused"]) == (3, 3, 2)
    assert found["precision"] == pytest.approx(2 / 3)
    assert found["recall"] == pytest.approx(2 / 3)


def test_refusals_of_nothing_have_no_shares() -> None:
    found = refusals([case(EXACT)], lambda one: one.model)
    assert found["precision"] is None
    assert found["recall"] is None


def test_calibration() -> None:
    certain = Judged("sin(x)", 1.0, True, True, SAME_TEXT, 4)
    found = calibration([case(EXACT), case(certain), case(WRONG), case(SILENT)])
    top, next_to_it = found["bins"][9], found["bins"][8]
    assert (top["answers"], top["right"], top["confidence"]) == (2, 1.0, pytest.approx(0.975))
    assert (next_to_it["answers"], next_to_it["right"]) == (1, 0.0)
    assert found["bins"][5]["right"] is None
    # the bins' gaps weighted by their answers, 2 x 0.025 and 0.85; no answer is in no bin
    assert found["expected_calibration_error"] == pytest.approx((0.05 + 0.85) / 3)


def test_lengths_leave_out_what_has_none() -> None:
    assert lengths([case(EXACT), case(SAME), case(WRONG), case(SILENT)]) == {"right": [4, 6], "wrong": [4]}


def test_faults_are_counted_and_a_sample_shown() -> None:
    found = faults([case(EXACT), *[case(WRONG)] * 50, *[case(SILENT)] * 50, case(WRONG, None)])
    assert found["wrong"] == 101
    assert found["kinds"] == {"no answer": 50, "should have no answer": 1, "wrong function": 50}
    assert len(found["sample"]) == 40
    assert {row["fault"] for row in found["sample"]} >= {"no answer", "wrong function"}
    assert (found["sample"][0]["got"], found["sample"][0]["wanted"]) == ("cos(x)", "sin(x)")


def test_evenly() -> None:
    assert evenly(3, None) == evenly(3, 5) == [0, 1, 2]
    assert evenly(10, 5) == [0, 2, 4, 6, 8]
    assert len(set(evenly(7, 5))) == 5
