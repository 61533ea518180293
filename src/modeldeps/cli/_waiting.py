"""Say who is waited for."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

from modeldeps.cli._output import say

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT = 3.0
"""Seconds after which it is said."""


@contextmanager
def waiting(name: str) -> Iterator[None]:
    """Say on stderr that somebody is waited for, if what is done within takes long."""
    timer = threading.Timer(WAIT, say, [f"{name}: no answer for {WAIT:.0f} s; still waiting"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
