"""The stages as the commands run them: what they print, and whether their inputs have changed since they last ran."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from wgsl_infer.bundle import MANIFEST, file_hash
from wgsl_infer.errors import WgslInferError

from .config import Config
from .files import read_json
from .preprocess import inputs_digest, preprocess

Say = Callable[[str], object]


def run_preprocess(config: Config, say: Say) -> None:
    """Run preprocessing and print the statistics of the corpus."""
    say(f"Loading configuration from: {config.path}")
    report = preprocess(config, say)
    for warning in report.warnings:
        say(f"WARNING {warning}")
    figures = report.figures
    parts = figures["parts"]
    say(f"Total examples: {figures['examples']}")
    say(f"Train: {parts['train']}, Val: {parts['val']}, Test: {parts['test']}")
    say("Categories:")
    for category, count in figures["categories"].items():
        say(f"  {category}: {count}")
    say(f"Average lengths: prompt {figures['prompt_tokens']} tokens, code {figures['code_tokens']} tokens")
    say(f"Vocabulary: {figures['learned_tokens']} words and lexemes, {figures['vocabulary']} tokens in all")
    say(f"Wrote {config.data_folder}")


def run_train(config: Config, *, resume: bool, tensorboard: bool, start: Path | None = None) -> bool:
    """Train with the seed's banner; False if the run was stopped and has saved its state."""
    from .stopping import Interrupted
    from .train import train

    model = config.model
    depth = f"{model.encoder_depth}+{model.decoder_depth}"
    print(f"Loading configuration from: {config.path}")
    print(f"  Task: {config.task.name}")
    print(f"  Model: {model.architecture} (d_model={model.d_model}, layers={depth}, heads={model.nhead})")
    epochs, size, rate = config.training.num_epochs, config.training.batch_size, config.training.learning_rate
    print(f"  Training: {epochs} epochs, batch_size={size}, lr={rate:g}", flush=True)
    try:
        train(config, resume=resume, start=start, tensorboard=tensorboard)
    except Interrupted:
        return False
    print(f"Wrote {config.checkpoint_folder}")
    return True


def data_is_current(config: Config) -> bool:
    """Whether the data folder was made from this corpus with these settings."""
    try:
        return bool(read_json(config.data_folder / "corpus.json", "")["inputs"] == inputs_digest(config))
    except (WgslInferError, KeyError):
        return False


def training_status(config: Config) -> str:
    """`done`, `unfinished` (the last checkpoint can be resumed) or `new`."""
    from .checkpoint import CheckpointFolder, read_state
    from .dataset import Corpus
    from .train import is_finished, training_digest

    try:
        corpus = Corpus.open(config.data_folder)
        state = read_state(CheckpointFolder(config.checkpoint_folder).find("last"))
    except WgslInferError:
        return "new"
    made_from = (training_digest(config), corpus.figures["inputs"], corpus.tokenizer.fingerprint)
    if (state.settings, state.data, state.tokenizer) != made_from:
        return "new"
    return "done" if is_finished(state, config.training) else "unfinished"


def bundle_is_current(config: Config) -> bool:
    """Whether the bundle was made from the best checkpoint with these settings."""
    from .checkpoint import MODEL, CheckpointFolder, read_state

    try:
        made_from = read_json(config.bundle_folder / MANIFEST, "")["training"]
        best = CheckpointFolder(config.checkpoint_folder).find("best")
        state = read_state(best)
        # equal weights may belong to another tokenizer or another max_seq_len
        now = {
            "checkpoint": file_hash(best / MODEL),
            "data": state.data,
            "settings": state.settings,
            "export_settings": config.digest("export"),
        }
        return bool(now.items() <= made_from.items())
    except (WgslInferError, KeyError):
        return False


def validate_corpus(config: Config) -> tuple[list[str], int]:
    """Compile all codes of the corpus and try all recipes; a line for each at fault, and how many there are of both.

    Raises:
        CorpusError: a file cannot be read.
        EnvironmentLacks: there is no compiler or no adapter.
    """
    from wgsl_infer.validation import Validator

    from .corpus import corpus_files, read_examples

    validator = Validator()
    failures, count = [], 0
    for file in corpus_files(Path(config.dataset.train_path)):
        for example in read_examples(file):
            count += 1
            if diagnostic := validator.check(example.code):
                failures.append(f"{example.file}:{example.line}: {example.prompt!r}: {diagnostic}")
    if config.dataset.recipes:
        from .recipes.read import read_cookbook
        from .recipes.verify import verify

        book = read_cookbook(Path(config.dataset.recipes))
        failures += map(str, verify(book, validator))
        count += len(book.recipes)
    return failures, count
