"""Checkpoints appear whole, are pruned and found again, and are refused when they are not what they should be."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from builders import same_weights, small_model, tree, weights
from wgsl_pipeline import checkpoint as module
from wgsl_pipeline.checkpoint import CheckpointFolder, State, load_model, load_training, parameters, read_state
from wgsl_pipeline.errors import ArtefactError
from wgsl_pipeline.model import Transformer
from wgsl_pipeline.optimisation import make_optimizer
from wgsl_pipeline.settings import Training


def state(epoch: int = 1, step: int = 5, **more: Any) -> State:
    values: dict[str, Any] = {
        "settings": "s",
        "model": "m",
        "data": "d",
        "tokenizer": "t",
        "precision": "float32",
        "history": [],
    }
    return State(epoch=epoch, step=step, **(values | more))


def trained(seed: int = 0) -> tuple[Transformer, torch.optim.AdamW]:
    """A model and its optimizer after one update."""
    model = small_model(seed=seed)
    optimizer = make_optimizer(model, Training(), torch.device("cpu"))
    update(model, optimizer)
    return model, optimizer


def update(model: Transformer, optimizer: torch.optim.AdamW) -> None:
    tokens = torch.arange(4, 12)[None]
    optimizer.zero_grad()
    model(tokens, tokens).square().sum().backward()
    optimizer.step()


@pytest.fixture
def folder(tmp_path: Path) -> CheckpointFolder:
    return CheckpointFolder(tmp_path)


def names(folder: CheckpointFolder) -> list[str]:
    return sorted(path.name for path in folder.folder.iterdir())


# ---------------------------------------------------------------- there and back


def test_a_run_goes_on_bit_for_bit_from_what_was_saved(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    path = folder.save_last(state(), model, optimizer, keep=1)
    other, other_optimizer = trained(seed=1)
    load_training(path, other, other_optimizer)
    for _ in range(2):
        update(model, optimizer)
        update(other, other_optimizer)
    assert same_weights(parameters(model), parameters(other))


def test_all_of_the_state_comes_back(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    rows = [{"epoch": 1, "train_loss": 0.1 + 0.2, "val_loss": None}]
    saved = state(3, 17, batch=2, loss_sum=1 / 3, tokens=9, seconds=0.1, best_loss=2 / 3, best_epoch=2, history=rows)
    assert read_state(folder.save_last(saved, model, optimizer, keep=1)) == saved


def test_a_checkpoint_holds_safetensors_and_json_and_nothing_else(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    folder.save_last(state(), model, optimizer, keep=1)
    folder.save_best(state(best_epoch=1), parameters(model))
    files = sorted(path for path in folder.folder.rglob("*") if path.is_file())
    assert {path.suffix for path in files} == {".json", ".safetensors"}
    for path in files:
        if path.suffix == ".json":
            json.loads(path.read_text(encoding="utf-8"))
        else:
            assert load_file(path)


def test_no_pickle_is_read(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    path = folder.save_last(state(), model, optimizer, keep=1)
    touched = folder.folder / "touched"

    class Bomb:
        def __reduce__(self) -> tuple[Any, ...]:
            return os.mkdir, (str(touched),)

    torch.save({"x": Bomb()}, path / "model.safetensors")
    with pytest.raises(ArtefactError, match=r"model\.safetensors: cannot be read"):
        load_model(path, model)
    assert not touched.exists()


def test_parameters_are_copies(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    kept = parameters(model)
    before = {name: value.clone() for name, value in kept.items()}
    update(model, optimizer)
    assert same_weights(kept, before)
    assert not same_weights(kept, parameters(model))


# ---------------------------------------------------------------- pointers and pruning


def test_the_latest_checkpoints_are_kept_and_last_points_at_the_latest(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    for epoch in range(1, 6):
        folder.save_last(state(epoch, 10 * epoch), model, optimizer, keep=2)
    assert names(folder) == ["epoch-0004-step-000040", "epoch-0005-step-000050", "last.json"]
    assert folder.find("last").name == "epoch-0005-step-000050"


def test_the_latest_are_told_by_number_not_by_spelling(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    for epoch, step in ((9998, 999_997), (9999, 999_998), (9999, 1_000_000), (10_000, 1_000_001), (10_001, 1_000_002)):
        folder.save_last(state(epoch, step), model, optimizer, keep=3)
    assert names(folder) == [
        "epoch-10000-step-1000001",
        "epoch-10001-step-1000002",
        "epoch-9999-step-1000000",
        "last.json",
    ]


def test_only_the_best_weights_are_kept_besides(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    first = parameters(model)
    folder.save_best(state(best_epoch=1), first)
    folder.save_last(state(1, 5), model, optimizer, keep=1)
    update(model, optimizer)
    folder.save_best(state(best_epoch=2), parameters(model))
    assert names(folder) == ["best-epoch-0002", "best.json", "epoch-0001-step-000005", "last.json"]
    assert same_weights(weights(folder.find("best")), parameters(model))
    assert same_weights(weights(folder.find("last")), first)


def test_what_is_saved_already_is_not_written_again(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    last = folder.save_last(state(), model, optimizer, keep=1)
    folder.save_best(state(best_epoch=1), parameters(model))
    best = folder.find("best")
    before = [path.stat().st_ino for path in (last, best)]
    folder.save_last(state(), model, optimizer, keep=1)
    folder.save_best(state(best_epoch=1), parameters(model))
    assert [path.stat().st_ino for path in (last, best)] == before


@pytest.mark.parametrize("which", ["last", "best"])
def test_a_checkpoint_that_is_not_there_is_an_error(folder: CheckpointFolder, which: str) -> None:
    with pytest.raises(ArtefactError, match=f"no {which} checkpoint: run `pipeline train`"):
        folder.find(which)
    assert folder.pointed(which) is None
    (folder.folder / f"{which}.json").write_text('{"checkpoint": "gone"}', encoding="utf-8")
    with pytest.raises(ArtefactError, match=f"no {which} checkpoint"):
        folder.find(which)


def test_clearing_leaves_what_is_no_checkpoint(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    folder.save_last(state(), model, optimizer, keep=1)
    folder.save_best(state(best_epoch=1), parameters(model))
    (folder.folder / ".epoch-0002-step-000010.new-1").mkdir()
    (folder.folder / "metrics.jsonl").touch()
    folder.clear()
    assert names(folder) == ["metrics.jsonl"]


# ---------------------------------------------------------------- whole or not at all


@pytest.mark.parametrize("fatal", ["write_json", "save_file"])
def test_a_checkpoint_that_could_not_be_written_leaves_the_one_before(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch, fatal: str
) -> None:
    model, optimizer = trained()
    folder.save_last(state(1, 5), model, optimizer, keep=1)
    before = tree(folder.folder)
    update(model, optimizer)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module, fatal, full)
    with pytest.raises(OSError, match="No space"):
        folder.save_last(state(2, 10), model, optimizer, keep=1)
    assert tree(folder.folder) == before


def test_a_run_killed_before_it_could_point_at_a_checkpoint_still_has_the_one_before(
    folder: CheckpointFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, optimizer = trained()
    first = folder.save_last(state(1, 5), model, optimizer, keep=1)
    kept = parameters(model)
    update(model, optimizer)
    really = module.write_json

    def killed(path: Path, value: object) -> None:
        if path.name == "last.json":
            raise SystemExit
        really(path, value)

    monkeypatch.setattr(module, "write_json", killed)
    with pytest.raises(SystemExit):
        folder.save_last(state(2, 10), model, optimizer, keep=1)
    assert folder.find("last") == first
    assert same_weights(weights(first), kept)


def test_what_a_killed_process_left_half_written_goes_with_the_next_try(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    half = folder.folder / ".epoch-0001-step-000005.new-999999"
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    folder.save_last(state(), model, optimizer, keep=1)
    assert names(folder) == ["epoch-0001-step-000005", "last.json"]


# ---------------------------------------------------------------- what is refused


def damage(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-9])


@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors"])
@pytest.mark.parametrize("spoil", [damage, Path.unlink, lambda path: path.write_bytes(b"")])
def test_missing_and_damaged_tensors_are_refused(folder: CheckpointFolder, name: str, spoil: Any) -> None:
    model, optimizer = trained()
    path = folder.save_last(state(), model, optimizer, keep=1)
    spoil(path / name)
    with pytest.raises(ArtefactError, match=rf"{name}: cannot be read .*run `pipeline train`") as caught:
        load_training(path, model, optimizer)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [None, "{", "[]", "{}", '{"epoch": 1}'])
def test_a_missing_or_damaged_state_is_refused(folder: CheckpointFolder, content: str | None) -> None:
    model, optimizer = trained()
    path = folder.save_last(state(), model, optimizer, keep=1)
    if content is None:
        (path / "state.json").unlink()
    else:
        (path / "state.json").write_text(content, encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"state\.json: (missing|damaged).*run `pipeline train`"):
        read_state(path)


def test_a_damaged_pointer_is_refused(folder: CheckpointFolder) -> None:
    (folder.folder / "last.json").write_text("", encoding="utf-8")
    with pytest.raises(ArtefactError, match=r"last\.json: damaged"):
        folder.find("last")


@pytest.mark.parametrize("changes", [{"d_model": 32}, {"num_layers": 2}, {"tie_output": True}, {"norm": "pre"}])
def test_weights_of_another_network_are_refused(folder: CheckpointFolder, changes: dict[str, Any]) -> None:
    model, optimizer = trained()
    path = folder.save_last(state(), model, optimizer, keep=1)
    other = small_model(**changes)
    before = parameters(other)
    with pytest.raises(ArtefactError, match="weights of another network"):
        load_model(path, other)
    assert same_weights(parameters(other), before)


def test_an_optimizer_without_a_parameter_is_refused(folder: CheckpointFolder) -> None:
    model, optimizer = trained()
    path = folder.save_last(state(), model, optimizer, keep=1)
    tensors = load_file(path / "optimizer.safetensors")
    del tensors["exp_avg.embedding.weight"]
    save_file(tensors, path / "optimizer.safetensors")
    with pytest.raises(ArtefactError, match=r"holds nothing for embedding\.weight"):
        load_training(path, model, optimizer)
