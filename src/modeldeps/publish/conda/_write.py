"""The conda package of a wheel, written beside it."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from modeldeps.errors import CondaPackageError, ModelDepsError
from modeldeps.fetch.index import MAX_WHEEL
from modeldeps.files import write_atomically
from modeldeps.publish.conda._package import CondaPackage, conda_package
from modeldeps.publish.conda._read import MAX_PACKAGE, read_package

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.progress import Reporter


def write_package(wheel: Path, output: Path, *, reporter: Reporter) -> Path:
    """
    Write the conda package of a wheel into a folder and return its path.

    A package that differs only in its time is left as it is, so that building again changes nothing.
    Raises what `conda_package` raises, and OSError.
    """
    with wheel.open("rb") as stream:
        data = stream.read(MAX_WHEEL + 1)
    made = conda_package(data, wheel.name, timestamp=moment())
    for note in made.notes:
        reporter.note(f"{made.filename}: {note}")
    output.mkdir(parents=True, exist_ok=True)
    target = output / made.filename
    if not _is_same(target, data, wheel.name):
        write_atomically(target, bytes(made.data), durable=False)
    return target


def write_package_if_possible(wheel: Path, output: Path, *, reporter: Reporter) -> Path | None:
    """Do as `write_package`; where conda has no words for what the wheel says, say so and return None."""
    try:
        return write_package(wheel, output, reporter=reporter)
    except CondaPackageError as error:
        reporter.note(f"no conda package: {'; '.join(map(str, error.problems))}")
        return None


def moment() -> int:
    """Return this moment in milliseconds since 1970, or the one that SOURCE_DATE_EPOCH names."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    return (int(epoch) if epoch.isascii() and epoch.isdigit() else int(time.time())) * 1000


def _is_same(target: Path, wheel: bytes, filename: str) -> bool:
    """Tell whether a file is the package of this wheel, made at whatever time."""
    found = _readable(target)
    stamp = found.record.get("timestamp") if found else None
    if found is None or not isinstance(stamp, int) or os.environ.get("SOURCE_DATE_EPOCH"):
        return False
    return conda_package(wheel, filename, timestamp=stamp).data == found.data


def _readable(target: Path) -> CondaPackage | None:
    try:
        with target.open("rb") as stream:
            return read_package(stream.read(MAX_PACKAGE + 1), target.name)
    except (ModelDepsError, OSError):
        return None
