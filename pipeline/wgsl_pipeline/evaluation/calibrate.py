"""The calibrate stage: from what the search saw to the probability that an answer is right, fitted on held-out prompts.

Legend: N answers, F features.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from wgsl_infer import Generator
from wgsl_infer.bundle import MANIFEST
from wgsl_infer.confidence import FEATURES, Calibration
from wgsl_infer.tokens import UNSUPPORTED

from ..config import Config
from ..corpus import corpus_files, read_examples
from ..dataset import Corpus
from ..errors import ArtefactError
from ..files import write_json
from .judging import Judge, open_executor

FOLDS = 5
BINS = 10
LARGEST_SHARE = 0.05  # of the prompts in the domain, that the threshold may refuse
HIGHEST = 0.1  # nor does it refuse what is right once in ten times
_RIDGE = 1.0  # strength of the regularisation, of features in units of their standard deviation

Array = NDArray[np.float64]
Say = Callable[[str], object]


@dataclass(frozen=True)
class Seen:
    """What is known of held-out prompts, N of them.

    Attributes:
        evidence: of the answers, [N, F]; of no meaning where there is none.
        answered: whether there is an answer, [N].
        right: whether it is right, [N].
        inside: whether the prompt has a right answer, [N].
    """

    evidence: Array
    answered: NDArray[np.bool_]
    right: NDArray[np.bool_]
    inside: NDArray[np.bool_]


def calibrate(config: Config, sources: Sequence[Path], say: Say = lambda line: None) -> dict[str, Any]:
    """Fit the confidence of the run's bundle and write it into the bundle's manifest; returns what was written.

    Args:
        sources: TOML files or folders of pairs that the model did not train on; empty means the validation and the test
            part of its corpus.

    Raises:
        ArtefactError: there is no bundle, or the pairs are too few or all alike.
        CorpusError: a file cannot be read.
    """
    folder = config.bundle_folder
    if not (folder / MANIFEST).is_file():
        raise ArtefactError(f"{folder}: no bundle: run `pipeline export`")
    generator = Generator(folder)
    pairs = _pairs(config, sources)
    seen = _see(generator, pairs, say)
    given = seen.answered
    if given.sum() < 2 * FOLDS or len(set(seen.right[given])) < 2:
        raise ArtefactError(f"{len(pairs)} pairs, {int(seen.right.sum())} answers right: too few or too alike to fit")
    crossed = _crossed(seen)
    weights, bias = fit(seen.evidence[given], seen.right[given])
    threshold = choose_threshold(crossed, seen)
    calibration = Calibration(tuple(weights.tolist()), bias, threshold)
    crossed_figures = figures(crossed, seen, threshold)
    row: dict[str, Any] = {
        "weights": dict(zip(FEATURES, calibration.weights, strict=True)),
        "bias": bias,
        "threshold": threshold,
        "prompts": len(pairs),
        "answers": int(given.sum()),
        "cross_validated": crossed_figures,
    }
    write_json(folder / MANIFEST, generator.bundle.manifest | {"calibration": row})
    say(f"Calibrated on {len(pairs)} prompts; {FOLDS}-fold cross-validated:")
    for name, value in crossed_figures.items():
        say(f"  {name.replace('_', ' ')}: {value:.3f}" if value is not None else f"  {name}: not measured")
    say(f"  threshold: {threshold:.3f}")
    return row


def _pairs(config: Config, sources: Sequence[Path]) -> list[tuple[str, str | None]]:
    if sources:
        files = [file for source in sources for file in corpus_files(source)]
        found = [(example.prompt, example.code) for file in files for example in read_examples(file)]
    else:
        corpus = Corpus.open(config.data_folder)
        found = [(row["prompt"], row["code"]) for part in ("val", "test") for row in corpus.texts(part)]
    return [(prompt, None if code.strip() == UNSUPPORTED else code) for prompt, code in found]


def _see(generator: Generator, pairs: Sequence[tuple[str, str | None]], say: Say) -> Seen:
    """Answer the prompts one by one, as a user does, and judge the answers."""
    empty = (0.0,) * len(FEATURES)
    rows = []
    with ExitStack() as stack:
        executor, means = open_executor(stack, generator.tokenizer)
        say(f"Answers are compiled and run on: {means.device}")
        judge = Judge(generator.tokenizer, executor)
        for prompt, wanted in pairs:
            answer = generator(prompt, min_confidence=0.0)
            is_right = wanted is not None and judge(wanted, answer.code, answer.confidence).right
            rows.append((answer.evidence or empty, answer.code is not None, is_right, wanted is not None))
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return Seen(columns[0].astype(np.float64), *(column.astype(np.bool_) for column in columns[1:]))


def fit(evidence: Array, right: NDArray[np.bool_]) -> tuple[Array, float]:
    """Weights [F] and bias of a logistic regression with a ridge penalty, by Newton's method.

    Args:
        evidence: [N, F].
        right: [N].
    """
    mean, deviation = evidence.mean(axis=0), evidence.std(axis=0)
    deviation[deviation == 0.0] = 1.0
    inputs = np.column_stack([np.ones(len(evidence)), (evidence - mean) / deviation])
    penalty = np.diag([0.0, *[_RIDGE] * evidence.shape[1]])
    found = np.zeros(inputs.shape[1])
    for _ in range(30):
        probabilities = 1.0 / (1.0 + np.exp(-np.clip(inputs @ found, -40.0, 40.0)))
        slope = inputs.T @ (right - probabilities) - penalty @ found
        curvature = (inputs.T * (probabilities * (1.0 - probabilities))) @ inputs + penalty
        curvature[0, 0] += 1e-9
        found = found + np.linalg.solve(curvature, slope)
    weights = found[1:] / deviation
    return weights, float(found[0] - weights @ mean)


def _crossed(seen: Seen) -> Array:
    """The confidence in each answer by a fit that has not seen it; 0 where there is no answer. [N]"""
    folds = np.random.default_rng(0).permutation(len(seen.right)) % FOLDS
    found = np.zeros(len(seen.right))
    for fold in range(FOLDS):
        train, test = seen.answered & (folds != fold), seen.answered & (folds == fold)
        weights, bias = fit(seen.evidence[train], seen.right[train])
        calibration = Calibration(tuple(weights.tolist()), bias, 0.0)
        found[test] = [calibration.probability(row) for row in seen.evidence[test]]
    return found


def choose_threshold(confidence: Array, seen: Seen) -> float:
    """The highest threshold that refuses at most LARGEST_SHARE of the prompts in the domain, up to HIGHEST."""
    inside = np.sort(confidence[seen.inside])
    if not len(inside):
        return 0.0
    return float(min(HIGHEST, inside[int(LARGEST_SHARE * len(inside))]))


def figures(confidence: Array, seen: Seen, threshold: float) -> dict[str, float | None]:
    """How well confidences do: calibration error, two areas under ROC curves, and what the threshold refuses."""
    given, inside, outside = seen.answered, seen.inside, ~seen.inside
    covering = float(np.sort(confidence[inside])[int(0.05 * inside.sum())]) if inside.any() else 0.0
    refused = (confidence < threshold) | ~given
    return {
        "expected_calibration_error": calibration_error(confidence[given], seen.right[given]),
        "expected_calibration_error_inside": calibration_error(confidence[given & inside], seen.right[given & inside]),
        "auroc_right_from_outside": auroc(confidence[seen.right], confidence[outside]),
        "auroc_right_from_wrong": auroc(confidence[seen.right], confidence[inside & ~seen.right]),
        "outside_answered_at_95_percent_coverage": _share((confidence >= covering) & given, outside),
        "inside_refused": _share(refused, inside),
        "inside_right_before": _share(seen.right, inside),
        "inside_right": _share(seen.right & ~refused, inside),
        "outside_refused": _share(refused, outside),
    }


def calibration_error(confidence: Array, right: NDArray[np.bool_]) -> float | None:
    """The expected calibration error over BINS bins of equal width (Guo et al. 2017)."""
    if not len(right):
        return None
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gaps = [abs(float((confidence[bins == k] - right[bins == k]).sum())) for k in range(BINS)]
    return sum(gaps) / len(right)


def auroc(higher: Array, lower: Array) -> float | None:
    """How probably one of `higher` lies above one of `lower`, ties counted half."""
    if not len(higher) or not len(lower):
        return None
    above = (higher[:, None] > lower[None]).mean()
    return float(above + 0.5 * (higher[:, None] == lower[None]).mean())


def _share(what: NDArray[np.bool_], of: NDArray[np.bool_]) -> float | None:
    return float(what[of].mean()) if of.any() else None
