"""Give a file another name, also where somebody reads it at the moment."""

from __future__ import annotations

import os
import stat
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_TRIES = 10
_PAUSE = 0.02
"""Seconds before the second try; doubled each time."""


def replace(source: Path, target: Path) -> None:
    """Rename over the target; try again where Windows refuses for a moment. Raises OSError."""
    if os.name != "nt":
        source.replace(target)
        return
    for number in range(_TRIES):
        try:
            if target.exists():
                target.chmod(stat.S_IWRITE)
            source.replace(target)
        except PermissionError:  # noqa: PERF203 - ten rounds at most
            if number == _TRIES - 1:
                raise
            time.sleep(_PAUSE * 2**number)
        else:
            return
