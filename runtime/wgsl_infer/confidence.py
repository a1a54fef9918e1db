"""How probable it is that an answer is right: what the search saw, weighed by a logistic regression.

`pipeline calibrate` fits it on held-out prompts (Platt 1999, with more than one input); a bundle without one gives
confidences that are not calibrated.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .search import Hypothesis

# of the answer: its log-probability, that of a token on average, its length, how far every token stands above the next
# best at the least, how probable it was that there is none; and how many names the prompt gives
FEATURES = ("log_probability", "per_token", "length", "margin", "refusal", "names")
_LOWEST, _HIGHEST = -20.0, 20.0  # what lies beyond says no more


def evidence(hypothesis: Hypothesis, names: int) -> tuple[float, ...]:
    """The values of FEATURES for one answer to a prompt with so many names."""
    length = len(hypothesis.ids) + 1
    values = (
        hypothesis.log_probability,
        hypothesis.log_probability / length,
        math.log(length),
        math.log1p(min(max(hypothesis.margin, 0.0), _HIGHEST)),
        hypothesis.refusal,
        float(names),
    )
    return tuple(min(max(value, _LOWEST), _HIGHEST) for value in values)


@dataclass(frozen=True)
class Calibration:
    """A fitted regression.

    Attributes:
        weights: of FEATURES.
        bias: added to the weighted sum.
        threshold: below this probability an answer is withheld unless told otherwise.
    """

    weights: tuple[float, ...]
    bias: float
    threshold: float

    @classmethod
    def read(cls, row: Mapping[str, Any]) -> Calibration:
        """From a manifest.

        Raises:
            LookupError, TypeError, ValueError: it does not hold what it should.
        """
        weights = tuple(float(row["weights"][name]) for name in FEATURES)
        found = cls(weights, float(row["bias"]), float(row["threshold"]))
        if not all(map(math.isfinite, (*weights, found.bias))) or not 0.0 <= found.threshold <= 1.0:
            raise ValueError("a calibration of numbers that make no sense")
        return found

    def probability(self, values: Sequence[float]) -> float:
        """The probability that the answer with this evidence is right."""
        logit = self.bias + sum(weight * value for weight, value in zip(self.weights, values, strict=True))
        return 1.0 / (1.0 + math.exp(-min(max(logit, -40.0), 40.0)))
