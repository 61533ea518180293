"""Which path a `file://` URL means (RFC 8089), on POSIX and on Windows."""

from __future__ import annotations

import re
from urllib.parse import unquote, urlsplit

from modeldeps.errors import RefusedError

_DRIVE = re.compile(r"/?([A-Za-z])[:|](/.*|)", re.ASCII | re.DOTALL)
_OTHER = "it names another machine; mount its folder and name that"
_ADVICE = "a folder is named by file:///C:/folder/, a share by file://host/share/folder/"


def file_path(url: str, *, windows: bool) -> str:
    """Return the path that a URL means. Raises RefusedError where it is none of this machine's."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise RefusedError(url, "it is no URL that can be asked") from None
    host = "" if parts.netloc.lower() == "localhost" else parts.netloc
    path = unquote(parts.path, errors="surrogateescape")
    if "\0" in path:
        raise RefusedError(url, "there is no such path")
    if parts.query:
        raise RefusedError(url, "a file has no query; a question mark in a path is written as %3F")
    return _on_windows(url, host, path) if windows else _on_posix(url, host, path)


def _on_posix(url: str, host: str, path: str) -> str:
    if host:
        raise RefusedError(url, _OTHER)
    return f"/{path.lstrip('/')}"


def _on_windows(url: str, host: str, path: str) -> str:
    """Return a path on a drive, or on another machine's share (appendix E.3); devices are refused."""
    if not host and (on_drive := _DRIVE.fullmatch(path)):
        return _checked(url, f"{on_drive[1].upper()}:", on_drive[2] or "/")
    if not host and path.startswith("//"):  # four or five slashes, as other programs write a share
        host, _, path = path.lstrip("/").partition("/")
    share, _, inner = path.lstrip("/").partition("/")
    if not host or not share or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", host, re.ASCII):
        raise RefusedError(url, "it names no drive and no share", advice=_ADVICE)
    return _checked(url, f"\\\\{host}", f"/{share}/{inner}")


def _checked(url: str, start: str, path: str) -> str:
    """Put a path together; no name in it may hold what would lead elsewhere."""
    if re.search(r'[\\:|<>"?*]', path):
        raise RefusedError(url, "there is no such path")
    return start + path.replace("/", "\\")
