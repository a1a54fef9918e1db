"""Who may import whom: the runtime nothing but numpy and onnxruntime, the pipeline the runtime, the export both."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import wgsl_infer

ROOT = Path(__file__).parents[2]
ROOMS = {"wgsl_infer": ROOT / "runtime", "wgsl_pipeline": ROOT / "pipeline", "wgsl_export": ROOT / "export"}
TRAINING = {"click", "lark", "matplotlib", "numpy", "onnx", "pyarrow", "safetensors", "torch", "tqdm", "wgpu"}
ALLOWED = {
    "wgsl_infer": {"wgsl_infer", "numpy", "onnxruntime"},
    "wgsl_pipeline": {"wgsl_pipeline", "wgsl_infer", "wgsl_export", *TRAINING},
    "wgsl_export": {"wgsl_export", "wgsl_infer", "wgsl_pipeline", "onnxruntime", *TRAINING},
}
EXTRA = {"validation": {"wgpu"}}  # of the extra `wgsl-infer[validate]`, imported when something is validated
HEAVY = [
    "torch",
    "onnx",
    "pyarrow",
    "click",
    "safetensors",
    "wgpu",
    "matplotlib",
    "tqdm",
    "wgsl_pipeline",
    "wgsl_export",
]


def sources(package: str) -> list[Path]:
    return sorted((ROOMS[package] / package).rglob("*.py"))


def imports(path: Path, package: str) -> Iterator[tuple[str, bool]]:
    """The top-level packages a file imports, and whether it does so inside a function."""

    def walk(node: ast.AST, inside: bool) -> Iterator[tuple[str, bool]]:
        if isinstance(node, ast.Import):
            yield from ((alias.name.split(".")[0], inside) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield (package if node.level else (node.module or "").split(".")[0]), inside
        elif isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in ("import_module", "__import__"):
            # of a name made at run time the beginning counts: behind a dot comes a module of the package itself
            name = ast.unparse(node.args[0]).lstrip("f").strip("'\"").split(".")[0]
            yield name or package, inside
        for below in ast.iter_child_nodes(node):
            yield from walk(below, inside or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))

    return walk(ast.parse(path.read_text(encoding="utf-8"), str(path)), False)


def foreign(path: Path, package: str) -> set[str]:
    return {name for name, _ in imports(path, package) if name not in sys.stdlib_module_names}


@pytest.mark.parametrize("package", ROOMS)
def test_every_import_is_allowed(package: str) -> None:
    files = sources(package)
    assert len(files) > 3
    found = {
        str(path.relative_to(ROOT)): foreign(path, package) - ALLOWED[package] - EXTRA.get(path.parent.name, set())
        for path in files
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_the_pipeline_meets_the_export_only_inside_commands() -> None:
    meetings = {
        (path.name, inside)
        for path in sources("wgsl_pipeline")
        for name, inside in imports(path, "wgsl_pipeline")
        if name == "wgsl_export"
    }
    assert meetings <= {("cli.py", True)}


def test_the_walk_sees_every_form_of_import(tmp_path: Path) -> None:
    path = tmp_path / "some.py"
    path.write_text(
        "import torch.nn as nn, json\nfrom pyarrow import parquet\nfrom . import own\nfrom .own import x\n"
        "def f():\n    import click\n    if x:\n        from onnx.helper import make_node\n"
        "class C:\n    import tqdm\n    def m(self):\n        return import_module('wgpu')\n"
        "def __getattr__(name):\n    return importlib.import_module(f'.{name}', __name__)\n"
    )
    assert list(imports(path, "me")) == [
        ("torch", False),
        ("json", False),
        ("pyarrow", False),
        ("me", False),
        ("me", False),
        ("click", True),
        ("onnx", True),
        ("tqdm", False),
        ("wgpu", True),
        ("me", True),
    ]


# ---------------------------------------------------------------- in a fresh process


def loaded(code: str, *names: str) -> list[str]:
    """Which of these modules are there after a fresh interpreter has run the code."""
    report = f"import json, sys\nprint(json.dumps([name for name in {list(names)!r} if name in sys.modules]))"
    command = [sys.executable, "-W", "error", "-c", f"{code}\n{report}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_answering_a_prompt_loads_nothing_that_only_training_needs(bundle_folder: Path) -> None:
    code = (
        "import wgsl_infer\n"
        f"answer = wgsl_infer.Generator({str(bundle_folder)!r})('normalize a vector', n_best=2)\n"
        "assert answer.code == 'normalize(v)', answer"
    )
    assert loaded(code, "onnxruntime", *HEAVY) == ["onnxruntime"]


def test_the_tokenizer_needs_no_onnxruntime() -> None:
    assert loaded("from wgsl_infer import Tokenizer", "wgsl_infer.tokenizer", "onnxruntime", *HEAVY) == [
        "wgsl_infer.tokenizer"
    ]


def test_the_help_of_the_command_waits_for_nothing_heavy() -> None:
    code = "from wgsl_infer.cli import main\ntry:\n    main(['--help'])\nexcept SystemExit:\n    pass"
    assert loaded(code, "wgsl_infer.cli", "numpy", "onnxruntime", *HEAVY) == ["wgsl_infer.cli"]


# ---------------------------------------------------------------- the public face


def test_the_public_face_is_pinned() -> None:
    assert wgsl_infer.__all__ == [
        "Alternative",
        "Answer",
        "BundleError",
        "Generator",
        "Tokenizer",
        "TokenizerError",
        "UsageError",
        "WgslInferError",
        "__version__",
    ]


def test_every_public_name_is_there_and_listed() -> None:
    for name in wgsl_infer.__all__:
        assert getattr(wgsl_infer, name) is not None
    assert dir(wgsl_infer) == sorted(wgsl_infer.__all__)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Generatr'"):
        _ = wgsl_infer.Generatr
    assert not hasattr(wgsl_infer, "import_module_")


def test_every_error_is_of_one_family_with_a_status() -> None:
    statuses = {
        name: getattr(wgsl_infer, name).exit_status
        for name in wgsl_infer.__all__
        if name.endswith("Error") and issubclass(getattr(wgsl_infer, name), wgsl_infer.WgslInferError)
    }
    assert statuses == {"BundleError": 4, "TokenizerError": 4, "UsageError": 2, "WgslInferError": 1}
