"""The fit finds the truth in made-up data, its figures are right, and the stage writes what the runtime reads."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from wgsl_infer import Generator
from wgsl_infer.confidence import FEATURES, Calibration
from wgsl_infer.validation import ValidatorUnavailable
from wgsl_pipeline.cli import pipeline
from wgsl_pipeline.config import Config, load_config
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.evaluation import judging
from wgsl_pipeline.evaluation.calibrate import Seen, auroc, calibrate, calibration_error, choose_threshold, figures, fit

FIXTURES = Path(__file__).parents[1] / "fixtures"


def no_device(*arguments: object) -> Any:
    raise ValidatorUnavailable("no adapter today")


def made(count: int, weights: list[float], bias: float) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(0)
    inputs = draw.normal(1.0, 2.0, (count, len(weights)))
    return inputs, draw.random(count) < 1 / (1 + np.exp(-(inputs @ weights + bias)))


def test_the_fit_finds_the_weights_that_made_the_data() -> None:
    inputs, right = made(20_000, [0.8, -0.5, 0.0], 0.3)
    weights, bias = fit(inputs, right)
    np.testing.assert_allclose([*weights, bias], [0.8, -0.5, 0.0, 0.3], atol=0.08)


def test_a_feature_that_never_changes_weighs_nothing_and_separable_data_do_not_run_away() -> None:
    inputs = np.column_stack([np.full(40, 3.0), np.arange(40.0)])
    weights, bias = fit(inputs, np.arange(40) >= 20)
    assert weights[0] == 0.0
    assert 0.0 < weights[1] < 5.0 and np.isfinite(bias)


def test_the_calibration_error_is_the_gap_weighted_by_the_bins() -> None:
    confidence = np.array([0.95, 0.95, 0.15, 0.15])
    assert calibration_error(confidence, np.array([True, True, False, False])) == pytest.approx(0.1)
    assert calibration_error(confidence, np.array([False, False, False, False])) == pytest.approx(0.55)
    assert calibration_error(np.zeros(0), np.zeros(0, dtype=np.bool_)) is None


def test_the_area_under_the_curve_counts_pairs_in_order() -> None:
    assert auroc(np.array([0.9, 0.8]), np.array([0.1, 0.2])) == 1.0
    assert auroc(np.array([0.5]), np.array([0.5])) == 0.5
    assert auroc(np.array([0.9, 0.1]), np.array([0.5])) == 0.5
    assert auroc(np.zeros(0), np.array([0.5])) is None


def seen(confidence: np.ndarray, right: np.ndarray, inside: np.ndarray) -> Seen:
    return Seen(np.zeros((len(right), len(FEATURES))), confidence > 0, right, inside)


def test_the_threshold_refuses_at_most_one_in_twenty_and_nothing_rather_right_than_wrong() -> None:
    inside = np.ones(100, dtype=np.bool_)
    sure = np.linspace(0.5, 1.0, 100)
    assert choose_threshold(sure, seen(sure, inside, inside)) == 0.1
    unsure = np.linspace(0.001, 1.0, 100)
    threshold = choose_threshold(unsure, seen(unsure, inside, inside))
    assert (unsure < threshold).sum() == 5


def test_figures_tell_what_is_refused_inside_and_outside() -> None:
    confidence = np.array([0.9, 0.8, 0.1, 0.0, 0.05, 0.9])
    right = np.array([True, True, False, False, False, False])
    inside = np.array([True, True, True, False, False, False])
    found = figures(confidence, seen(confidence, right, inside), 0.2)
    assert found["auroc_right_from_outside"] == pytest.approx(4.5 / 6)
    assert (found["inside_refused"], found["outside_refused"]) == (pytest.approx(1 / 3), pytest.approx(2 / 3))
    assert (found["inside_right_before"], found["inside_right"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))


# ---------------------------------------------------------------- the stage


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """A run that has a bundle and no corpus."""
    found = load_config(FIXTURES / "bundle.toml", [f'output.dir="{tmp_path / "run"}"'])
    shutil.copytree(FIXTURES / "bundle", found.bundle_folder)
    return found


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """The corpus that the bundle knows by heart, every fourth pair with an answer that it does not give."""
    blocks = re.split(r"(?m)^(?=\[\[examples\]\])", (FIXTURES / "corpus.toml").read_text(encoding="utf-8"))
    for k in range(1, len(blocks), 4):
        blocks[k] = re.sub(r"(?s)wgsl_code = .*", 'wgsl_code = "other + 1.0"\n', blocks[k])
    (tmp_path / "held_out.toml").write_text("".join(blocks), encoding="utf-8")
    return tmp_path / "held_out.toml"


def test_the_stage_writes_what_the_runtime_reads(config: Config, pairs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", no_device)
    before = json.loads((config.bundle_folder / "manifest.json").read_text(encoding="utf-8"))
    result = CliRunner().invoke(
        pipeline, ["calibrate", "--config", str(config.path), "--set", f"output.dir={config.folder}", str(pairs)]
    )
    assert result.exit_code == 0, result.output
    manifest = json.loads((config.bundle_folder / "manifest.json").read_text(encoding="utf-8"))
    row = manifest.pop("calibration")
    assert manifest == before
    assert set(row["weights"]) == set(FEATURES)
    assert "expected calibration error" in result.output
    generate = Generator(config.bundle_folder)
    assert generate.settings().min_confidence == row["threshold"]
    answer = generate("normalize a vector", min_confidence=0.0)
    assert answer.confidence == pytest.approx(Calibration.read(row).probability(answer.evidence))
    assert 0.4 < answer.confidence < 0.99  # three in four are right


def test_answers_that_are_all_right_teach_nothing(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(judging, "Executor", no_device)
    before = (config.bundle_folder / "manifest.json").read_bytes()
    with pytest.raises(ArtefactError, match="too few or too alike to fit"):
        calibrate(config, [FIXTURES / "corpus.toml"])
    assert (config.bundle_folder / "manifest.json").read_bytes() == before


def test_without_a_bundle_the_stage_says_what_to_run(tmp_path: Path) -> None:
    config = load_config(FIXTURES / "bundle.toml", [f'output.dir="{tmp_path}"'])
    with pytest.raises(ArtefactError, match="no bundle: run `pipeline export`"):
        calibrate(config, [])
