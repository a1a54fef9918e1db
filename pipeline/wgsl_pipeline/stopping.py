"""Ctrl-C and termination signals as a request to stop and save."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Interrupted(Exception):
    """Training was asked to stop and has saved its state."""


@contextmanager
def stop_signals(ask: Callable[[], None]) -> Iterator[None]:
    """Call `ask` on Ctrl-C and on a termination signal instead of ending the process."""
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, lambda *_: ask()) for number in signals}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
