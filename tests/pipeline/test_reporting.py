"""A run tells a person one thing, a log another, and the second of two processes nothing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from wgsl_infer.errors import EnvironmentLacks
from wgsl_pipeline.reporting import Reporter, Row, draw_loss


def row(epoch: int, train_loss: float = 2.0, val_loss: float | None = 3.0) -> Row:
    return {
        "epoch": epoch,
        "step": 5 * epoch,
        "train_loss": train_loss,
        "val_loss": val_loss,
        "learning_rate": 1e-4,
        "gradient_norm": 1.0,
        "seconds": 2.3456,
        "pairs_per_second": 29.0,
    }


def size(picture: Path) -> tuple[int, int]:
    """Width and height of a PNG picture."""
    data = picture.read_bytes()
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def test_an_epoch_is_told_in_the_seeds_words(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Reporter(tmp_path, 100).epoch(row(1, 7.03984, 5.86331), [row(1)])
    assert capsys.readouterr().out == "INFO Epoch 1/100: train_loss=7.0398, val_loss=5.8633, time=2.35s\n"


def test_a_loss_that_was_not_measured_is_not_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Reporter(tmp_path, 9).epoch(row(3, val_loss=None), [row(3, val_loss=None)])
    assert capsys.readouterr().out == "INFO Epoch 3/9: train_loss=2.0000, time=2.35s\n"


def test_metrics_hold_a_row_of_json_for_every_epoch(tmp_path: Path) -> None:
    report = Reporter(tmp_path, 2)
    history = [row(1), row(2, val_loss=None)]
    for k in (1, 2):
        report.epoch(history[k - 1], history[:k])
    lines = (tmp_path / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == history


def test_a_silent_reporter_says_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = Reporter(tmp_path, 2, tensorboard=True, silent=True)
    report.say("hello")
    assert list(report.batches([1, 2], 1, 0, 2)) == [1, 2]
    report.epoch(row(1), [row(1)])
    report.close([row(1)])
    assert capsys.readouterr() == ("", "")
    assert list(tmp_path.iterdir()) == []


def test_the_curve_is_drawn_when_the_run_ends(tmp_path: Path) -> None:
    report = Reporter(tmp_path, 2)
    report.close([])
    assert list(tmp_path.iterdir()) == []
    report.close([row(1), row(2)])
    assert [path.name for path in tmp_path.iterdir()] == ["loss.png"]
    assert size(tmp_path / "loss.png") == (960, 540)


def test_the_curve_shows_both_losses_where_there_are_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.axes import Axes

    drawn: list[tuple[list[int], list[float], str]] = []
    plot = Axes.plot

    def watching(self: Axes, x: list[int], y: list[float], **more: Any) -> Any:
        drawn.append((x, y, more["label"]))
        return plot(self, x, y, **more)

    monkeypatch.setattr(Axes, "plot", watching)
    draw_loss([row(1, 2.0, 3.0), row(2, 1.0, 2.5)], tmp_path / "both.png")
    draw_loss([row(1, 2.0, None), row(2, 1.0, None)], tmp_path / "one.png")
    assert drawn == [
        ([1, 2], [2.0, 1.0], "training"),
        ([1, 2], [3.0, 2.5], "validation"),
        ([1, 2], [2.0, 1.0], "training"),
    ]


def test_a_person_sees_a_progress_bar_and_a_log_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert list(Reporter(tmp_path, 5).batches("abc", 2, 1, 4)) == ["a", "b", "c"]
    assert capsys.readouterr() == ("", "")
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert list(Reporter(tmp_path, 5).batches("abc", 2, 1, 4)) == ["a", "b", "c"]
    out, err = capsys.readouterr()
    assert out == ""
    assert "Epoch 2/5:  25%" in err
    assert "1/4" in err


def test_tensorboard_is_asked_for_by_name_where_it_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(EnvironmentLacks, match="pip install tensorboard"):
        Reporter(tmp_path, 5, tensorboard=True)


def test_tensorboard_gets_every_number_that_was_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[tuple[str, float, int]] = []

    class SummaryWriter:
        def __init__(self, folder: str) -> None:
            assert Path(folder) == tmp_path / "events"

        def add_scalar(self, name: str, value: float, epoch: int) -> None:
            written.append((name, value, epoch))

        def flush(self) -> None: ...

        def close(self) -> None:
            written.append(("closed", 0, 0))

    stub = type(sys)("torch.utils.tensorboard")
    stub.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", stub)
    report = Reporter(tmp_path, 5, tensorboard=True)
    report.epoch(row(1), [row(1)])
    report.epoch(row(2, val_loss=None), [row(1), row(2, val_loss=None)])
    report.close([])
    assert [(name, epoch) for name, _, epoch in written] == [
        *((name, 1) for name in ("train_loss", "val_loss", "learning_rate", "gradient_norm", "pairs_per_second")),
        *((name, 2) for name in ("train_loss", "learning_rate", "gradient_norm", "pairs_per_second")),
        ("closed", 0),
    ]
    assert written[0] == ("train_loss", 2.0, 1)


def test_a_log_tells_now_and_then_how_far_an_epoch_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter(range(0, 1000, 25))
    monkeypatch.setattr("wgsl_pipeline.reporting.time.monotonic", lambda: next(clock))
    assert list(Reporter(tmp_path, 3).batches("abcdef", 2, 4, 10)) == list("abcdef")
    lines = capsys.readouterr().out.splitlines()
    assert lines == ["INFO Epoch 2/3: batch 7 of 10, 1 min left in this epoch"]
