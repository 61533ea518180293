"""What the texts of settings mean."""

from __future__ import annotations

from pathlib import Path

MOST_CONNECTIONS = 64
"""Connections to one source that anybody may ask for."""
_LAST_PORT = 65_535
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
    _check_url(text)
    return text if text.endswith("/") else text + "/"


def _check_url(text: str) -> None:
    """Raise ValueError, which holds no secret, where a text is no URL of a channel."""
    scheme, _, rest = text.partition("://")
    if f"{scheme.lower()}:" not in _SCHEMES:
        raise ValueError(f"expected a URL of http, https or file, found one of {scheme[:20]!r}")
    if "?" in text or "#" in text:
        raise ValueError("expected a URL without ? and #; in a password they are written %3F and %23")
    if "://" in rest:
        raise ValueError("expected one URL, found several; blanks separate them, not commas")
    host = rest.partition("/")[0].rpartition("@")[2]
    if not host and scheme.lower() != "file":
        raise ValueError("expected a URL with a host, found one without")
    port = host.rpartition("]")[2].rpartition(":")[2] if ":" in host.rpartition("]")[2] else ""
    if port and not (port.isascii() and port.isdecimal() and int(port[:6]) <= _LAST_PORT):
        raise ValueError("expected a number as the port of the URL; a slash in a password is written %2F")


def connections(text: str) -> int:
    """Return a number of connections. Raises ValueError with the reason."""
    if not text.strip().isdecimal() or not 1 <= int(text[:9]) <= MOST_CONNECTIONS:
        raise ValueError(f"expected a number from 1 to {MOST_CONNECTIONS}, found {text[:20]!r}")
    return int(text)
