"""Conda packages of the releases that tests make by hand, and of distributions that are no model's."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from releases import Release, pack, record_of

from modeldeps.progress import Reporter
from modeldeps.publish.conda import CondaPackage, conda_package, read_package
from modeldeps.publish.conda._package import plan_package

if TYPE_CHECKING:
    from pathlib import Path

STAMP = 1_700_000_000_000
PACKAGE = "modeldeps-digits-2.1.0-pointer_1.conda"
WHEELS = "modeldeps-digits-2.0.0-py3_none_any_0"
OLD = "modeldeps-digits-2.0.0-pointer_1.conda"


class Notes(Reporter):
    """Keep what a publisher is told."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def note(self, text: str) -> None:
        self.notes.append(text)


def package_of(release: Release, *, stamp: int = STAMP) -> CondaPackage:
    """Return the package that a release's wheel makes."""
    return conda_package(release.wheel(), release.filename, timestamp=stamp)


def rebuilt(release: Release, **changes: object) -> CondaPackage:
    """Return a package with other words in its index, as a publisher's own tool might make it."""
    plan = plan_package(release.wheel(), release.filename, timestamp=STAMP)
    plan = replace(plan, index={**plan.index, **changes})
    target = io.BytesIO()
    plan.write(target)
    return read_package(target.getvalue(), f"{plan.stem}.conda")


def plain(name: str = "tool", version: str = "1.0", *, stamp: int = STAMP) -> CondaPackage:
    """Return the package of a distribution that is no model's."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {
        f"{name.replace('-', '_')}.py": b"",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = record_of(contents, f"{info}/RECORD")
    return conda_package(pack(contents), f"{info[:-10]}-py3-none-any.whl", timestamp=stamp)


def write(folder: Path, *packages: CondaPackage) -> Path:
    """Write packages into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for one in packages:
        (folder / one.filename).write_bytes(one.data)
    return folder


def index(root: Path, subdir: str = "noarch") -> dict[str, Any]:
    """Return what solvers read."""
    value = json.loads((root / subdir / "repodata.json").read_bytes())
    assert isinstance(value, dict)
    return value
