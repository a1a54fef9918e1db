"""The training stage: encoded pairs to checkpoints.

Legend: B batch, S source length, T target length, V vocabulary.
"""

from __future__ import annotations

import dataclasses
import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from wgsl_infer.tokens import PAD

from .checkpoint import CheckpointFolder, State, load_training, parameters, read_state
from .config import Config
from .dataset import Corpus, Pairs
from .devices import autocast, choose_device, choose_precision
from .distributed import Processes, processes
from .errors import ArtefactError, TrainingDiverged
from .model import Transformer
from .optimisation import Answers, evaluate_loss, learning_rate, make_optimizer, summed_loss
from .reporting import Reporter
from .settings import Training
from .stopping import Interrupted, stop_signals
from .warm_start import warm_start

_STEPS_BETWEEN_CHECKS = 20  # on CUDA, where reading a loss waits for the device


@dataclass
class Run:
    """Everything one training run holds."""

    config: Config
    together: Processes
    device: torch.device
    state: State
    model: Transformer
    optimizer: torch.optim.AdamW
    train: Pairs
    val: Pairs
    answers: Answers
    checkpoints: CheckpointFolder
    report: Reporter
    parallel: nn.Module
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    asked_to_stop: bool = False
    unchecked: list[Tensor] = field(default_factory=list)

    def stop(self) -> None:
        """Ask the run to end after the update under way."""
        self.asked_to_stop = True


def train(config: Config, *, resume: bool = False, start: Path | None = None, tensorboard: bool = False) -> State:
    """Run the stage, alone or as one of the processes that torchrun started.

    Args:
        config: the settings.
        resume: whether to go on from the last checkpoint of this run.
        start: the folder of another run to take the first weights from; it may have had another corpus.
        tensorboard: whether to write TensorBoard's event files too.

    Raises:
        ArtefactError: the data is missing or was made from something else, or there is nothing to resume.
        TrainingDiverged: the loss is not a number any more.
        EnvironmentLacks: the device asked for is not there.
        Interrupted: Ctrl-C or a termination signal; the state is saved.
    """
    with processes() as together:
        run = _prepare(config, together, resume=resume, start=start, tensorboard=tensorboard)
        with stop_signals(run.stop):
            try:
                while not is_finished(run.state, config.training):
                    _epoch(run)
                    if _stop_wanted(run) and not is_finished(run.state, config.training):
                        _save(run)
                        raise Interrupted
            finally:
                run.report.close(run.state.history or [])
        _save(run)
        if run.state.epoch < config.training.num_epochs and not 0 < config.training.max_steps <= run.state.step:
            run.report.say(f"INFO Early stopping triggered after {run.state.epoch} epochs")
        run.report.say(f"Best loss: {run.state.best_loss:.4f} (epoch {run.state.best_epoch})")
        return run.state


def _prepare(config: Config, together: Processes, *, resume: bool, start: Path | None, tensorboard: bool) -> Run:
    settings = config.training
    corpus = Corpus.open(config.data_folder)
    device = choose_device(settings.device, together.local_rank)
    checkpoints = CheckpointFolder(config.checkpoint_folder)
    checkpoints.folder.mkdir(parents=True, exist_ok=True)
    torch.set_float32_matmul_precision("high")
    generator = torch.Generator().manual_seed(settings.seed)
    model = Transformer(config.model, len(corpus.tokenizer), generator).to(device)
    optimizer = make_optimizer(model, settings, device)
    state = State(
        settings=training_digest(config),
        model=config.digest("model"),
        data=corpus.figures["inputs"],
        tokenizer=corpus.tokenizer.fingerprint,
        precision=choose_precision(settings.precision, device),
        history=[],
    )
    shared = 0
    if resume:
        state = _resume(checkpoints, state, model, optimizer)
        if not together.is_first:
            state.loss_sum, state.tokens = 0.0, 0  # saved as the sum over all processes
    elif start is not None:
        state.started_from, shared = warm_start(model, corpus.tokenizer, start)
    report = Reporter(checkpoints.folder, settings.num_epochs, tensorboard=tensorboard, silent=not together.is_first)
    run = Run(
        config=config,
        together=together,
        device=device,
        state=state,
        model=model,
        optimizer=optimizer,
        train=corpus.pairs("train"),
        val=corpus.pairs("val"),
        answers=Answers(corpus.tokenizer.target_ids, len(corpus.tokenizer), device),
        checkpoints=checkpoints,
        report=report,
        parallel=together.wrap(model, device),
    )
    if together.is_first and not resume:
        checkpoints.clear()
    report.say(f"INFO Training on {device.type} in {state.precision}, {together.count} process(es)")
    report.say(f"INFO Training examples: {len(run.train)}")
    report.say(f"INFO Validation examples: {len(run.val)}")
    report.say(f"INFO Model parameters: {sum(p.numel() for p in model.parameters())}")
    if shared:
        report.say(f"INFO Starting from {start}, which knew {shared} of the {len(corpus.tokenizer)} tokens")
    if resume:
        report.say(f"INFO Resuming behind epoch {state.epoch}, step {state.step}")
    return run


def training_digest(config: Config) -> str:
    """Digest of the settings that decide what training computes; the number of epochs may be raised on resuming."""
    training = dataclasses.replace(config.training, num_epochs=1, save_every=1, keep_checkpoints=1, device="auto")
    return dataclasses.replace(config, training=training).digest("model", "training")


def _resume(checkpoints: CheckpointFolder, fresh: State, model: Transformer, optimizer: torch.optim.AdamW) -> State:
    """The state of the last checkpoint; weights and optimizer are loaded. The best weights stay as they are on disk."""
    path = checkpoints.find("last")
    state = read_state(path)
    for what in ("settings", "data", "tokenizer"):
        if getattr(state, what) != getattr(fresh, what):
            raise ArtefactError(f"{path}: trained with other {what} than these; train without --resume")
    load_training(path, model, optimizer)
    return state


# ---------------------------------------------------------------- one epoch


def is_finished(state: State, settings: Training) -> bool:
    """Whether a run that stands there has had all its epochs, or has waited long enough for a better one."""
    waited = state.epoch - state.best_epoch
    patient = not settings.early_stopping or state.best_epoch == 0 or waited < settings.early_stopping_patience
    spent = 0 < settings.max_steps <= state.step
    return state.batch == 0 and (state.epoch >= settings.num_epochs or spent or not patient)


def _epoch(run: Run) -> None:
    """Train on every batch once, validate, remember the best, and save when it is time.

    A run that is asked to stop returns from the middle of the epoch; it goes on from there when resumed.
    """
    state, settings = run.state, run.config.training
    order = run.train.order(settings.batch_size, settings.seed, state.epoch)
    total_steps = settings.num_epochs * len(order)
    if settings.max_steps:
        total_steps = min(total_steps, settings.max_steps)
        order = order[: settings.max_steps - (state.step - state.batch)]
    norm = torch.zeros(())
    began = time.perf_counter() - state.seconds
    run.parallel.train()
    for rows in run.report.batches(order[state.batch :], state.epoch + 1, state.batch, len(order)):
        for group in run.optimizer.param_groups:
            group["lr"] = learning_rate(settings, state.step, total_steps)
        norm = _update(run, rows)
        state.batch += 1
        state.step += 1
        if state.batch < len(order) and _stop_wanted(run):
            _pause(run, time.perf_counter() - began)
            return
    _check_losses(run)
    seconds = time.perf_counter() - began
    loss_sum, tokens = run.together.sum([state.loss_sum, float(state.tokens)], run.device)
    row: dict[str, Any] = {
        "epoch": state.epoch + 1,
        "step": state.step,
        "train_loss": loss_sum / tokens,
        "val_loss": evaluate_loss(run.model, run.val, run.answers, run.device, state.precision, settings.batch_size),
        "learning_rate": run.optimizer.param_groups[0]["lr"],
        "gradient_norm": float(norm),
        "seconds": round(seconds, 3),
        "pairs_per_second": round(sum(map(len, order)) / seconds, 1),
    }
    state.epoch += 1
    state.batch, state.loss_sum, state.tokens, state.seconds = 0, 0.0, 0, 0.0
    assert state.history is not None
    state.history.append(row)
    run.report.epoch(row, state.history)
    _remember_best(run, row)
    if state.epoch % settings.save_every == 0:
        _save(run)


def _stop_wanted(run: Run) -> bool:
    """Whether any of the processes was asked to stop, so that all of them do."""
    return bool(run.together.sum([float(run.asked_to_stop)], run.device)[0])


def _pause(run: Run, seconds: float) -> None:
    """Bring the state of an unfinished epoch up to date."""
    state = run.state
    _check_losses(run)
    state.seconds = seconds
    state.loss_sum, tokens = run.together.sum([state.loss_sum, float(state.tokens)], run.device)
    state.tokens = int(tokens)


def _update(run: Run, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Tensor:
    """One update from the pairs in `rows`, shared out over the processes; returns the gradient's norm."""
    state, settings, together = run.state, run.config.training, run.together
    # as many target tokens as the whole batch has, so the update does not depend on how the batch is shared out
    tokens = int(run.train.target.lengths[rows].sum()) - len(rows)
    own = rows[together.rank :: together.count]
    # dropout depends on the step alone, so a resumed run draws what an unbroken one would have
    torch.manual_seed((settings.seed << 32) + state.step * together.count + together.rank)
    batch = run.train.batch(own if len(own) else rows[:1]).to(run.device)
    with autocast(run.device, state.precision):
        logits = run.parallel(batch.source, batch.given, run.answers.columns)
    loss = summed_loss(logits, run.answers.wanted(batch.wanted), settings.label_smoothing)
    if not len(own):
        loss = loss * 0.0
    run.optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss * (together.count / tokens))
    limit = settings.gradient_clip_norm or math.inf
    norm = nn.utils.clip_grad_norm_(run.model.parameters(), limit, foreach=True)
    run.optimizer.step()
    run.unchecked.append(torch.stack([loss.detach(), norm.detach()]))
    state.tokens += int((batch.wanted != PAD).sum()) if len(own) else 0
    if run.device.type != "cuda" or len(run.unchecked) >= _STEPS_BETWEEN_CHECKS:
        _check_losses(run, behind=1)
    return norm


def _check_losses(run: Run, behind: int = 0) -> None:
    """Add the losses since the last look to the epoch's sum.

    Args:
        behind: updates made that `state.step` does not count yet.

    Raises:
        TrainingDiverged: one of the losses, or the norm of its gradient, is infinite or not a number.
    """
    if not run.unchecked:
        return
    rows = torch.stack(run.unchecked).tolist()
    run.unchecked.clear()
    first = run.state.step + behind - len(rows) + 1
    for step, (loss, norm) in enumerate(rows, first):
        if not (math.isfinite(loss) and math.isfinite(norm)):
            last = run.checkpoints.pointed("last")
            kept = f"the last good checkpoint is {last}" if last else "there is no checkpoint yet"
            raise TrainingDiverged(
                f"step {step} (epoch {run.state.epoch + 1}): the loss is {loss}, the gradient's norm {norm}; {kept}; "
                "try a lower training.learning_rate or a longer training.warmup_steps"
            )
        run.state.loss_sum += loss


# ---------------------------------------------------------------- saving


def _remember_best(run: Run, row: dict[str, Any]) -> None:
    state = run.state
    loss = row[run.config.training.monitor]
    if loss is None:
        loss = row["train_loss"]
    if state.best_loss is None or loss < state.best_loss:
        state.best_loss, state.best_epoch = loss, state.epoch
        if run.together.is_first:
            run.best_weights = parameters(run.model)


def _save(run: Run) -> None:
    """Write the best weights and then the last state: a run killed between the two resumes from the state before."""
    if run.together.is_first:
        if run.best_weights:
            run.checkpoints.save_best(run.state, run.best_weights)
        run.checkpoints.save_last(run.state, run.model, run.optimizer, run.config.training.keep_checkpoints)
    run.together.wait()
