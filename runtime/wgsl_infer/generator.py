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
from .naming import with_names
from .plausibility import nonsense, objections
from .search import Hypothesis, beam, greedy, greedy_tokens, length_penalty
from .session import OnnxModel
from .steering import Course, Steering
from .tokenizer import UNSUPPORTED, EncodedPrompt

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
        """
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
            if settings.second_look and self.tokenizer.kind == "wgsl":
                found = [self._plausible(encoded[k], rest, settings) for k, rest in zip(rows, found, strict=True)]
            ms = (time.perf_counter() - began) * 1000 / len(rows)
            for k, hypotheses in zip(rows, found, strict=True):
                answers[k] = self._answer(prompts[k], encoded[k], hypotheses, settings, ms)
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

    def _search(self, encoded: list[EncodedPrompt], settings: GenerationSettings) -> list[list[Hypothesis]]:
        if settings.beam > 1:
            return [self._beam(encoded[0], settings)]
        found = self._greedy(encoded, settings)
        for k, hypothesis in enumerate(found):
            if not self._is_well_formed(encoded[k], hypothesis):
                # seldom: steering every search by the grammar would give the same answers more slowly
                found[k] = self._greedy([encoded[k]], settings, steered=True)[0]
        return [[hypothesis] for hypothesis in found]

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
        return beam(
            self._model.start([encoded.ids]),
            self.tokenizer.answer_mask(encoded.slots),
            width=settings.beam,
            max_tokens=settings.max_tokens,
            alpha=settings.length_penalty,
            guide=self._guide(encoded),
        )

    def _guide(self, encoded: EncodedPrompt) -> Course | None:
        return Steering(self._grammar, self.tokenizer, encoded).begin() if self._grammar else None

    def _is_well_formed(self, encoded: EncodedPrompt, hypothesis: Hypothesis) -> bool:
        if self._grammar is None or not hypothesis.complete:
            return True
        lexemes = self.tokenizer.decode_lexemes(hypothesis.ids, encoded.slots)
        return lexemes == [UNSUPPORTED] or self._grammar.fault(lexemes) is None

    def _plausible(
        self, encoded: EncodedPrompt, hypotheses: list[Hypothesis], settings: GenerationSettings
    ) -> list[Hypothesis]:
        """The hypotheses, most plausible first; of a wider beam if something speaks against the best one."""
        # what the limit cut off has no better: the search would take something shorter, whatever it says
        if not hypotheses[0].complete:
            return hypotheses
        if hypotheses[0].margin >= _SURE and objections(self.tokenizer, encoded, hypotheses[0]) == 0.0:
            return hypotheses
        if settings.second_look > settings.beam:
            hypotheses = self._look_again(encoded, hypotheses[0], settings)
        against = [objections(self.tokenizer, encoded, hypothesis) for hypothesis in hypotheses]
        order = sorted(range(len(hypotheses)), key=lambda k: against[k] - hypotheses[k].log_probability)
        return [hypotheses[k] for k in order]

    def _look_again(self, encoded: EncodedPrompt, best: Hypothesis, settings: GenerationSettings) -> list[Hypothesis]:
        """The most probable answers, not much longer than the best one so far."""
        limit = min(settings.max_tokens, 2 * len(best.ids) + _LONGER)
        # without a length penalty the search ends as soon as no open answer is as probable as the last one found
        wider = replace(settings, beam=settings.second_look, max_tokens=limit, length_penalty=0.0)
        alpha = settings.length_penalty
        found = [
            replace(h, score=h.log_probability / length_penalty(len(h.ids) + int(h.complete), alpha))
            for h in self._beam(encoded, wider)
        ]
        return found if any(h.complete for h in found) else [best, *found]

    def _code(self, prompt: str, encoded: EncodedPrompt, hypothesis: Hypothesis, style: str) -> str:
        lexemes = self.tokenizer.decode_lexemes(hypothesis.ids, encoded.slots)
        if self.tokenizer.kind == "wgsl" and "fn" in lexemes:
            lexemes = with_names(lexemes, prompt, self.tokenizer.is_prompt_word, self.tokenizer.is_answer_lexeme)
        return self.tokenizer.layout(lexemes, style=style)

    def _answer(
        self, prompt: str, encoded: EncodedPrompt, hypotheses: list[Hypothesis], settings: GenerationSettings, ms: float
    ) -> Answer:
        """Hypotheses as code: the best first, then those that read differently."""
        distinct: dict[str, Hypothesis] = {}
        for hypothesis in hypotheses:
            if hypothesis.complete:
                distinct.setdefault(self._code(prompt, encoded, hypothesis, settings.style), hypothesis)
        if not distinct:
            return Answer(prompt, None, None, 0.0, ms=ms, reason=f"no end within {settings.max_tokens} tokens")
        names = len(encoded.slots.values["name"])
        faults = {code: self._fault(encoded, h) for code, h in distinct.items()}
        rows = [
            Alternative(code, h.score, 0.0 if faults[code] else self._confidence(h, names))
            for code, h in distinct.items()
        ]
        best, seen = rows[0], evidence(next(iter(distinct.values())), names)
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

    def _fault(self, encoded: EncodedPrompt, hypothesis: Hypothesis) -> str | None:
        """Why an answer is surely wrong, where the bundle's confidence is the probability that it is right."""
        known = self._calibration is not None and self.tokenizer.kind == "wgsl"
        return nonsense(self.tokenizer, encoded, hypothesis) if known else None

    def _confidence(self, hypothesis: Hypothesis, names: int) -> float:
        if self._calibration is None:
            return math.exp(hypothesis.log_probability)
        return self._calibration.probability(evidence(hypothesis, names))


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


def _groups(rows: list[int], lengths: list[int], size: int) -> Iterator[list[int]]:
    """Rows of like length together, at most `size` at a time."""
    ordered = sorted(rows, key=lambda k: lengths[k])
    for start in range(0, len(ordered), size):
        yield ordered[start : start + size]
