"""The Python API: `Generator(bundle)("normalize a vector").code`."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from .answers import Alternative, Answer, GenerationSettings
from .bundle import Bundle
from .confidence import evidence
from .errors import BundleError, UsageError
from .plausibility import Candidate
from .search import Hypothesis, beam, greedy, greedy_tokens, length_penalty
from .session import OnnxModel
from .steering import Course, Steering
from .tokenizer import EncodedPrompt
from .tokens import UNSUPPORTED

MODEL_VARIABLE = "WGSL_INFER_MODEL"
_BUNDLED = Path(__file__).parent / "model"
_BATCH = 32  # prompts decoded together
_LONGER = 24  # tokens that an answer of the second look may have beyond twice those of the first
_SURE = math.log(2.0)  # nats: no look at others where each token is twice as probable as the next best


class Generator:
    """Turns lines of English into code with an exported bundle.

    Args:
        model: the bundle's folder; None takes the one named by the environment variable WGSL_INFER_MODEL, else the one
            that comes with the package.
        precision: "int8" or "float32"; None takes the bundle's default.
        threads: threads of onnxruntime; None chooses by the size of the model.
        providers: onnxruntime execution providers, best first; empty means the CPU.

    Raises:
        BundleError: there is no usable bundle.
        UsageError: an argument makes no sense with this bundle.
    """

    def __init__(
        self,
        model: Path | str | None = None,
        *,
        precision: str | None = None,
        threads: int | None = None,
        providers: Sequence[str] = (),
    ) -> None:
        if threads is not None and threads < 1:
            raise UsageError("at least one thread is needed")
        self.bundle = Bundle.open(find_bundle(model))
        self.tokenizer = self.bundle.tokenizer()
        self.precision = precision or str(self.bundle.defaults["precision"])
        self._grammar = self.bundle.grammar()
        self._calibration = self.bundle.calibration()
        self._model = OnnxModel(self.bundle, self.precision, threads=threads, providers=providers)
        self._longest_answer = int(self.bundle.manifest["model"]["max_seq_len"]) - 2

    def settings(self, **changes: Any) -> GenerationSettings:
        """The bundle's settings with these changed; None leaves one as it is. More answers widen the beam."""
        if unknown := changes.keys() - {row.name for row in fields(GenerationSettings)}:
            raise UsageError(f"no setting {sorted(unknown)[0]}; see GenerationSettings")
        defaults = self.bundle.defaults
        given = {name: value for name, value in changes.items() if value is not None}
        n_best = int(given.get("n_best", 1))
        beam_width = int(given.get("beam", max(int(defaults["beam"]), n_best)))
        return GenerationSettings(
            beam=beam_width,
            n_best=n_best,
            max_tokens=min(int(given.get("max_tokens", defaults["max_tokens"])), self._longest_answer),
            length_penalty=float(given.get("length_penalty", defaults["length_penalty"])),
            style=str(given.get("style", "full")),
            second_look=int(given.get("second_look", defaults.get("second_look", 0))),
            min_confidence=float(
                given.get("min_confidence", self._calibration.threshold if self._calibration else 0.0)
            ),
        )

    def __call__(self, prompt: str, **changes: Any) -> Answer:
        """The answer to one prompt; keyword arguments as for `generate`."""
        return self.generate([prompt], **changes)[0]

    def generate(self, prompts: Sequence[str], **changes: Any) -> list[Answer]:
        """Answers to many prompts, in their order; prompts of like length are decoded together.

        Args:
            prompts: lines of English.
            changes: `beam`, `n_best`, `max_tokens`, `length_penalty`, `style`, `second_look`; see `GenerationSettings`.

        Raises:
            TypeError: `prompts` is one string, whose letters would be the prompts.
        """
        if isinstance(prompts, str):
            raise TypeError("generate takes a list of prompts; for one prompt call the generator itself")
        settings = self.settings(**changes)
        encoded = [self.tokenizer.encode_prompt(prompt) for prompt in prompts]
        answers: dict[int, Answer] = {}
        readable = []
        for k, (prompt, tokens) in enumerate(zip(prompts, encoded, strict=True)):
            if reason := self._unreadable(tokens):
                answers[k] = Answer(prompt, None, None, 0.0, reason=reason)
            else:
                readable.append(k)
        for rows in _groups(readable, [len(e.ids) for e in encoded], 1 if settings.beam > 1 else _BATCH):
            began = time.perf_counter()
            found = self._search([encoded[k] for k in rows], settings)
            if self._is_judged(settings):
                found = [self._plausible(candidates, settings) for candidates in found]
            ms = (time.perf_counter() - began) * 1000 / len(rows)
            for k, candidates in zip(rows, found, strict=True):
                answers[k] = self._answer(prompts[k], candidates, settings, ms)
        return [answers[k] for k in range(len(prompts))]

    def stream(self, prompt: str, *, max_tokens: int | None = None, style: str = "full") -> Iterator[str]:
        """The code as it grows, after every token: for an editor that shows a long answer while it is decoded.

        Greedy, steered by the grammar where the bundle has one, and without a second look, so the last text may not be
        what `generate` gives. Nothing comes where there is no answer.

        Raises:
            UsageError: a setting makes no sense.
        """
        settings = self.settings(max_tokens=max_tokens, style=style)
        encoded = self.tokenizer.encode_prompt(prompt)
        if self._unreadable(encoded):
            return
        mask, ids = self.tokenizer.answer_mask(encoded.slots), []
        model = self._model.start([encoded.ids])
        for token in greedy_tokens(model, mask, max_tokens=settings.max_tokens, guide=self._guide(encoded)):
            ids.append(token)
            lexemes = self.tokenizer.decode_lexemes(ids, encoded.slots)
            if UNSUPPORTED in lexemes:
                return
            yield self.tokenizer.layout(lexemes, style=settings.style)

    def _unreadable(self, encoded: EncodedPrompt) -> str:
        if len(encoded.ids) < 2:
            return "nothing in the prompt is a word"
        if len(encoded.ids) > self.tokenizer.max_length:
            return f"the prompt has {len(encoded.ids)} tokens, the model reads {self.tokenizer.max_length}"
        return ""

    def _search(self, encoded: list[EncodedPrompt], settings: GenerationSettings) -> list[list[Candidate]]:
        if settings.beam > 1:
            return [self._candidates(encoded[0], self._beam(encoded[0], settings))]
        found = []
        for prompt, hypothesis in zip(encoded, self._greedy(encoded, settings), strict=True):
            candidates = self._candidates(prompt, [hypothesis])
            if not self._is_well_formed(candidates[0]):
                # seldom: steering every search by the grammar would give the same answers more slowly
                candidates = self._candidates(prompt, self._greedy([prompt], settings, steered=True))
            found.append(candidates)
        return found

    def _candidates(self, encoded: EncodedPrompt, found: Sequence[Hypothesis]) -> list[Candidate]:
        return [Candidate(self.tokenizer, encoded, hypothesis) for hypothesis in found]

    def _greedy(
        self, encoded: list[EncodedPrompt], settings: GenerationSettings, *, steered: bool = False
    ) -> list[Hypothesis]:
        masks = [self.tokenizer.answer_mask(e.slots) for e in encoded]
        limit, alpha = settings.max_tokens, settings.length_penalty
        if len(encoded) == 1 and not steered:
            return [self._model.answer(encoded[0].ids, masks[0], max_tokens=limit, alpha=alpha)]
        return greedy(
            self._model.start([e.ids for e in encoded]),
            np.stack(masks),
            max_tokens=limit,
            alpha=alpha,
            guides=[guide for e in encoded if (guide := self._guide(e))] if steered else None,
        )

    def _beam(self, encoded: EncodedPrompt, settings: GenerationSettings) -> list[Hypothesis]:
        # what makes sense is chosen among all, and of several answers some may read alike
        only_best = settings.n_best == 1 and not self._is_judged(settings)
        return beam(
            self._model.start([encoded.ids]),
            self.tokenizer.answer_mask(encoded.slots),
            width=settings.beam,
            max_tokens=settings.max_tokens,
            alpha=settings.length_penalty,
            guide=self._guide(encoded),
            wanted=1 if only_best else None,
        )

    def _is_judged(self, settings: GenerationSettings) -> bool:
        """Whether the most plausible answer is given rather than the most probable one."""
        return settings.second_look > 0 and self.tokenizer.kind == "wgsl"

    def _guide(self, encoded: EncodedPrompt) -> Course | None:
        return Steering(self._grammar, self.tokenizer, encoded).begin() if self._grammar else None

    def _is_well_formed(self, candidate: Candidate) -> bool:
        if self._grammar is None or not candidate.hypothesis.complete or candidate.refuses:
            return True
        return self._grammar.fault(candidate.lexemes) is None

    def _plausible(self, candidates: list[Candidate], settings: GenerationSettings) -> list[Candidate]:
        """The candidates, most plausible first; of a wider beam if something speaks against the best one."""
        best = candidates[0]
        # what the limit cut off has no better: the search would take something shorter, whatever it says
        if not best.hypothesis.complete or (best.hypothesis.margin >= _SURE and best.objections == 0.0):
            return candidates
        if settings.second_look > settings.beam:
            candidates = self._look_again(best, settings)
        return sorted(candidates, key=lambda found: found.objections - found.hypothesis.log_probability)

    def _look_again(self, best: Candidate, settings: GenerationSettings) -> list[Candidate]:
        """The most probable answers, not much longer than the best one so far."""
        limit = min(settings.max_tokens, 2 * len(best.hypothesis.ids) + _LONGER)
        # without a length penalty the search ends as soon as no open answer is as probable as the last one found
        wider = replace(settings, beam=settings.second_look, max_tokens=limit, length_penalty=0.0)
        alpha = settings.length_penalty
        found = [
            replace(h, score=h.log_probability / length_penalty(len(h.ids) + int(h.complete), alpha))
            for h in self._beam(best.encoded, wider)
        ]
        others = self._candidates(best.encoded, found)
        return others if any(h.complete for h in found) else [best, *others]

    def _answer(self, prompt: str, candidates: list[Candidate], settings: GenerationSettings, ms: float) -> Answer:
        """Candidates as code: the best first, then those that read differently."""
        distinct: dict[str, Candidate] = {}
        for candidate in candidates:
            if candidate.hypothesis.complete:
                distinct.setdefault(self.tokenizer.layout(candidate.lexemes, style=settings.style), candidate)
        if not distinct:
            return Answer(prompt, None, None, 0.0, ms=ms, reason=f"no end within {settings.max_tokens} tokens")
        # only where the confidence is the probability to be right, code that cannot compile has none
        known = self._calibration is not None and self.tokenizer.kind == "wgsl"
        faults = {code: candidate.fault if known else None for code, candidate in distinct.items()}
        rows = [
            Alternative(code, candidate.hypothesis.score, 0.0 if faults[code] else self._confidence(candidate))
            for code, candidate in distinct.items()
        ]
        best, seen = rows[0], _evidence(next(iter(distinct.values())))
        others = [row for row in rows[1:] if row.code not in ("", UNSUPPORTED) and not faults[row.code]]
        others = others[: settings.n_best - 1]
        found = Answer(prompt, best.code, best.score, best.confidence, others, ms, evidence=seen)
        if best.code in ("", UNSUPPORTED):
            return replace(found, code=None, reason="the prompt asks for nothing the model can say")
        if best.confidence < settings.min_confidence:
            asked = f"too probably wrong (confidence {best.confidence:.2f}, {settings.min_confidence:.2f} asked)"
            reason = f"it would not compile: {why}" if (why := faults[best.code]) else asked
            return replace(found, code=None, reason=reason, closest=best.code)
        return found

    def _confidence(self, candidate: Candidate) -> float:
        if self._calibration is None:
            return math.exp(candidate.hypothesis.log_probability)
        return self._calibration.probability(_evidence(candidate))


def find_bundle(model: Path | str | None) -> Path:
    """The folder of the bundle to use: the one given, that of the environment, or the package's own.

    Raises:
        BundleError: none is named and none comes with the package.
    """
    named = model or os.environ.get(MODEL_VARIABLE)
    if named:
        return Path(named)
    if _BUNDLED.is_dir():
        return _BUNDLED
    raise BundleError(f"no model: name a bundle with --model DIR or the environment variable {MODEL_VARIABLE}")


def _evidence(candidate: Candidate) -> tuple[float, ...]:
    return evidence(candidate.hypothesis, len(candidate.encoded.slots.values["name"]))


def _groups(rows: list[int], lengths: list[int], size: int) -> Iterator[list[int]]:
    """Rows of like length together, at most `size` at a time."""
    ordered = sorted(rows, key=lambda k: lengths[k])
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
