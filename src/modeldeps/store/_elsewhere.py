"""
Where other tools keep bytes that may be wanted here.

Their folders are found by their own rules, and only looked at. Two of them name files by sha256,
so that a look-up costs one `lstat` a folder.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from modeldeps.manifest import File

MAX_REPOSITORIES = 10_000
"""Folders of one Hugging Face cache that are looked at."""


def candidates(file: File, environ: Mapping[str, str] | None = None) -> Iterator[Path]:
    """
    Yield files of known caches that bear the digest as their name and have the right size.

    Nothing is read: whoever takes one hashes it first. `environ` is `os.environ` by default.
    """
    variables = os.environ if environ is None else environ
    for hub in hubs(variables):
        yield from (one for folder in _blob_folders(hub) if (one := _named(folder, file.sha256, file.size)))
    for root in ollama(variables):
        if found := _named(str(root / "blobs"), f"sha256-{file.sha256}", file.size):
            yield found


def _named(folder: str, name: str, size: int) -> Path | None:
    path = f"{folder}{os.sep}{name}"
    try:
        status = os.lstat(path)
    except OSError:
        return None
    return Path(path) if stat.S_ISREG(status.st_mode) and status.st_size == size else None


def _blob_folders(hub: Path) -> list[str]:
    """Return the `blobs` folder of each repository (huggingface_hub, "Understand caching")."""
    try:
        names = os.listdir(hub)  # noqa: PTH208 - the fastest listing
    except OSError:
        return []
    kinds = ("models--", "datasets--", "spaces--")
    return [f"{hub}{os.sep}{one}{os.sep}blobs" for one in names if one.startswith(kinds)][:MAX_REPOSITORIES]


def hubs(variables: Mapping[str, str]) -> list[Path]:
    """Return the caches of the Hugging Face Hub (huggingface_hub, constants.py)."""
    cache = variables.get("XDG_CACHE_HOME") or "~/.cache"
    home = variables.get("HF_HOME") or f"{cache}/huggingface"
    named = variables.get("HF_HUB_CACHE") or variables.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return _folders(os.path.expandvars(named))


def ollama(variables: Mapping[str, str]) -> list[Path]:
    """Return the folders of Ollama's models (ollama, docs/faq.md); on Linux also that of its service."""
    if named := variables.get("OLLAMA_MODELS"):
        return _folders(named)
    service = ["/usr/share/ollama/.ollama/models"] if sys.platform == "linux" else []
    return _folders("~/.ollama/models", *service)


def _folders(*names: str) -> list[Path]:
    """Return the absolute ones of these folders, each once; others would mean something else everywhere."""
    found = (os.path.expanduser(one) for one in names)  # noqa: PTH111 - Path's raises without a home
    return [Path(one) for one in dict.fromkeys(found) if os.path.isabs(one) and "\0" not in one]  # noqa: PTH117 - texts
