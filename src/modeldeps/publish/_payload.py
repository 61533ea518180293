"""Which files a release consists of, and where their tensors lie."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from modeldeps.errors import Problem, ProjectError
from modeldeps.manifest import _checks
from modeldeps.publish import _gguf, _safetensors, _tflite
from modeldeps.publish._onnx import external_files, survey_file
from modeldeps.publish._project import FORMATS, TABLE, ModelProject

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Stretches = Sequence[tuple[int, int]]
"""Start and length of each tensor of a file."""

READERS: Mapping[str, Callable[[Path], Stretches]] = MappingProxyType(
    {"safetensors": _safetensors.tensors, "gguf": _gguf.tensors, "tflite": _tflite.tensors}
)
"""What tells where the tensors of a file lie, by its format; ONNX has files beside it."""


@dataclass(frozen=True)
class Payload:
    """The files of a release, as paths relative to the project."""

    variants: Mapping[str, tuple[str, ...]]
    """By variant: its entry, its external data, its further files."""
    shared: tuple[str, ...]
    """Files of all variants."""
    examples: tuple[str, ...]
    """Inputs and outputs of the golden examples."""
    tensors: Mapping[str, Stretches]
    """Where the tensors of each file lie; a file that is not parsed has none."""

    def all_paths(self) -> tuple[str, ...]:
        """Return each path once, in a fixed order."""
        groups = [*self.variants.values(), self.shared, self.examples]
        return tuple(dict.fromkeys(path for group in groups for path in group))


def payload(project: ModelProject) -> Payload:
    """
    List the files of a project.

    Raises ProjectError for every file that is not there, CorruptModelError for one that can't be walked.
    """
    _all_there(project)
    tensors: dict[str, Stretches] = {}
    variants = {
        one.name: _with_external(project, (one.entry, *one.files), tensors, first=one.format)
        for one in project.variants
    }
    shared = _with_external(project, project.files, tensors)
    examples = [path for one in project.examples for path in (one.inputs, one.outputs) if path]
    found = Payload(variants, shared, tuple(examples), tensors)
    _all_inside(project, found.all_paths())
    return found


def _all_there(project: ModelProject) -> None:
    named = [(f"files[{index}]", path) for index, path in enumerate(project.files)]
    for number, variant in enumerate(project.variants):
        named.append((f"variants[{number}].entry", variant.entry))
        named += [(f"variants[{number}].files[{index}]", path) for index, path in enumerate(variant.files)]
    for number, example in enumerate(project.examples):
        named.append((f"examples[{number}].inputs", example.inputs))
        named += [(f"examples[{number}].outputs", example.outputs)] if example.outputs else []
    problems = [
        Problem(f"{TABLE}.{key}", _checks.expected("a file of this project", path))
        for key, path in named
        if not (project.folder / path).is_file()
    ]
    if problems:
        raise ProjectError(project.file, problems)


def _all_inside(project: ModelProject, paths: Sequence[str]) -> None:
    """Refuse links that lead out of the project: a release has what its project has, and no more."""
    home = project.folder.resolve()
    problems = [
        Problem("", f"{path} is a link that leads out of the project; copy the file instead")
        for path in paths
        if not (project.folder / path).resolve().is_relative_to(home)
    ]
    if problems:
        raise ProjectError(project.file, problems)


def _look(path: Path, kind: str) -> tuple[Stretches, Mapping[str, Stretches]]:
    """
    Return where the tensors of a file lie, and those of each file of external data beside it.

    A file of another kind has none. Raises CorruptModelError and OSError.
    """
    if kind == "onnx":
        found = survey_file(path)
        own = [(one.start, one.length) for one in found.weights if not one.location]
        external = external_files(path, found)
        return own, {at: [(one.start, one.length) for one in weights] for at, weights in external.items()}
    read = READERS.get(kind)
    return (read(path) if read else []), {}


def _with_external(
    project: ModelProject, paths: Sequence[str], tensors: dict[str, Stretches], *, first: str = ""
) -> tuple[str, ...]:
    """
    Return paths with the external data behind each ONNX file, and note where all their tensors lie.

    `first` is the format of the first path; the end of its name tells that of any other.
    """
    found: list[str] = []
    for path in paths:
        ending = FORMATS.get(posixpath.splitext(path)[1].lower(), "")
        kind = first if not found and first in (*READERS, "onnx") else ending
        own, external = _look(project.folder / path, kind)
        places = {posixpath.join(posixpath.dirname(path), at): there for at, there in external.items()}
        for place, there in {path: own, **places}.items():
            tensors[place] = [*tensors.get(place, ()), *there]
        found += [path, *places]
    return tuple(dict.fromkeys(found))
