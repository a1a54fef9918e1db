"""What the runtime's tests share: the committed fixture bundle, the corpus that it knows by heart, and the command.

Nothing here needs torch; `tests/fixtures/make_bundle.py` makes the bundle.
"""

from __future__ import annotations

import io
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from runtime_builders import Run
from wgsl_infer import Generator, Tokenizer
from wgsl_infer.cli import main
from wgsl_infer.generator import MODEL_VARIABLE

FIXTURES = Path(__file__).parents[1] / "fixtures"


@pytest.fixture(autouse=True)
def _no_model_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(MODEL_VARIABLE, raising=False)


@pytest.fixture(scope="session")
def bundle_folder() -> Path:
    return FIXTURES / "bundle"


@pytest.fixture
def bundle_copy(bundle_folder: Path, tmp_path: Path) -> Path:
    """A bundle that a test may damage."""
    return shutil.copytree(bundle_folder, tmp_path / "bundle")


@pytest.fixture(scope="session")
def pairs() -> list[tuple[str, str]]:
    """Prompt and code of every pair of the fixture corpus, which is written in the house style."""
    examples = tomllib.loads((FIXTURES / "corpus.toml").read_text(encoding="utf-8"))["examples"]
    return [(row["natural_language"], row["wgsl_code"].strip()) for row in examples]


@pytest.fixture(scope="session")
def tokenizer(bundle_folder: Path) -> Tokenizer:
    """The tokenizer learnt from the fixture corpus."""
    return Tokenizer.load(bundle_folder / "tokenizer.json")


@pytest.fixture(scope="session")
def generator(bundle_folder: Path) -> Generator:
    """The fixture bundle in float32, whose answers do not depend on the batch."""
    return Generator(bundle_folder, precision="float32")


class Terminal(io.TextIOWrapper):
    """A file that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, bundle_folder: Path
) -> Run:
    """Run the command in this process, with the fixture bundle: (exit status, stdout, stderr)."""
    monkeypatch.setenv(MODEL_VARIABLE, str(bundle_folder))

    def run(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> tuple[int, str, str]:
        (tmp_path / "stdin").write_bytes(stdin)
        with (Terminal if terminal else io.TextIOWrapper)((tmp_path / "stdin").open("rb")) as file:
            monkeypatch.setattr(sys, "stdin", file)
            try:
                status = main(arguments)
            except SystemExit as leaving:
                status = int(leaving.code or 0)
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return run
