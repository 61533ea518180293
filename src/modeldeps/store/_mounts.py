"""What kind of file system a path lies on."""

from __future__ import annotations

import os
import re
import time
from functools import lru_cache
from pathlib import Path

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
     "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs"}
)  # fmt: skip
_MEMORY = frozenset({"devtmpfs", "hugetlbfs", "ramfs", "tmpfs"})
_WITHOUT_INODES = frozenset({"exfat", "fuse.exfat", "fuseblk", "msdos", "vfat"})
_KERNEL = frozenset(
    {"binfmt_misc", "bpf", "cgroup", "cgroup2", "configfs", "debugfs", "devpts", "efivarfs", "fusectl",
     "mqueue", "nsfs", "proc", "pstore", "securityfs", "selinuxfs", "sysfs", "tracefs"}
)  # fmt: skip
_LOCAL = frozenset({"bcachefs", "btrfs", "ext4", "f2fs", "overlay", "xfs", "zfs"})
_EXACT, _COARSE = 0.05, 2.5
_TABLE = Path("/proc/self/mountinfo")


def is_network(path: Path, table: Path = _TABLE) -> bool:
    """Tell whether locks on a file may be unknown to other machines; False where the system does not say."""
    kind = _kind(path, table)
    return kind in _NETWORK or kind.startswith("fuse.")


def has_inodes(path: Path, table: Path = _TABLE) -> bool:
    """Tell whether files keep their numbers; FAT and exFAT have none, and Linux makes them up as it goes."""
    return _kind(path, table) not in _WITHOUT_INODES


def kernel_view(path: Path, table: Path = _TABLE) -> str:
    """Return the type of a file system that shows what the kernel knows and keeps no files; else nothing."""
    kind = _kind(path, table)
    return kind if kind in _KERNEL else ""


def tick(path: Path, status: os.stat_result, table: Path = _TABLE) -> float | None:
    """
    Return the seconds within which two changes of a file may have the same time.

    None in memory, where writing through a mapping moves no time at all, and on FAT and exFAT, where a
    file has no time that its owner can't set. Linux's own file systems take the time of the last
    interrupt, at most 10 ms ago, unless their inodes have room for whole seconds only.
    """
    kind = _kind(path, table)
    if kind in _MEMORY or not has_inodes(path, table):
        return None
    return _EXACT if kind in _LOCAL and status.st_ctime_ns % 1_000_000_000 else _COARSE


def _kind(path: Path, table: Path) -> str:
    """
    Return the type of a path's file system; nothing where the system does not say.

    It is found by the device's number, or, as on btrfs, whose subvolumes have numbers of their own,
    by the longest mount point above the path.
    """
    try:
        device = path.stat().st_dev
        mounts = _mounts(table, int(time.monotonic()))
        if kind := mounts.get(f"{os.major(device)}:{os.minor(device)}"):
            return kind
        real = path.resolve()
        return next((mounts[str(one)] for one in (real, *real.parents) if str(one) in mounts), "")
    except (OSError, AttributeError):
        return ""


@lru_cache(maxsize=4)
def _mounts(table: Path, second: int) -> dict[str, str]:  # noqa: ARG001 - a disk mounted since is seen the next second
    """Return the file system type by each device and by each mount point (proc(5), mountinfo)."""
    kinds: dict[str, str] = {}
    for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
        before, dash, after = line.partition(" - ")
        fields, kind = before.split(), after.split()
        if dash and len(fields) > 4 and kind:  # noqa: PLR2004 - device and mount point are the third and the fifth
            place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4])
            kinds[fields[2]] = kinds[place] = kind[0]
    return kinds
