"""A bundle that is damaged, cut short or mixed up is refused, and the message names the file."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from wgsl_infer import BundleError, Generator, Tokenizer
from wgsl_infer.bundle import Bundle, file_hash

FILES = {"tokenizer.json": "int8"} | {
    name: precision
    for precision in ("int8", "float32")
    for name in (*(f"{part}.{precision}.onnx" for part in ("answer", "encoder", "decoder")), f"weights.{precision}.bin")
}


def flip(path: Path, place: float) -> None:
    """Change one bit of one byte, at this share of the file's length."""
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 0x20
    path.write_bytes(data)


def edit(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    change(manifest)
    path.write_text(json.dumps(manifest), encoding="utf-8")


def put(folder: Path, name: str, data: bytes) -> None:
    """Replace a file as someone would who knows how the manifest is made."""
    (folder / name).write_bytes(data)
    entry = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest(), "dtype": ""}
    edit(folder, lambda manifest: manifest["files"].update({name: entry}))


def refusal(folder: Path, precision: str = "int8") -> str:
    with pytest.raises(BundleError) as error:
        Generator(folder, precision=precision)("normalize a vector", beam=2)  # with a beam, step by step
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_sound_bundle_opens(bundle_folder: Path) -> None:
    bundle = Bundle.open(bundle_folder)
    assert bundle.precisions == ["float32", "int8"]
    defaults = {"precision": "int8", "beam": 1, "second_look": 8, "length_penalty": 1.0, "max_tokens": 126}
    assert bundle.defaults == defaults
    assert bundle.tokenizer().fingerprint == bundle.fingerprint
    assert bundle.file("encoder.int8.onnx") == bundle_folder / "encoder.int8.onnx"


def test_every_file_of_the_fixture_is_listed_and_whole(bundle_folder: Path) -> None:
    files = Bundle.open(bundle_folder).manifest["files"]
    assert {path.name for path in bundle_folder.iterdir()} == {"manifest.json", *files}
    for name, entry in files.items():
        assert file_hash(bundle_folder / name) == entry["sha256"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("place", [0.0, 0.37, 1.0])
def test_one_flipped_bit_is_noticed(bundle_copy: Path, name: str, place: float) -> None:
    flip(bundle_copy / name, place)
    message = refusal(bundle_copy, FILES[name])
    assert str(bundle_copy / name) in message
    assert "damaged" in message


def test_files_that_are_not_used_are_not_read(bundle_copy: Path) -> None:
    for name in ("model.safetensors", "answer.float32.onnx", "weights.float32.bin"):
        flip(bundle_copy / name, 0.5)
    assert Generator(bundle_copy, precision="int8")("normalize a vector").code == "normalize(v)"


@pytest.mark.parametrize("name", [*FILES, "model.safetensors"])
def test_a_missing_file_is_noticed(bundle_copy: Path, name: str) -> None:
    (bundle_copy / name).unlink()
    assert refusal(bundle_copy) == f"{bundle_copy / name}: missing from the bundle"


@pytest.mark.parametrize("name", [*FILES, "model.safetensors"])
def test_a_file_cut_short_is_noticed(bundle_copy: Path, name: str) -> None:
    data = (bundle_copy / name).read_bytes()
    (bundle_copy / name).write_bytes(data[:-1])
    assert refusal(bundle_copy) == f"{bundle_copy / name}: damaged: {len(data) - 1} bytes instead of {len(data)}"


@pytest.mark.parametrize("folder", ["nowhere", "bundle/manifest.json"])
def test_a_folder_that_is_no_bundle_is_refused(bundle_copy: Path, folder: str) -> None:
    path = bundle_copy.parent / folder
    assert refusal(path).startswith(f"{path / 'manifest.json'}: no bundle there")


# ---------------------------------------------------------------- mixed up


def another_tokenizer(bundle: Path) -> Tokenizer:
    data = json.loads((bundle / "tokenizer.json").read_text(encoding="utf-8"))
    tokens = data["tokens"]
    tokens[0], tokens[1] = tokens[1], tokens[0]
    return Tokenizer(tokens, data["uses"], lowercase=True, max_length=128, merges=data["merges"])


def test_the_tokenizer_of_another_bundle_is_refused(bundle_copy: Path) -> None:
    put(bundle_copy, "tokenizer.json", another_tokenizer(bundle_copy).to_text().encode())
    message = refusal(bundle_copy)
    assert str(bundle_copy / "tokenizer.json") in message
    assert "another tokenizer" in message


def test_graphs_made_with_another_tokenizer_are_refused(bundle_copy: Path) -> None:
    other = another_tokenizer(bundle_copy)
    put(bundle_copy, "tokenizer.json", other.to_text().encode())
    edit(bundle_copy, lambda manifest: manifest["tokenizer"].update(fingerprint=other.fingerprint))
    message = refusal(bundle_copy)
    assert message.startswith(f"{bundle_copy / 'answer.int8.onnx'}: made with another tokenizer")


def test_a_tokenizer_of_another_format_is_refused_by_name(bundle_copy: Path) -> None:
    data = json.loads((bundle_copy / "tokenizer.json").read_text(encoding="utf-8"))
    put(bundle_copy, "tokenizer.json", json.dumps(data | {"format": 2}).encode())
    assert refusal(bundle_copy).startswith(f"{bundle_copy / 'tokenizer.json'}: written by another version")


def test_what_onnxruntime_cannot_load_is_refused_by_name(bundle_copy: Path) -> None:
    put(bundle_copy, "decoder.int8.onnx", b"no graph")
    message = refusal(bundle_copy)
    assert message.startswith(f"{bundle_copy / 'decoder.int8.onnx'}: onnxruntime ")
    assert "cannot load it" in message


def test_a_decoder_in_place_of_the_encoder_is_refused(bundle_copy: Path) -> None:
    shutil.copy(bundle_copy / "decoder.int8.onnx", bundle_copy / "encoder.int8.onnx")
    assert str(bundle_copy / "encoder.int8.onnx") in refusal(bundle_copy)


@pytest.mark.parametrize("key", ["nhead", "d_model", "decoder_layers"])
def test_graphs_of_another_network_than_the_manifest_describes_are_refused(bundle_copy: Path, key: str) -> None:
    edit(bundle_copy, lambda manifest: manifest["model"].update({key: manifest["model"][key] * 2}))
    assert refusal(bundle_copy) == (
        f"{bundle_copy / 'decoder.int8.onnx'}: not the network that manifest.json describes"
    )


# ---------------------------------------------------------------- manifest


@pytest.mark.parametrize("version", [0, 2, "3", None])
def test_another_format_is_refused(bundle_copy: Path, version: object) -> None:
    edit(bundle_copy, lambda manifest: manifest.update(format=version))
    assert refusal(bundle_copy) == f"{bundle_copy / 'manifest.json'}: not a bundle of format 3; export it again"


@pytest.mark.parametrize("contents", [b"", b"{", b"\xff", b"[]", b"null", b"1", b"{}", b'{"format": 1}'])
def test_what_is_no_manifest_is_refused(bundle_copy: Path, contents: bytes) -> None:
    (bundle_copy / "manifest.json").write_bytes(contents)
    assert refusal(bundle_copy).startswith(f"{bundle_copy / 'manifest.json'}: ")


@pytest.mark.parametrize(
    "place",
    [
        "files",
        "graphs",
        "tokenizer",
        "model",
        "generation",
        "tokenizer.fingerprint",
        "model.parameters",
        "model.decoder_layers",
        "model.d_model",
        "model.nhead",
        "model.max_seq_len",
        "generation.precision",
        "generation.beam",
        "generation.length_penalty",
        "generation.max_tokens",
        "graphs.int8",
        "graphs.int8.encoder",
        "graphs.float32.decoder",
        "graphs.int8.answer",
        "graphs.int8.weights",
    ],
)
@pytest.mark.parametrize("value", [None, "?", []], ids=["gone", "a word", "a list"])
def test_a_manifest_that_lacks_a_value_is_refused(bundle_copy: Path, place: str, value: object) -> None:
    if value == "?" and place in ("tokenizer.fingerprint", "generation.precision"):
        value = 7

    def change(manifest: dict[str, Any]) -> None:
        *tables, key = place.split(".")
        for table in tables:
            manifest = manifest[table]
        if value is None:
            del manifest[key]
        else:
            manifest[key] = value

    edit(bundle_copy, change)
    assert refusal(bundle_copy).startswith(f"{bundle_copy / 'manifest.json'}: ")


@pytest.mark.parametrize("key", ["bytes", "sha256"])
def test_a_file_without_size_or_hash_is_refused(bundle_copy: Path, key: str) -> None:
    edit(bundle_copy, lambda manifest: manifest["files"]["decoder.int8.onnx"].pop(key))
    assert refusal(bundle_copy).startswith(f"{bundle_copy / 'manifest.json'}: damaged manifest")


def test_a_file_that_is_not_listed_is_refused(bundle_copy: Path) -> None:
    with pytest.raises(BundleError, match=r"lists no file secret\.txt"):
        Bundle.open(bundle_copy).file("secret.txt")


def test_a_flipped_bit_of_the_manifest_ends_in_no_other_error(bundle_copy: Path) -> None:
    path = bundle_copy / "manifest.json"
    sound = path.read_bytes()
    places = range(0, len(sound), 7)
    refused = 0
    for k in places:
        path.write_bytes(sound[:k] + bytes([sound[k] ^ 0x10]) + sound[k + 1 :])
        try:
            Bundle.open(bundle_copy).tokenizer()
        except BundleError as error:
            assert str(bundle_copy) in str(error)
            refused += 1
    assert refused > len(places) / 3
