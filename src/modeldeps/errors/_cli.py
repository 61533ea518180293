"""Errors of the command line itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors._base import ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Sequence


class NotWholeError(ModelDepsError):
    """This installation of modeldeps lacks a part of itself."""

    def __init__(self, part: str) -> None:
        super().__init__(
            f"this installation of modeldeps lacks {part}", hint="pip install --force-reinstall modeldeps"
        )


class StepFailedError(ModelDepsError):
    """A command that was run as a step did not succeed."""

    def __init__(self, command: Sequence[str], status: int, output: str, *, hint: str | None = None) -> None:
        tail = "\n".join(output.strip().splitlines()[-15:])
        super().__init__(
            "a step of the demo failed",
            ("command", " ".join(command)),
            ("status", status),
            ("output", tail or "none"),
            hint=hint,
        )
