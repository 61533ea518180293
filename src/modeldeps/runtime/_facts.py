"""What is known about an execution provider on this machine: it works, or it fails for a reason."""

from __future__ import annotations

from typing import TypeAlias

from modeldeps._frozen import dataclass


@dataclass(frozen=True)
class Works:
    """Nothing speaks against the provider."""

    detail: str
    """What was found, in a few words."""


@dataclass(frozen=True)
class Fails:
    """The provider does not work here."""

    reason: str
    """Why, in a few words."""
    hint: str | None = None
    """What to do about it."""


Fact: TypeAlias = "Works | Fails"
