"""Whether a path lies on a file system that other machines write too."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

_NETWORK = frozenset(
    {"9p", "afs", "beegfs", "ceph", "cifs", "coda", "gfs2", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs",
     "nfs4", "ocfs2", "orangefs", "pvfs2", "smb3", "smbfs", "vboxsf", "virtiofs"}
)  # fmt: skip
_TABLE = Path("/proc/self/mountinfo")


def is_network(path: Path, table: Path = _TABLE) -> bool:
    """Tell whether locks on a file may be unknown to other machines; False where the system does not say."""
    try:
        device = path.stat().st_dev
        kind = _kinds(table).get(f"{os.major(device)}:{os.minor(device)}", "")
    except (OSError, AttributeError):
        return False
    return kind in _NETWORK or kind.startswith("fuse.")


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
