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
    from collections.abc import Callable, Iterator, Mapping

    from modeldeps.manifest import File

MAX_REPOSITORIES = 10_000
"""Folders of one Hugging Face cache that are looked at."""
MAX_LIST = 1 << 20
"""Characters of conda's list of environments that are read."""


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


def carried_by(folder: Path, file: File) -> Iterator[Path]:
    """Yield what a folder with `sha256/ab/DIGEST` has under a file's digest, if it has its size."""
    if found := _named(f"{folder}{os.sep}sha256{os.sep}{file.sha256[:2]}", file.sha256, file.size):
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
    home = variables.get("HF_HOME") or f"{_xdg(variables)}/huggingface"
    named = variables.get("HF_HUB_CACHE") or variables.get("HUGGINGFACE_HUB_CACHE") or f"{home}/hub"
    return _folders(os.path.expandvars(named))


def ollama(variables: Mapping[str, str]) -> list[Path]:
    """Return the folders of Ollama's models (ollama, docs/faq.md); on Linux also that of its service."""
    if named := variables.get("OLLAMA_MODELS"):
        return _folders(named)
    service = ["/usr/share/ollama/.ollama/models"] if sys.platform == "linux" else []
    return _folders("~/.ollama/models", *service)


def torch(variables: Mapping[str, str]) -> list[Path]:
    """Return the folder of torch hub (torch/hub.py, `get_dir`)."""
    return _folders(variables.get("TORCH_HOME") or f"{_xdg(variables)}/torch")


def pip(variables: Mapping[str, str]) -> list[Path]:
    """Return the cache of pip: what it downloaded, and the wheels that it built (pip, "Caching")."""
    return _folders(variables.get("PIP_CACHE_DIR") or _platform_cache(variables, "pip", windows="pip/Cache"))


def uv(variables: Mapping[str, str]) -> list[Path]:
    """Return the unpacked wheels in the cache of uv (uv, "Caching")."""
    default = f"{variables.get('LOCALAPPDATA', '')}/uv/cache" if os.name == "nt" else f"{_xdg(variables)}/uv"
    root = variables.get("UV_CACHE_DIR") or default
    return [found for folder in _folders(root) for found in sorted(folder.glob("archive-v*"))]


def conda(variables: Mapping[str, str]) -> list[Path]:
    """Return the package caches of conda, mamba, pixi and rattler, then conda's environments."""
    named = variables.get("CONDA_PKGS_DIRS", "").replace(",", os.pathsep).split(os.pathsep)
    roots = [
        variables.get("MAMBA_ROOT_PREFIX"),
        variables.get("CONDA_ROOT"),
        _two_up(variables.get("CONDA_EXE")),
    ]
    rattler = [variables.get("RATTLER_CACHE_DIR"), variables.get("PIXI_CACHE_DIR")]
    default = _platform_cache(variables, "rattler", windows="rattler") + "/cache"
    caches = [f"{one}/pkgs" for one in (*roots, *rattler, default, "~/.conda", "~/.mamba") if one]
    return _folders(*named, *caches, *_conda_environments(), variables.get("CONDA_PREFIX", ""))


def _conda_environments() -> list[str]:
    """Return the environments that conda has made for this user (conda, "environments.txt")."""
    listed = os.path.expanduser("~/.conda/environments.txt")  # noqa: PTH111 - Path's raises without a home
    try:
        with open(listed, encoding="utf-8", errors="surrogateescape") as stream:  # noqa: PTH123 - a text
            return stream.read(MAX_LIST).splitlines()
    except OSError:
        return []


def _two_up(program: str | None) -> str | None:
    """Return the prefix that a program lies in, as `PREFIX/bin/conda` does."""
    return str(Path(program).parent.parent) if program else None


def _xdg(variables: Mapping[str, str]) -> str:
    return variables.get("XDG_CACHE_HOME") or "~/.cache"


def _platform_cache(variables: Mapping[str, str], name: str, *, windows: str) -> str:
    """Return where the platform keeps the cache of a tool (platformdirs)."""
    if os.name == "nt":
        return f"{variables.get('LOCALAPPDATA', '')}/{windows}"
    return f"~/Library/Caches/{name}" if sys.platform == "darwin" else f"{_xdg(variables)}/{name}"


def _folders(*names: str) -> list[Path]:
    """Return the absolute ones of these folders, each once; others would mean something else everywhere."""
    found = (os.path.expanduser(one) for one in names)  # noqa: PTH111 - Path's raises without a home
    return [Path(one) for one in dict.fromkeys(found) if os.path.isabs(one) and "\0" not in one]  # noqa: PTH117 - texts


CACHES: Mapping[str, Callable[[Mapping[str, str]], list[Path]]] = {
    "hf": hubs,
    "ollama": ollama,
    "torch": torch,
    "pip": pip,
    "uv": uv,
    "conda": conda,
}
"""The caches that are known by name, each with what tells its folders."""
