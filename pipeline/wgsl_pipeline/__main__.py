"""The entry point of the `pipeline` command, which needs the [train] extra and says so."""

from __future__ import annotations

import sys
from importlib.util import find_spec

from .extras import INSTALL, NEEDED


def main() -> None:
    """Run the command, or say what to install for it."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        print(f"pipeline: {', '.join(missing)} not installed: {INSTALL}", file=sys.stderr)
        sys.exit(10)
    from .cli import pipeline

    pipeline()


if __name__ == "__main__":
    main()
