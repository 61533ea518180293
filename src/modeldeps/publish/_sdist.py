"""Write the source distribution of a model project: everything that its wheel is made of."""

from __future__ import annotations

import io
import os
import tarfile
from typing import IO, TYPE_CHECKING, cast

from modeldeps.manifest import File, Manifest, Variant
from modeldeps.names import wheel_name
from modeldeps.publish._gzip import StoredGzip
from modeldeps.publish._metadata import package_info
from modeldeps.publish._payload import payload
from modeldeps.publish._project import ModelProject, read_project
from modeldeps.publish._refuse import refuse_code
from modeldeps.publish._release import read_words

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MODE = 0o644
"""Mode of every file in the archive."""


def write_sdist(project_dir: Path, output: Path) -> Path:
    """
    Write `NAME-VERSION.tar.gz` (PEP 625) and return where it is.

    The archive comes out the same every time: sorted, without dates and owners, stored rather than
    compressed, since weights hardly shrink. Raises the project's errors, and OSError.
    """
    project = read_project(project_dir)
    name = f"{wheel_name(project.name)}-{project.version}"
    output.mkdir(parents=True, exist_ok=True)
    target = output / f"{name}.tar.gz"
    scratch = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with (
            scratch.open("wb") as stream,
            StoredGzip(stream) as packed,
            tarfile.open(fileobj=cast("IO[bytes]", packed), mode="w|", format=tarfile.PAX_FORMAT) as archive,
        ):
            for path, content in _members(project):
                _add(archive, f"{name}/{path}", content)
        scratch.replace(target)
    finally:
        scratch.unlink(missing_ok=True)
    return target


def _members(project: ModelProject) -> Iterator[tuple[str, Path | bytes]]:
    """Yield the path and the content of each file, in order."""
    words = read_words(project)
    files = payload(project).all_paths()
    for path in files:
        refuse_code(project.folder / path)
    paths = {"pyproject.toml", *words.licenses, *files}
    if project.readme:
        paths.add(project.readme)
    info = package_info(
        _identity(project),
        licenses=sorted(words.licenses),
        readme=words.readme,
        readme_name=words.readme_name,
    )
    yield "PKG-INFO", info
    for path in sorted(paths):
        yield path, project.folder / path


def _identity(project: ModelProject) -> Manifest:
    """Return as much of a manifest as its metadata show before the files are read."""
    nothing = Variant(project.variants[0].name, "onnx", "", (File("", 0, ""),))
    return Manifest(
        project.name,
        project.version,
        project.summary,
        project.license,
        (nothing,),
        (nothing.name,),
        task=project.task,
        homepage=project.homepage,
        authors=project.authors,
    )


def _add(archive: tarfile.TarFile, name: str, content: Path | bytes) -> None:
    info = tarfile.TarInfo(name)
    info.mode = MODE
    if isinstance(content, bytes):
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
        return
    info.size = content.stat().st_size
    with content.open("rb") as stream:
        archive.addfile(info, stream)
