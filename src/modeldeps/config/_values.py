"""What the texts of settings mean."""

from __future__ import annotations

from pathlib import Path

MOST_CONNECTIONS = 64
"""Connections to one source that anybody may ask for."""
_SCHEMES = ("file:", "http:", "https:")


def path(text: str, folder: Path | None = None) -> Path:
    """
    Return a path with its `~` resolved; a relative one is meant from `folder`, if there is one.

    Raises ValueError with the reason.
    """
    if not text.strip():
        raise ValueError("expected a path, found a blank text")
    if "\0" in text:
        raise ValueError(f"expected a path, found a character that no path has: {text!r}")
    if "://" in text:  # it may hold a password, so it is not shown
        raise ValueError("expected a path, found a URL")
    try:
        found = Path(text).expanduser()
    except RuntimeError:  # what pathlib raises
        raise ValueError(f"expected a path, found the home of nobody: {text!r}") from None
    return found if folder is None else folder / found


def channel(text: str, folder: Path | None = None) -> str:
    """Return a channel as an absolute URL with a slash at its end. Raises ValueError with the reason."""
    if "://" not in text:
        if text.lower().startswith(_SCHEMES):
            raise ValueError(f"expected a URL or a folder, found a URL without its `//`: {text[:6]}…")
        return path(text, folder).absolute().as_uri().rstrip("/") + "/"
    if "?" in text or "#" in text:
        raise ValueError("expected a URL without ? and #; in a password they are written %3F and %23")
    if text.count("://") > 1:
        raise ValueError("expected one URL, found several; blanks separate them, not commas")
    return text if text.endswith("/") else text + "/"


def connections(text: str) -> int:
    """Return a number of connections. Raises ValueError with the reason."""
    if not text.strip().isdecimal() or not 1 <= int(text[:9]) <= MOST_CONNECTIONS:
        raise ValueError(f"expected a number from 1 to {MOST_CONNECTIONS}, found {text[:20]!r}")
    return int(text)
