"""Write the wheel of a pointer package: a `.dist-info` folder and nothing else."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING, NamedTuple

from modeldeps.digest import record_digest
from modeldeps.manifest import Manifest, dump
from modeldeps.names import wheel_name
from modeldeps.publish._metadata import metadata
from modeldeps.publish._npz import EPOCH, REGULAR

if TYPE_CHECKING:
    from collections.abc import Mapping

WHEEL = b"Wheel-Version: 1.0\nGenerator: modeldeps\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


class Words(NamedTuple):
    """The texts of a release besides its manifest."""

    readme: str
    """Text of the readme, or nothing."""
    readme_name: str
    """Path of the readme in its project."""
    licenses: Mapping[str, bytes]
    """Licence files by their paths in the project."""


def wheel_file_name(manifest: Manifest) -> str:
    """Return `modeldeps_digits-2.1.0-py3-none-any.whl` (PEP 427)."""
    return f"{wheel_name(manifest.name)}-{manifest.version}-py3-none-any.whl"


def dist_info_name(manifest: Manifest) -> str:
    """Return the name of the folder inside the wheel."""
    return f"{wheel_name(manifest.name)}-{manifest.version}.dist-info"


def dist_info(manifest: Manifest, words: Words) -> dict[str, bytes]:
    """Return the files of the `.dist-info` folder without RECORD, by their paths in it."""
    licenses = sorted(words.licenses)
    files = {f"licenses/{name}": words.licenses[name] for name in licenses}
    files["METADATA"] = metadata(
        manifest, licenses=licenses, readme=words.readme, readme_name=words.readme_name
    )
    return {**files, "WHEEL": WHEEL, "model.json": dump(manifest)}


def wheel_bytes(folder: str, contents: Mapping[str, bytes]) -> bytes:
    """
    Return the wheel around a `.dist-info` folder of that name: sorted, one fixed date, one mode.

    Nothing is compressed, because what a compressor writes depends on its version; so the same release
    has the same digest wherever it is built.
    """
    files = {f"{folder}/{name}": content for name, content in sorted(contents.items())}
    record = f"{folder}/RECORD"
    files[record] = _record(files, record)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, EPOCH)
            info.create_system, info.external_attr = 3, REGULAR
            archive.writestr(info, content)
    return target.getvalue()


def _record(files: Mapping[str, bytes], own: str) -> bytes:
    """Return RECORD: path, digest and size of each file, and itself without them (PEP 376, PEP 627)."""
    lines = [f"{_csv(name)},{record_digest(content)},{len(content)}" for name, content in files.items()]
    return "".join(f"{line}\n" for line in [*lines, f"{own},,"]).encode()


def _csv(name: str) -> str:
    return f'"{name}"' if "," in name else name
