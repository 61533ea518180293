"""What kind of file system a path lies on."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
     "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs"}
)  # fmt: skip
_MEMORY = frozenset({"devtmpfs", "hugetlbfs", "ramfs", "tmpfs"})
_LOCAL = frozenset({"bcachefs", "btrfs", "ext4", "f2fs", "overlay", "xfs", "zfs"})
_EXACT, _COARSE = 0.05, 2.5
_TABLE = Path("/proc/self/mountinfo")


def is_network(path: Path, table: Path = _TABLE) -> bool:
    """Tell whether locks on a file may be unknown to other machines; False where the system does not say."""
    kind = _kind(path, table)
    return kind in _NETWORK or kind.startswith("fuse.")


def tick(path: Path, status: os.stat_result, table: Path = _TABLE) -> float | None:
    """
    Return the seconds within which two changes of a file may have the same time.

    None in memory, where writing through a mapping moves no time at all. Linux's own file systems
    take the time of the last interrupt, at most 10 ms ago, unless their inodes have room for whole
    seconds only.
    """
    kind = _kind(path, table)
    if kind in _MEMORY:
        return None
    return _EXACT if kind in _LOCAL and status.st_ctime_ns % 1_000_000_000 else _COARSE


def _kind(path: Path, table: Path) -> str:
    """Return the type of a path's file system; nothing where the system does not say."""
    try:
        device = path.stat().st_dev
        return _kinds(table).get(f"{os.major(device)}:{os.minor(device)}", "")
    except (OSError, AttributeError):
        return ""


@lru_cache(maxsize=4)
def _kinds(table: Path) -> dict[str, str]:
    """Return the file system type of each device (proc(5), mountinfo)."""
    kinds: dict[str, str] = {}
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if dash and len(fields) > 2:  # noqa: PLR2004 - the third field is the device
            kinds[fields[2]] = after.split()[0]
    return kinds
