"""Whether folders that were named as read-only stores are some."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from modeldeps.store._layout import Layout

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def wrong_layers(folders: Iterable[Path]) -> dict[Path, str]:
    """Return those of some folders that are no stores, each with what is wrong: `is not there`."""
    wrong = {folder.absolute(): _problem(folder) for folder in folders}
    return {folder: problem for folder, problem in wrong.items() if problem}


def _problem(folder: Path) -> str:
    """Return why a folder can't be a layer, or nothing where it can."""
    try:
        if not stat.S_ISDIR(folder.stat().st_mode):
            return "is no folder"
        with os.scandir(folder):
            pass
    except (FileNotFoundError, NotADirectoryError):
        return "is not there"
    except OSError as error:
        return f"can't be read: {(error.strerror or type(error).__name__).lower()}"
    layout = Layout(folder)
    return "" if layout.text() or layout.blobs.is_dir() else "is no store"
