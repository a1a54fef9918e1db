"""A bundle on disk: the manifest that describes it, and the check that every file is what the manifest says."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .confidence import Calibration
from .errors import BundleError, TokenizerError
from .grammar import Grammar
from .tokenizer import Tokenizer, text_fingerprint

FORMAT = 3
GRAPH_PARTS = ("answer", "encoder", "decoder", "weights")
MANIFEST = "manifest.json"
TOKENIZER = "tokenizer.json"
GRAMMAR = "grammar.json"

# What the runtime reads of the manifest besides the list of files: numbers above 0, and names.
_NEEDED: dict[str, dict[str, Any]] = {
    "tokenizer": {"fingerprint": str},
    "model": {"parameters": int, "decoder_layers": int, "d_model": int, "nhead": int, "max_seq_len": int},
    "generation": {"precision": str, "beam": int, "length_penalty": (int, float), "max_tokens": int},
}


@dataclass(frozen=True)
class Bundle:
    """An opened bundle: its folder and its manifest. No file but the manifest has been read yet."""

    folder: Path
    manifest: dict[str, Any]

    @classmethod
    def open(cls, folder: Path) -> Bundle:
        """Read the manifest and see that every file it lists is there in full.

        Raises:
            BundleError: the folder holds no bundle of this format, or a file is missing or cut short.
        """
        path = folder / MANIFEST
        try:
            manifest = json.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise BundleError(f"{path}: no bundle there ({error.strerror})") from error
        except ValueError as error:
            raise BundleError(f"{path}: not a manifest ({error})") from error
        if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
            raise BundleError(f"{path}: not a bundle of format {FORMAT}; export it again")
        try:
            _check_values(manifest)
            for name, entry in manifest["files"].items():
                _check_size(folder / name, entry["bytes"])
        except (LookupError, TypeError, ValueError, AttributeError) as error:
            raise BundleError(f"{path}: damaged manifest ({type(error).__name__}: {error})") from error
        return cls(folder, manifest)

    @property
    def fingerprint(self) -> str:
        """Of the tokenizer that everything in the bundle was made with."""
        return str(self.manifest["tokenizer"]["fingerprint"])

    @property
    def precisions(self) -> list[str]:
        """The number formats there are graphs for."""
        return list(self.manifest["graphs"])

    @property
    def defaults(self) -> dict[str, Any]:
        """How to generate unless told otherwise."""
        return dict(self.manifest["generation"])

    def file(self, name: str) -> Path:
        """The path of a file of the bundle, after its hash has been checked.

        Raises:
            BundleError: the file is not in the manifest, or its bytes are not those that were exported.
        """
        entry = self.manifest["files"].get(name)
        if entry is None:
            raise BundleError(f"{self.folder / MANIFEST}: lists no file {name}")
        path = self.folder / name
        if file_hash(path) != entry["sha256"]:
            raise BundleError(f"{path}: damaged: its sha256 is not the one in {MANIFEST}")
        return path

    def calibration(self) -> Calibration | None:
        """What turns the evidence for an answer into a probability; None where `pipeline calibrate` did not run.

        Raises:
            BundleError: the manifest's is damaged.
        """
        row = self.manifest.get("calibration")
        if row is None:
            return None
        try:
            return Calibration.read(row)
        except (LookupError, TypeError, ValueError) as error:
            raise BundleError(f"{self.folder / MANIFEST}: damaged calibration ({error})") from error

    def grammar(self) -> Grammar | None:
        """The grammar of the answers; None where the bundle has none, as for answers in a language of the user's own.

        Raises:
            BundleError: the file is damaged.
        """
        if GRAMMAR not in self.manifest["files"]:
            return None
        path = self.file(GRAMMAR)
        try:
            return Grammar(json.loads(path.read_text(encoding="utf-8")))
        except (LookupError, TypeError, ValueError) as error:
            raise BundleError(f"{path}: damaged grammar ({type(error).__name__}: {error})") from error

    def tokenizer(self) -> Tokenizer:
        """The bundle's tokenizer.

        Raises:
            BundleError: the tokenizer is damaged or belongs to another bundle.
        """
        path = self.file(TOKENIZER)
        try:
            tokenizer = Tokenizer.load(path)
        except TokenizerError as error:
            raise BundleError(str(error)) from error
        # a file just as it was written need not be written again to be hashed, which takes longer than to read it
        as_it_stands = text_fingerprint(path.read_text(encoding="utf-8"))
        if as_it_stands != self.fingerprint and tokenizer.fingerprint != self.fingerprint:
            raise BundleError(f"{path}: another tokenizer than the one the model was trained with")
        return tokenizer


def file_hash(path: Path) -> str:
    """sha256 of a file's bytes, in hexadecimal.

    Raises:
        BundleError: the file cannot be read.
    """
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror})") from error


def _check_values(manifest: dict[str, Any]) -> None:
    for table, kinds in _NEEDED.items():
        for key, kind in kinds.items():
            value = manifest[table][key]
            if not isinstance(value, kind) or (kind is int and value < 1):
                raise ValueError(f"{table}.{key} is {value!r}")
    files = manifest["files"]
    graphs = [parts[part] for parts in manifest["graphs"].values() for part in GRAPH_PARTS]
    hashes = [files[name]["sha256"] for name in (TOKENIZER, *graphs)]
    default = manifest["generation"]["precision"]
    if default not in manifest["graphs"] or not all(isinstance(text, str) for text in hashes):
        raise ValueError(f"no {default} graphs, or no hash for a file")


def _check_size(path: Path, size: int) -> None:
    if not path.is_file():
        raise BundleError(f"{path}: missing from the bundle")
    found = path.stat().st_size
    if found != size:
        raise BundleError(f"{path}: damaged: {found} bytes instead of {size}")
