"""What the texts of settings mean."""

from __future__ import annotations

from pathlib import Path

MOST_CONNECTIONS = 64
"""Connections to one source that anybody may ask for."""


def path(text: str) -> Path:
    """Return a path with its `~` resolved. Raises ValueError with the reason."""
    if not text.strip():
        raise ValueError("expected a folder, found a blank text")
    if "\0" in text:
        raise ValueError(f"expected a path, found a character that no path has: {text!r}")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # what pathlib raises
        raise ValueError(f"expected a path, found the home of nobody: {text!r}") from None


def channel(text: str) -> str:
    """Return a channel as an absolute URL with a slash at its end. Raises ValueError with the reason."""
    if "://" not in text:
        return path(text).absolute().as_uri().rstrip("/") + "/"
    return text if text.endswith("/") else text + "/"


def connections(text: str) -> int:
    """Return a number of connections. Raises ValueError with the reason."""
    if not text.strip().isdecimal() or not 1 <= int(text[:9]) <= MOST_CONNECTIONS:
        raise ValueError(f"expected a number from 1 to {MOST_CONNECTIONS}, found {text[:20]!r}")
    return int(text)
