"""A calibrated bundle tells how probably an answer is right, and withholds what is too probably wrong."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wgsl_infer import BundleError, Generator, UsageError
from wgsl_infer.confidence import FEATURES, Calibration, evidence
from wgsl_infer.search import Hypothesis

KNOWN = "normalize a vector"


def calibrated(source: Path, target: Path, bias: float = 0.0, threshold: float = 0.0, **weights: float) -> Path:
    """A copy of a bundle with a calibration of these weights, 0 where none is given."""
    shutil.copytree(source, target)
    path = target / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    row = {"weights": dict.fromkeys(FEATURES, 0.0) | weights, "bias": bias, "threshold": threshold}
    path.write_text(json.dumps(manifest | {"calibration": row}), encoding="utf-8")
    return target


def test_the_evidence_is_what_the_search_saw_within_bounds() -> None:
    found = dict(zip(FEATURES, evidence(Hypothesis((7, 8, 9), -2.0, -1.0, True, 1.5, -3.0), 2), strict=True))
    assert found == {
        "log_probability": -2.0,
        "per_token": -0.5,
        "length": pytest.approx(math.log(4)),
        "margin": pytest.approx(math.log(2.5)),
        "refusal": -3.0,
        "names": 2.0,
    }
    assert all(map(math.isfinite, evidence(Hypothesis((), -math.inf, 0.0, True), 0)))


def test_the_probability_is_that_of_a_logistic_regression() -> None:
    calibration = Calibration((1.0, 0.0, 0.0, 0.0, 0.0, 2.0), -1.0, 0.0)
    assert calibration.probability((3.0, 9.0, 9.0, 9.0, 9.0, -0.5)) == pytest.approx(1 / (1 + math.exp(-1.0)))
    assert calibration.probability((1e9, 0.0, 0.0, 0.0, 0.0, 0.0)) == pytest.approx(1.0)


def test_a_calibrated_bundle_gives_the_probability(bundle_folder: Path, tmp_path: Path) -> None:
    generate = Generator(calibrated(bundle_folder, tmp_path / "b", bias=0.3, log_probability=0.5))
    answer = generate(KNOWN)
    total = dict(zip(FEATURES, answer.evidence, strict=True))["log_probability"]
    assert answer.code == "normalize(v)"
    assert answer.confidence == pytest.approx(1 / (1 + math.exp(-0.3 - 0.5 * total)))
    assert "evidence" not in answer.to_json()


def test_what_is_below_the_threshold_is_withheld_and_said_to_be_closest(bundle_folder: Path, tmp_path: Path) -> None:
    generate = Generator(calibrated(bundle_folder, tmp_path / "b", bias=-1.0, threshold=0.4))
    answer = generate(KNOWN)
    assert (answer.code, answer.closest) == (None, "normalize(v)")
    assert answer.reason == "too probably wrong (confidence 0.27, 0.40 asked)"
    assert answer.to_json()["closest"] == "normalize(v)"
    assert generate(KNOWN, min_confidence=0.2).code == "normalize(v)"
    assert generate("what should I cook tonight", min_confidence=0.0).closest is None


def test_what_cannot_compile_is_withheld_and_no_alternative(
    bundle_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = "red at 40% alpha"
    generate = Generator(calibrated(bundle_folder, tmp_path / "b", bias=5.0, threshold=0.1))
    best, *others = generate(prompt, beam=4, n_best=4).codes
    assert best == "vec4<f32>(1.0, 0.0, 0.0, 0.4)" and others
    monkeypatch.setattr("wgsl_infer.plausibility.Candidate.fault", "there is no function `n`")
    monkeypatch.setattr("wgsl_infer.plausibility.NO_SENSE", 0.0)
    answer = generate(prompt, beam=4, n_best=4)
    assert (answer.code, answer.confidence, answer.alternatives) == (None, 0.0, [])
    assert answer.reason == "it would not compile: there is no function `n`"
    assert answer.closest == best
    assert generate(prompt, min_confidence=0.0).code == best


def test_without_a_calibration_nothing_is_withheld(generator: Generator) -> None:
    answer = generator(KNOWN)
    assert generator.settings().min_confidence == 0.0
    assert answer.confidence == pytest.approx(math.exp(answer.evidence[0]))
    assert "closest" not in answer.to_json()


@pytest.mark.parametrize("asked", [-0.1, 1.1, math.nan])
def test_a_confidence_that_is_no_share_is_a_wrong_argument(generator: Generator, asked: float) -> None:
    with pytest.raises(UsageError, match="between 0 and 1"):
        generator(KNOWN, min_confidence=asked)


def spoil_weights(row: dict[str, Any]) -> None:
    del row["weights"]["margin"]


def spoil_bias(row: dict[str, Any]) -> None:
    row["bias"] = "much"


def spoil_threshold(row: dict[str, Any]) -> None:
    row["threshold"] = 1.5


@pytest.mark.parametrize("spoil", [spoil_weights, spoil_bias, spoil_threshold])
def test_a_damaged_calibration_is_refused(
    bundle_folder: Path, tmp_path: Path, spoil: Callable[[dict[str, Any]], None]
) -> None:
    folder = calibrated(bundle_folder, tmp_path / "b")
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    spoil(manifest["calibration"])
    path.write_text(json.dumps(manifest), encoding="utf-8")
    with pytest.raises(BundleError, match=r"manifest\.json: damaged calibration"):
        Generator(folder)


def test_the_command_withholds_and_says_what_is_closest(run: Any, bundle_folder: Path, tmp_path: Path) -> None:
    folder = str(calibrated(bundle_folder, tmp_path / "b", bias=-1.0, threshold=0.4))
    said = "wgsl-infer: no answer: too probably wrong (confidence 0.27, 0.40 asked); closest: normalize(v)\n"
    assert run("--model", folder, KNOWN) == (3, "", said)
    assert run("--model", folder, "--min-confidence", "0", KNOWN) == (0, "normalize(v)\n", "")
    status, out, _ = run("--model", folder, "--json", KNOWN)
    assert (status, json.loads(out)["closest"]) == (3, "normalize(v)")
    assert run("--min-confidence", "2", KNOWN)[0] == 2
