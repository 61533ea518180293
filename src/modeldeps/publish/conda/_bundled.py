"""A bundled build: a release's conda package with its payload inside, for where nothing can be fetched."""

from __future__ import annotations

import mmap
import os
import secrets
from dataclasses import replace
from typing import TYPE_CHECKING

from modeldeps.errors import CondaPackageError, Problem
from modeldeps.fetch.index import MAX_WHEEL, read_wheel
from modeldeps.progress import format_bytes
from modeldeps.publish._wheel import dist_info_name
from modeldeps.publish.conda._archive import FileContent
from modeldeps.publish.conda._package import SITE, CondaPackage, plan_package, site_packages
from modeldeps.publish.conda._read import MAX_BUNDLED, MAX_PACKAGE, blob_place, read_package

if TYPE_CHECKING:
    from pathlib import Path

BUNDLED = ("bundled_0", 0)
"""Build string and number: a solver that may choose takes the pointer package, whose number is higher."""
MAX_PAYLOAD = MAX_BUNDLED - MAX_PACKAGE
"""Bytes of payload that a bundled build has room for."""


def write_bundled(wheel: Path, blobs: Path, output: Path, *, timestamp: int) -> Path:
    """
    Write the bundled build of a release into a folder and return its path.

    `blobs` is the folder that has `ab/DIGEST`; `timestamp` is in milliseconds. Raises what
    `conda_package` raises, CondaPackageError for more payload than a package holds, FileChangedError,
    OSError.
    """
    with wheel.open("rb") as stream:
        data = stream.read(MAX_WHEEL + 1)
    manifest = read_wheel(data, wheel.name).manifest
    payload = {
        blob_place(one.sha256): FileContent(blobs / one.sha256[:2] / one.sha256, one.size, one.sha256)
        for one in manifest.all_files()
    }
    if (total := sum(one.size for one in payload.values())) > MAX_PAYLOAD:
        message = f"expected at most {format_bytes(MAX_PAYLOAD)} of payload, found {format_bytes(total)}"
        raise CondaPackageError(wheel.name, [Problem("bundled build", message)])
    plan = plan_package(data, wheel.name, timestamp=timestamp)
    build, number = BUNDLED
    folder = dist_info_name(manifest)
    files = {path.removeprefix(f"{SITE}/"): content for path, content in plan.files.items()}
    files.update({f"{folder}/{path}": content for path, content in payload.items()})
    plan = replace(
        plan,
        index={**plan.index, "build": build, "build_number": number},
        files=site_packages(files, folder),
    )
    target = output / f"{plan.stem}.conda"
    scratch = target.with_name(f".{target.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with scratch.open("x+b") as part:
            plan.write(part)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def read_package_file(path: Path) -> CondaPackage:
    """Read a conda package of any size; a large one is mapped. Raises as `read_package` does, and OSError."""
    with path.open("rb") as stream:
        if os.fstat(stream.fileno()).st_size <= MAX_PACKAGE:
            return read_package(stream.read(MAX_PACKAGE + 1), path.name)
        return read_package(mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ), path.name)
