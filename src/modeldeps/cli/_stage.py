"""The place where the demo happens: a folder, the commands run in it, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from modeldeps.cli._output import say
from modeldeps.errors import StepFailedError

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Stage:
    """A folder with a store of its own, in which commands are run as a user would type them."""

    folder: Path
    """Everything that the demo makes lies below it."""
    started: float = field(default_factory=time.monotonic)
    """When it began, as a monotonic clock tells."""

    @property
    def store(self) -> Path:
        """The store that every command of the demo uses; nothing of the user's is touched."""
        return self.folder / "store"

    def step(self, text: str) -> None:
        """Announce what comes next, with the seconds since the start."""
        say(f"\n[{time.monotonic() - self.started:4.0f} s] {text}")

    def run(self, words: list[str | Path], *, shown: str, hint: str | None = None) -> str:
        """
        Run a command in the folder, show it as a user types it, and return its stdout.

        Raises StepFailedError with the end of what it printed.
        """
        say(f"  $ {shown}")
        command = [str(word) for word in words]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environ(),
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode != 0:
            raise StepFailedError(command, done.returncode, done.stdout + done.stderr, hint=hint)
        return done.stdout

    def _environ(self) -> dict[str, str]:
        """Return the commands' environment: the user's, with the demo's store and no other settings."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("MODELDEPS_")}
        kept.pop("PYTHONPATH", None)
        kept.pop("VIRTUAL_ENV", None)
        return kept | {
            "MODELDEPS_CACHE": str(self.store),
            "MODELDEPS_CONFIG": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PYTHONIOENCODING": sys.stdout.encoding or "utf-8",
        }

    def make_environment(self, name: str) -> Path:
        """Make a virtual environment in the folder and return its Python."""
        self.run(
            [sys.executable, "-m", "venv", name],
            shown=f"python -m venv {name}",
            hint="this Python needs its venv and ensurepip modules; on Debian: apt install python3-venv",
        )
        parts = ("Scripts", "python.exe") if os.name == "nt" else ("bin", "python")
        return self.folder.joinpath(name, *parts)
