"""What a training run tells: a progress bar or plain lines, metrics.jsonl, a picture, TensorBoard events."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wgsl_infer.errors import EnvironmentLacks

from .files import write_text

Row = dict[str, Any]

_SECONDS_BETWEEN_LINES = 60.0  # in a log, where there is no progress bar


class Reporter:
    """Reports one run. `silent` ones, in all processes but the first, say and write nothing.

    Args:
        folder: where metrics.jsonl, loss.png and the event files go.
        epochs: the number of the last epoch.
        tensorboard: whether to write TensorBoard event files.

    Raises:
        EnvironmentLacks: TensorBoard is wanted and not installed.
    """

    def __init__(self, folder: Path, epochs: int, *, tensorboard: bool = False, silent: bool = False) -> None:
        self.folder, self.epochs, self.silent = folder, epochs, silent
        self._bar = sys.stderr.isatty() and not silent
        self._events: Any = None
        if tensorboard and not silent:
            try:
                from torch.utils.tensorboard import SummaryWriter
            except ImportError as error:
                raise EnvironmentLacks("TensorBoard is not installed: pip install tensorboard") from error
            self._events = SummaryWriter(str(folder / "events"))

    def say(self, line: str) -> None:
        """Print a line."""
        if not self.silent:
            print(line, flush=True)

    def batches(self, rows: Iterable[Any], epoch: int, done: int, total: int) -> Iterator[Any]:
        """The batches of one epoch, behind a progress bar if a person is watching, else with a line now and then."""
        label = f"Epoch {epoch}/{self.epochs}"
        if self._bar:
            from tqdm import tqdm

            yield from tqdm(rows, desc=label, initial=done, total=total, unit="batch", leave=False, dynamic_ncols=True)
            return
        began = told = time.monotonic()
        for count, batch in enumerate(rows, 1):
            yield batch
            now = time.monotonic()
            if now - told >= _SECONDS_BETWEEN_LINES and done + count < total:
                told = now
                left = (now - began) / count * (total - done - count)
                self.say(f"INFO {label}: batch {done + count} of {total}, {left / 60:.0f} min left in this epoch")

    def epoch(self, row: Row, history: list[Row]) -> None:
        """Report a finished epoch; `history` holds the rows of all, this one last."""
        validation = "" if row["val_loss"] is None else f", val_loss={row['val_loss']:.4f}"
        losses = f"train_loss={row['train_loss']:.4f}{validation}"
        self.say(f"INFO Epoch {row['epoch']}/{self.epochs}: {losses}, time={row['seconds']:.2f}s")
        if self.silent:
            return
        write_text(self.folder / "metrics.jsonl", "".join(json.dumps(r) + "\n" for r in history))
        if self._events is not None:
            for name in ("train_loss", "val_loss", "learning_rate", "gradient_norm", "pairs_per_second"):
                if row[name] is not None:
                    self._events.add_scalar(name, row[name], row["epoch"])
            self._events.flush()

    def close(self, history: list[Row]) -> None:
        """Draw the curve and close the files."""
        if self._events is not None:
            self._events.close()
        if history and not self.silent:
            draw_loss(history, self.folder / "loss.png")


def draw_loss(history: list[Row], path: Path) -> None:
    """Draw training and validation loss over the epochs, on a logarithmic scale."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(8, 4.5), layout="constrained")
    epochs = [row["epoch"] for row in history]
    for key, label in (("train_loss", "training"), ("val_loss", "validation")):
        values = [row[key] for row in history]
        if None not in values:
            axes.plot(epochs, values, label=label)
    axes.set(xlabel="epoch", ylabel="cross-entropy per token (nats)", yscale="log")
    axes.grid(alpha=0.3)
    axes.legend()
    temporary = path.with_name(f".{path.name}")
    figure.savefig(temporary, dpi=120, format="png")
    temporary.replace(path)
    pyplot.close(figure)
