#!/usr/bin/env python3
"""Set up and run, on a machine with Python 3.11 or later and nothing else.

    python3 dev.py ask "normalize a vector"     ask the bundled model; installs onnxruntime and numpy alone
    python3 dev.py demo "normalize a vector"    train the 44 M model on the seed corpus, export it, and ask it
    python3 dev.py test                         everything CI checks: lint, types, tests, and the wheel on its own

All install into folders of this checkout (.venv, .venv-ask, .venv-wheel) and leave the rest of the machine alone,
except that `test` installs Mesa's software Vulkan with apt where it may: the corpus is compiled for a graphics device.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
CONFIG = "config/wgsl_generation.toml"
BUNDLE = "runs/wgsl_generation/bundle"
VULKAN_DRIVER = Path("/usr/share/vulkan/icd.d")
OLDEST = ("onnxruntime==1.22.0", "numpy==1.26.4")  # the lowest versions that pyproject.toml admits


def main() -> int:
    """Run the command named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name, text in (("ask", "ask the bundled model"), ("demo", "train, export and ask")):
        asking = commands.add_parser(name, help=text)
        asking.add_argument("prompt", nargs="*", default=["normalize a vector"])
    commands.add_parser("test", help="lint, types, tests and the wheel")
    options = parser.parse_args()
    try:
        if options.command == "ask":
            ask(" ".join(options.prompt))
        elif options.command == "demo":
            run_demo(" ".join(options.prompt))
        else:
            run_tests()
    except subprocess.CalledProcessError as error:
        print(f"\nfailed: {' '.join(map(str, error.cmd))}", file=sys.stderr)
        return 1
    return 0


def ask(prompt: str) -> None:
    """Answer one prompt with the model that comes with the package."""
    tools = environment(".venv-ask", "-e", ".")
    print(f'$ wgsl-infer "{prompt}"', flush=True)
    run(tools / "wgsl-infer", prompt)


def run_demo(prompt: str) -> None:
    """Train on the 85 pairs unless that has been done, and answer one prompt."""
    tools = environment(".venv", "-c", "constraints.txt", "-e", ".[train]")
    run(tools / "pipeline", "run", "--config", CONFIG, "--epochs", "30")
    print(f'\n$ wgsl-infer --model {BUNDLE} "{prompt}"', flush=True)
    run(tools / "wgsl-infer", "--model", BUNDLE, prompt)


def run_tests() -> None:
    """All checks, the cheap ones first."""
    install_vulkan()
    tools = environment(".venv", "-c", "constraints.txt", "-e", ".[train,validate,dev]")
    run(tools / "ruff", "check")
    run(tools / "ruff", "format", "--check")
    run(tools / "mypy")
    run(tools / "pytest", "-q")
    run(tools / "python", "-m", "build", "--wheel", "--outdir", "build/wheel", env={"PIP_CONSTRAINT": ""})
    wheel = max(Path(ROOT, "build", "wheel").glob("*.whl"), key=lambda path: path.stat().st_mtime)
    # the runtime's tests once more, from the wheel, without torch and with the oldest onnxruntime and numpy
    alone = environment(".venv-wheel", str(wheel), *OLDEST, "pytest==9.2.0", "--force-reinstall")
    run(alone / "pytest", "-q", "tests/runtime")


def environment(name: str, *install: str) -> Path:
    """The folder of programs of a virtual environment, made if need be, with these arguments given to pip."""
    folder = ROOT / name
    programs = folder / ("Scripts" if os.name == "nt" else "bin")
    if not programs.exists():
        venv.create(folder, with_pip=True)
    run(programs / "python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *install)
    return programs


def install_vulkan() -> None:
    """Mesa's Vulkan driver for the CPU, where no driver is there and apt can bring it."""
    if any(VULKAN_DRIVER.glob("*.json")) or not shutil.which("apt-get") or os.geteuid() != 0:
        return
    run("apt-get", "update", "-qq")
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", "mesa-vulkan-drivers", "libvulkan1")


def run(*command: object, env: dict[str, str] | None = None) -> None:
    """Run a program in the checkout; its output goes where ours does."""
    subprocess.run([str(part) for part in command], cwd=ROOT, env={**os.environ, **(env or {})}, check=True)


if __name__ == "__main__":
    sys.exit(main())
