"""What is asked of the model besides the prompt, and what it says."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from .errors import UsageError


@dataclass(frozen=True)
class Alternative:
    """A further answer to the same prompt, with its own score and confidence."""

    code: str
    score: float
    confidence: float


@dataclass(frozen=True)
class Answer:
    """What the model says to one prompt.

    Attributes:
        prompt: the line as given.
        code: the answer, or None where there is none; `reason` then says why.
        score: log-probability of the answer over its length penalty (see `search.length_penalty`).
        confidence: probability that the code is right, 0 to 1, if the bundle is calibrated; else the probability with
            which the model gives the whole answer. 0 for code that cannot compile, in a calibrated bundle.
        alternatives: the next best distinct answers, best first.
        ms: milliseconds, this prompt's share of the batch it was decoded in.
        reason: why there is no code; empty otherwise.
        closest: the code that was withheld because it cannot compile or is too probably wrong; None where none was.
        evidence: what the confidence was made of (see `confidence.FEATURES`); empty where there was nothing to weigh.
    """

    prompt: str
    code: str | None
    score: float | None
    confidence: float
    alternatives: list[Alternative] = field(default_factory=list)
    ms: float = 0.0
    reason: str = ""
    closest: str | None = None
    evidence: tuple[float, ...] = field(default=(), repr=False)

    @property
    def codes(self) -> list[str]:
        """The answer, if there is one, and the alternatives, best first."""
        return [*([] if self.code is None else [self.code]), *(other.code for other in self.alternatives)]

    def to_json(self) -> dict[str, Any]:
        """The fields as JSON values without the evidence; `reason` and `closest` only where there is no code."""
        row = asdict(self)
        del row["evidence"]
        if self.code is not None:
            del row["reason"], row["closest"]
        return row


@dataclass(frozen=True)
class GenerationSettings:
    """How to search for answers. The defaults come from the bundle."""

    beam: int  # hypotheses kept after each step, 1 or more; 1 is greedy
    n_best: int  # distinct answers wanted for each prompt, 1 to `beam`
    max_tokens: int  # most tokens of an answer, 1 or more
    length_penalty: float  # exponent of the length normalisation, 0 or more; 0 switches it off
    style: str  # "full" spells vec3<f32>, "short" vec3f
    second_look: int = 0  # hypotheses kept when the best WGSL answer is doubtful; 0: never
    min_confidence: float = 0.0  # an answer with less is withheld, 0 to 1

    def __post_init__(self) -> None:
        if self.beam < 1 or self.max_tokens < 1 or min(self.length_penalty, self.second_look) < 0:
            raise UsageError(
                "the beam and the number of tokens are at least 1, length penalty and second look at least 0"
            )
        if not 1 <= self.n_best <= self.beam:
            raise UsageError(f"{self.n_best} answers need a beam at least as wide, not {self.beam}")
        if not 0.0 <= self.min_confidence <= 1.0:
            raise UsageError(f"a confidence is between 0 and 1, not {self.min_confidence:g}")
        if self.style not in ("full", "short"):
            raise UsageError(f"style is full or short, not {self.style}")
