"""Where this process is: its environment, its machine or container, the file system of a path."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

from modeldeps.digest import short_key

_MOUNTS = Path("/proc/self/mountinfo")
_ID = Path("/etc/machine-id")
_ABOVE = 4
"""Folders above a site folder that may be the environment's own."""


def environment_of(location: Path) -> tuple[str, Path]:
    """
    Return the kind and the folder of the environment that a pointer package lies in.

    A virtual environment is known by its `pyvenv.cfg` (PEP 405), a conda prefix by its `conda-meta`;
    what lies in neither belongs to this interpreter's installation, or is a folder such as
    `pip install --target` makes.
    """
    site = location.parent
    for folder in list(site.parents)[:_ABOVE]:
        if (folder / "pyvenv.cfg").is_file():
            return "venv", folder
        if (folder / "conda-meta").is_dir():
            return "conda", folder
    for prefix in (Path(sys.prefix), Path(sys.base_prefix)):
        if prefix in site.parents:
            return "python", prefix
    return "folder", site


def mount_of(path: Path) -> str:
    """Return where the file system is mounted that a path lies on."""
    real = Path(os.path.realpath(path))
    return str(next((one for one in (real, *real.parents) if os.path.ismount(one)), real.anchor))


@lru_cache(maxsize=4)
def machine(mounts: Path = _MOUNTS, number: Path = _ID) -> str:
    """
    Return a name of this machine or container that no other one has, and that stays over restarts.

    A container is known by the writable layer of its file system; a machine by a digest of its
    machine-id(5), which must not be shown itself; else the host's name must do.
    """
    if layer := _writable_layer(mounts):
        return f"container-{short_key(layer.encode())}"
    with suppress(OSError):
        if found := number.read_bytes()[:100].strip():
            return f"machine-{short_key(b'modeldeps ' + found)}"
    if hasattr(os, "uname"):
        return f"host-{os.uname().nodename}"
    import platform  # noqa: PLC0415 - for Windows alone

    return f"host-{platform.node()}"


def _writable_layer(mounts: Path) -> str:
    """Return the upper folder of an overlay that is the root (proc(5), mountinfo), or nothing."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    layer = ""
    for line in lines:
        before, _, after = line.partition(" - ")
        where, what = before.split(), after.split()
        if len(where) > 4 and len(what) > 2 and where[4] == "/":  # noqa: PLR2004 - the fields of proc(5)
            options = what[2].split(",") if what[0] == "overlay" else ()
            layer = next((one for one in options if one.startswith("upperdir=")), "")
    return layer
