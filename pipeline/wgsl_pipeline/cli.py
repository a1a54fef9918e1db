"""The `pipeline` command. Every stage is imported inside the command that runs it, so help answers at once."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import Any

import click

from wgsl_infer import __version__
from wgsl_infer.errors import WgslInferError

from .cli_options import configured, load, training_options
from .errors import ArtefactError

_EPILOG = """\b
Exit status:
  0 done    2 wrong usage    4 damaged bundle    5 configuration    6 corpus    7 missing or mismatched files
  8 training diverged    9 export differs from the model    10 device or package missing    130 stopped
"""


class Pipeline(click.Group):
    """Turns the project's errors into one line and an exit status, and lists commands in the order of their use."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order in which they were defined."""
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command."""
        try:
            return super().invoke(ctx)
        except WgslInferError as error:
            click.echo(f"pipeline: {error}", err=True)
            ctx.exit(error.exit_status)
        except KeyboardInterrupt:
            click.echo("pipeline: stopped", err=True)
            ctx.exit(130)
        except OSError as error:
            if error.filename is None:
                raise
            click.echo(f"pipeline: {error.filename}: {error.strerror}", err=True)
            ctx.exit(ArtefactError.exit_status)


@click.group(cls=Pipeline, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="pipeline")
def pipeline() -> None:
    """From a corpus of prompts and code to a model that runs with onnxruntime alone.

    \b
    pipeline init mytask                  a configuration and a corpus to start from
    cd mytask
    pipeline run --config config/mytask.toml
    wgsl-infer --model runs/mytask/bundle "..."

    Each stage reads what the one before it wrote and can be run alone: preprocess, train, export, evaluate.
    """


@pipeline.command()
@click.argument("name")
@click.option(
    "--language", type=click.Choice(["plain", "wgsl"]), default="plain", help="What the answers are written in."
)
def init(name: str, language: str) -> None:
    """Write a commented configuration and a small corpus into a new folder NAME.

    The corpus trains at once, in seconds; replace it by your own.
    """
    from .scaffold import write_project

    for path in write_project(Path(name), language):
        click.echo(f"wrote {path}")
    click.echo(f"\nnow: cd {name} && pipeline run --config config/{Path(name).name}.toml")


@pipeline.command()
def check() -> None:
    """Tell which devices and packages there are, and what is missing."""
    from .doctor import examine

    lines, complete = examine()
    for line in lines:
        click.echo(line)
    click.get_current_context().exit(0 if complete else 10)


@pipeline.command()
@configured
def show(path: Path, overrides: tuple[str, ...]) -> None:
    """Print every setting and what training with them costs."""
    from .cost import describe
    from .render import render_config

    config = load(path, overrides)
    click.echo(render_config(config))
    for line in describe(config):
        click.echo(line)


@pipeline.command()
@configured
def preprocess(path: Path, overrides: tuple[str, ...]) -> None:
    """Turn the corpus into Parquet shards and a tokenizer.

    Exact repetitions are left out and contradictions (one prompt, two codes) kept; both are reported with their line.
    """
    from .stages import run_preprocess

    run_preprocess(load(path, overrides), click.echo)


@pipeline.command()
@configured
@training_options
@click.option("--resume", is_flag=True, help="Go on from the last checkpoint, bit for bit.")
@click.option(
    "--from",
    "start",
    type=click.Path(path_type=Path),
    metavar="RUN",
    help="Start from the weights of another run's folder; its corpus may have been smaller.",
)
def train(
    path: Path,
    overrides: tuple[str, ...],
    epochs: int | None,
    device: str | None,
    tensorboard: bool,
    resume: bool,
    start: Path | None,
) -> None:
    """Train the model; Ctrl-C saves it and says how to go on.

    On several GPUs: torchrun --nproc-per-node=N -m wgsl_pipeline train --config FILE
    """
    from .stages import run_train

    config = load(path, overrides, epochs, device)
    if resume and start:
        raise click.UsageError("--resume goes on with this run, --from begins another: only one of them is possible")
    if not run_train(config, resume=resume, tensorboard=tensorboard, start=start):
        click.echo(f"stopped and saved; to go on: pipeline train --config {path} --resume", err=True)
        click.get_current_context().exit(130)


@pipeline.command()
@configured
@click.argument("runs", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="RUN RUN...")
def average(path: Path, overrides: tuple[str, ...], runs: tuple[Path, ...]) -> None:
    """Average the best weights of RUNs that began at the same ones (train --from) and differ in their seeds.

    The average becomes the best checkpoint of the configuration's own run, which may have none yet.
    """
    from .averaging import average as run_average

    if len(runs) < 2:
        raise click.UsageError("it takes two runs or more to average")
    config = load(path, overrides)
    run_average(config, runs, click.echo)
    click.echo(f"Wrote {config.checkpoint_folder}")


@pipeline.command()
@configured
@click.option("--force", is_flag=True, help="Replace a bundle that is already there.")
def export(path: Path, overrides: tuple[str, ...], force: bool) -> None:
    """Write the best checkpoint as a bundle, after proving that it computes what the model does."""
    from wgsl_export import export_bundle

    config = load(path, overrides)
    export_bundle(config, force=force, say=click.echo)
    click.echo(f'now: wgsl-infer --model {config.bundle_folder} "..."')


@pipeline.command()
@configured
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a bundle that is already there.")
def ship(path: Path, overrides: tuple[str, ...], folder: Path, force: bool) -> None:
    """Copy the bundle to FOLDER without what answering does not need: one precision, no safetensors."""
    from wgsl_export import ship_bundle

    manifest = ship_bundle(load(path, overrides).bundle_folder, folder, force=force)
    size = sum(entry["bytes"] for entry in manifest["files"].values()) + (folder / "manifest.json").stat().st_size
    click.echo(f"{size / 1e6:.2f} MB in {folder}")


@pipeline.command()
@configured
@click.argument("pairs", nargs=-1, type=click.Path(exists=True, path_type=Path))
def calibrate(path: Path, overrides: tuple[str, ...], pairs: tuple[Path, ...]) -> None:
    """Fit the bundle's confidence on pairs it was not trained on.

    PAIRS are TOML files or folders; without any, the validation and test parts of the corpus are taken. Confidences
    then say how probably an answer is right, and answers below a threshold are withheld.
    """
    from .evaluation import calibrate as run_calibration

    run_calibration(load(path, overrides), pairs, click.echo)


@pipeline.command()
@configured
@click.option(
    "--part",
    "parts",
    multiple=True,
    type=click.Choice(["train", "val", "test"]),
    help="The part of the corpus; may be repeated. Unless told: val and test together.",
)
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="At most N pairs, evenly spread.")
@click.option("--bundle", type=click.Path(path_type=Path), metavar="DIR", help="Another bundle than the run's own.")
@click.option("--precision", type=click.Choice(["int8", "float32"]), help="Which graphs of the bundle to run.")
@click.option("--beam", type=click.IntRange(min=1), metavar="N", help="Keep N hypotheses at each step (1: greedy).")
def evaluate(
    path: Path,
    overrides: tuple[str, ...],
    parts: tuple[str, ...],
    limit: int | None,
    bundle: Path | None,
    precision: str | None,
    beam: int | None,
) -> None:
    """Measure the bundle on a part of the corpus, beside a retrieval baseline; writes report.json and report.html.

    With the [validate] extra and a graphics adapter, answers are also compiled and run.
    """
    from .evaluation import DEFAULT_PARTS, Options
    from .evaluation import evaluate as run_evaluation

    command = shlex.join(["pipeline", *sys.argv[1:]])
    chosen = tuple(dict.fromkeys(parts)) or DEFAULT_PARTS
    options = Options(chosen, limit, bundle, precision, beam, command)
    run_evaluation(load(path, overrides), options, click.echo)


@pipeline.command()
@configured
@training_options
def run(path: Path, overrides: tuple[str, ...], epochs: int | None, device: str | None, tensorboard: bool) -> None:
    """Run all stages, skipping those whose inputs have not changed and resuming what was interrupted."""
    from wgsl_export import export_bundle

    from .stages import bundle_is_current, data_is_current, run_preprocess, run_train, training_status

    config = load(path, overrides, epochs, device)
    if data_is_current(config):
        click.echo(f"preprocess: {config.data_folder} is up to date")
    else:
        run_preprocess(config, click.echo)
    status = training_status(config)
    if status == "done":
        click.echo(f"train: {config.checkpoint_folder} is up to date")
    elif not run_train(config, resume=status == "unfinished", tensorboard=tensorboard):
        click.echo(f"stopped and saved; to go on: pipeline run --config {path}", err=True)
        click.get_current_context().exit(130)
    if bundle_is_current(config):
        click.echo(f"export: {config.bundle_folder} is up to date")
    else:
        export_bundle(config, force=True, say=click.echo)
    click.echo(f'now: wgsl-infer --model {config.bundle_folder} "..."')


@pipeline.command()
@configured
def validate(path: Path, overrides: tuple[str, ...]) -> None:
    """Compile every WGSL code of the corpus with naga and name those that fail.

    Of every recipe several pairs are drawn, compiled and, where they are values, run.

    Needs the [validate] extra and a graphics adapter (on Linux without a GPU: apt-get install mesa-vulkan-drivers).
    """
    from .stages import validate_corpus

    config = load(path, overrides)
    failures, count = validate_corpus(config)
    for failure in failures:
        click.echo(failure)
    click.echo(f"{count - len(failures)} of {count} codes and recipes are right")
    click.get_current_context().exit(6 if failures else 0)


@pipeline.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the shell's completion script; for bash: eval "$(pipeline completion bash)"."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(pipeline, {}, "pipeline", "_PIPELINE_COMPLETE").source())
