"""The ONNX graphs behave as a decoder that search can drive."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

from wgsl_infer import BundleError, Generator, UsageError, session
from wgsl_infer.bundle import Bundle
from wgsl_infer.search import greedy
from wgsl_infer.session import OnnxModel, default_threads
from wgsl_infer.tokens import EOS, SOS

PROMPTS = [[210, 211, 212, 213, EOS], [220, 221, EOS], [230, 231, 232, EOS]]


@pytest.fixture(scope="module")
def model(bundle_folder: Path) -> OnnxModel:
    return OnnxModel(Bundle.open(bundle_folder), "float32")


@pytest.mark.parametrize("together", [1, 2, 8])
def test_padding_changes_nothing(model: OnnxModel, monkeypatch: pytest.MonkeyPatch, together: int) -> None:
    """However many prompts are encoded in one call."""
    monkeypatch.setattr(session, "_TOGETHER", together)
    tokens = [np.full(3, SOS), np.array([250, 251, 252]), np.array([253, 254, 255])]
    together = model.start(PROMPTS)
    alone = [model.start([prompt]) for prompt in PROMPTS]
    for step in tokens:
        logits = together.step(step)
        for row, decoding in enumerate(alone):
            np.testing.assert_allclose(logits[row], decoding.step(step[row : row + 1])[0], atol=1e-4)


def test_selected_rows_go_on_with_their_own_past(model: OnnxModel) -> None:
    decoding = model.start(PROMPTS)
    decoding.step(np.full(3, SOS))
    decoding.step(np.array([250, 251, 252]))
    decoding.select(np.array([2, 0, 0]))
    logits = decoding.step(np.array([260, 261, 262]))
    for row, (prompt, token, last) in enumerate([(2, 252, 260), (0, 250, 261), (0, 250, 262)]):
        alone = model.start([PROMPTS[prompt]])
        for past in (SOS, token):
            alone.step(np.array([past]))
        np.testing.assert_allclose(logits[row], alone.step(np.array([last]))[0], atol=1e-4)
    assert np.abs(logits[1] - logits[2]).max() > 1e-2


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize("limit", [0, 1, 3, 40])
def test_an_answer_in_one_call_is_that_of_the_search_step_by_step(
    bundle_folder: Path, precision: str, limit: int
) -> None:
    bundle = Bundle.open(bundle_folder)
    model, tokenizer = OnnxModel(bundle, precision), bundle.tokenizer()
    for prompt in ("normalize a vector", "create a red color", "repeat 10 times: double total", "tell me a joke"):
        encoded = tokenizer.encode_prompt(prompt)
        mask = tokenizer.answer_mask(encoded.slots)
        whole = model.answer(encoded.ids, mask, max_tokens=limit, alpha=0.7)
        (steps,) = greedy(model.start([encoded.ids]), mask[None], max_tokens=limit, alpha=0.7)
        assert (whole.ids, whole.complete) == (steps.ids, steps.complete)
        assert whole.log_probability == pytest.approx(steps.log_probability, abs=1e-4)
        assert whole.score == pytest.approx(steps.score, abs=1e-4)


def test_what_is_only_answered_opens_no_sessions_for_steps(bundle_folder: Path) -> None:
    generator = Generator(bundle_folder)
    assert generator("normalize a vector").code == "normalize(v)"
    assert not {"encoder", "decoder"} & set(vars(generator._model))
    generator("normalize a vector", beam=2)
    assert {"encoder", "decoder"} <= set(vars(generator._model))


def test_logits_cover_the_tokens_of_answers(model: OnnxModel, bundle_folder: Path) -> None:
    decoding = model.start(PROMPTS)
    logits = decoding.step(np.full(3, SOS))
    targets = Bundle.open(bundle_folder).tokenizer().target_ids
    assert decoding.columns.tolist() == targets
    assert logits.shape == (3, len(targets))
    assert logits.dtype == np.float32


def test_a_precision_the_bundle_has_not_is_a_wrong_argument(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match="no int4 graphs, only float32, int8"):
        OnnxModel(Bundle.open(bundle_folder), "int4")


def test_a_provider_that_is_not_there_is_a_wrong_argument(bundle_folder: Path) -> None:
    with pytest.raises(UsageError, match=r"AbacusExecutionProvider.*--list-providers"):
        OnnxModel(Bundle.open(bundle_folder), "int8", providers=["AbacusExecutionProvider", "CPUExecutionProvider"])


def test_a_provider_by_name(bundle_folder: Path) -> None:
    model = OnnxModel(Bundle.open(bundle_folder), "int8", providers=["CPUExecutionProvider"], threads=2)
    assert model.encoder.get_providers() == ["CPUExecutionProvider"]
    assert model.decoder.get_session_options().intra_op_num_threads == 2


def test_providers_are_handed_on_in_order(bundle_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[str]] = []

    def session(path: str, options: object, providers: list[str], **further: object) -> None:
        asked.append(providers)
        raise RuntimeError("enough")

    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["One", "Two", "CPUExecutionProvider"])
    for providers in ([], ["Two", "One"]):
        with pytest.raises(BundleError, match=r"answer\.int8\.onnx: onnxruntime .* cannot load it: enough"):
            OnnxModel(Bundle.open(bundle_folder), "int8", providers=providers)
    assert asked == [["CPUExecutionProvider"], ["Two", "One"]]


def test_small_models_take_one_thread_and_large_ones_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    assert default_threads(8_000_000) == 1
    assert default_threads(44_000_000) == 2
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    assert default_threads(44_000_000) == 1
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_threads(44_000_000) == 1
