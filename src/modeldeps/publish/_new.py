"""Write a model project around a model file, so that it builds at once."""

from __future__ import annotations

import posixpath
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.errors import CorruptModelError, FolderInUseError, UsageError
from modeldeps.manifest import _checks
from modeldeps.names import check_publishable
from modeldeps.publish._floor import runtime_floor
from modeldeps.publish._onnx import OnnxFile, external_files, read_onnx, survey_file
from modeldeps.publish._payload import READERS
from modeldeps.publish._project import FORMATS, check_license
from modeldeps.publish._refuse import KERAS, refuse_code
from modeldeps.publish._template import pyproject, readme

if TYPE_CHECKING:
    from collections.abc import Sequence

CONVERSIONS = {
    ".h5": KERAS,
    ".keras": KERAS,
    ".pb": "python -m tf2onnx.convert --saved-model DIR --output model.onnx",
    ".mlmodel": "coremltools models can't be converted; export the original model to ONNX",
    ".xml": "an OpenVINO model can't be converted; export the original model to ONNX",
}
"""How other formats become ONNX, by the end of their names."""

UNKNOWN_LICENSE = "LicenseRef-Unspecified"
"""What stands in a new project until its publisher says more; a valid SPDX expression."""

INTEGERS = frozenset(
    {
        "ConvInteger",
        "DynamicQuantizeLinear",
        "MatMulInteger",
        "QLinearConv",
        "QLinearMatMul",
        "QuantizeLinear",
    }
)
"""Operators of models whose weights are 8-bit integers."""


@dataclass(frozen=True)
class NewProject:
    """What a new model project is to say."""

    name: str
    version: str
    license: str = UNKNOWN_LICENSE
    summary: str = ""
    """One line; made of the name where it is empty."""


@dataclass(frozen=True)
class ModelFile:
    """A model file, read."""

    path: Path
    entry: str
    """Its name in the project."""
    format: str
    onnx: OnnxFile | None
    external: Sequence[str]
    """External data, relative to the file."""

    @property
    def precision(self) -> str:
        """Guess what its weights are, from the operators and from the elements of its largest tensors."""
        if self.onnx is None:
            return ""
        if INTEGERS & {name for _, name in self.onnx.operators}:
            return "int8"
        return self.onnx.precision


def new_project(model: Path, output: Path, project: NewProject) -> Path:
    """
    Write a model project around a file, and return its folder.

    Raises FolderInUseError where the folder holds anything, UsageError and InvalidNameError for what was
    asked, CorruptModelError, RefusedFormatError, BuildToolError about the file, and OSError.
    """
    project = _usable(project)
    if output.is_dir() and (there := sorted(one.name for one in output.iterdir())[:5]):
        raise FolderInUseError(output, there)
    found = read_model(model)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{output.name}.", dir=output.parent) as scratch:
        folder = Path(scratch) / "project"
        _write(folder, found, project)
        if not output.is_dir():
            folder.rename(output)
        else:
            for one in folder.iterdir():  # the folder stays, as it may be the one that the user is in
                one.rename(output / one.name)
    return output


def read_model(path: Path) -> ModelFile:
    """Read a model file of a known format; one without a known ending must be ONNX."""
    refuse_code(path)
    if conversion := CONVERSIONS.get(path.suffix.lower()):
        raise CorruptModelError(path, f"a {path.suffix} file", expected="an ONNX file", hint=conversion)
    kind = FORMATS.get(path.suffix.lower(), "onnx")
    entry = path.name if _checks.path(path.name) is None else f"model{path.suffix.lower()}"
    if kind in READERS:
        READERS[kind](path)
    if kind != "onnx":
        return ModelFile(path, entry, kind, None, ())
    return ModelFile(path, entry, kind, read_onnx(path), tuple(external_files(path, survey_file(path))))


def _usable(project: NewProject) -> NewProject:
    """Return the project with its name normalised; refuse words that no project may say."""
    for option, problem in (
        ("--version", _checks.version(project.version)),
        ("--license", check_license(project.license)),
        ("--summary", _checks.line(project.summary)),
    ):
        if problem:
            raise UsageError(f"{option}: {problem}")
    return replace(project, name=check_publishable(project.name))


def _write(folder: Path, found: ModelFile, project: NewProject) -> None:
    folder.mkdir()
    shutil.copyfile(found.path, folder / found.entry)
    for location in found.external:
        target = folder / posixpath.normpath(location)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found.path.parent / location, target)
    inputs, outputs = (found.onnx.inputs, found.onnx.outputs) if found.onnx else ((), ())
    summary = project.summary or f"The model {project.name}"
    words = pyproject(
        {"name": project.name, "version": project.version, "summary": summary, "license": project.license},
        {
            "name": found.precision or "default",
            "format": found.format,
            "entry": found.entry,
            "precision": found.precision,
        },
        interface=(inputs, outputs),
        needs=_needs(found.onnx),
    )
    (folder / "pyproject.toml").write_text(words, "utf-8")
    (folder / "README.md").write_text(readme(project.name, summary, (inputs, outputs)), "utf-8")


def _needs(onnx: OnnxFile | None) -> str:
    """Say what the file needs of ONNX Runtime."""
    if onnx is None:
        return ""
    floor = runtime_floor(onnx.ir_version, onnx.opsets, onnx.operators)
    stamps = ", ".join(f"{domain} opset {version}" for domain, version in onnx.opsets.items())
    return f"IR version {onnx.ir_version}, {stamps}: it needs onnxruntime>={floor[0]}.{floor[1]}"
