"""A second file with the bytes of a first, without copying them: a reflink, where the file system can."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

if sys.platform == "linux":
    import fcntl

    _FICLONE = 0x40049409  # _IOW(0x94, 9, int), linux/fs.h
    _NEW = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW

    def clone(source: int, target: Path) -> bool:
        """Make a new file that shares the blocks of an open one; False, and no file, where that can't be."""
        handle = os.open(target, _NEW, 0o644)
        try:
            fcntl.ioctl(handle, _FICLONE, source)
        except OSError:
            target.unlink()
            return False
        finally:
            os.close(handle)
        return True

elif sys.platform == "darwin":
    import ctypes

    _HERE = -2  # AT_FDCWD, sys/fcntl.h

    def clone(source: int, target: Path) -> bool:
        """Make a new file that shares the blocks of an open one; False, and no file, where that can't be."""
        try:
            made = ctypes.CDLL(None).fclonefileat(source, _HERE, os.fsencode(target), 0)
        except AttributeError:  # before macOS 10.12
            return False
        return bool(made == 0)

else:

    def clone(source: int, target: Path) -> bool:  # noqa: ARG001 - no system call is known here
        """Tell that this system can't."""
        return False
