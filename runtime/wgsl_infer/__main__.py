"""The `wgsl-infer` command as a process of its own; also `python -m wgsl_infer`."""

from __future__ import annotations

import gc
import os
import sys
from typing import NoReturn

from .cli import main

_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # a start makes fewer, and nearly all of them to be kept


def run() -> NoReturn:
    """Run the command and end the process with its exit status.

    A sixth of the time of one answer would go into looking for garbage while modules are loaded, and into taking apart
    sessions and modules at the end, which the end of the process does as well.
    """
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    status = main()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)


if __name__ == "__main__":
    run()
