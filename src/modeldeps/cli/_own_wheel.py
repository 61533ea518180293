"""A wheel of modeldeps itself, made from where it is installed: build isolation needs one to install."""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import record_digest
from modeldeps.errors import NotWholeError

if TYPE_CHECKING:
    from collections.abc import Iterator

DATE = (1980, 1, 1, 0, 0, 0)
"""The date of every entry: a zip file's earliest."""
KEPT = ("METADATA", "WHEEL", "entry_points.txt", "licenses/LICENSE")
"""What a wheel's `.dist-info` needs of the installed one; an installer writes the rest itself."""
DIGITS = "_digits"
"""The demo's model projects, inside the installed package."""


def package_folder() -> Path:
    """Return the folder that modeldeps is imported from."""
    return Path(__file__).parents[1]


def digits_folder() -> Path:
    """
    Return the folder of the digits projects: in the package, or beside the sources in a checkout.

    Raises NotWholeError.
    """
    for folder in (package_folder() / DIGITS, package_folder().parents[1] / "fixtures" / "digits"):
        if folder.is_dir():
            return folder
    raise NotWholeError("the digits projects")


def write_own_wheel(folder: Path) -> Path:
    """
    Write the wheel of this very modeldeps into a folder and return its path (PEP 427).

    Works from a regular and from an editable installation. Raises NotWholeError where the
    installation lacks its metadata.
    """
    version, info = _metadata()
    target = folder / f"modeldeps-{version}-py3-none-any.whl"
    lines: list[str] = []
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted({**dict(_code()), **info}.items()):
            archive.writestr(zipfile.ZipInfo(name, DATE), data, zipfile.ZIP_DEFLATED)
            lines.append(f"{name},{record_digest(data)},{len(data)}")
        record = f"modeldeps-{version}.dist-info/RECORD"
        archive.writestr(zipfile.ZipInfo(record, DATE), "\n".join([*lines, f"{record},,", ""]))
    return target


def _code() -> Iterator[tuple[str, bytes]]:
    """Yield the names and bytes of the package's files, the digits projects among them."""
    folders = {package_folder(): "modeldeps", digits_folder(): f"modeldeps/{DIGITS}"}
    for folder, name in folders.items():
        for file in sorted(folder.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield f"{name}/{file.relative_to(folder).as_posix()}", file.read_bytes()


def _metadata() -> tuple[str, dict[str, bytes]]:
    """Return the version and the `.dist-info` files of the installed modeldeps."""
    try:
        installed = metadata.distribution("modeldeps")
    except metadata.PackageNotFoundError:
        raise NotWholeError("its metadata") from None
    found: dict[str, bytes] = {}
    for name in KEPT:
        text = installed.read_text(name)
        if text is not None:
            found[f"modeldeps-{installed.version}.dist-info/{name}"] = text.encode()
    return installed.version, found
