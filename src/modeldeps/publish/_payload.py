"""Which files a release consists of, and where their tensors lie."""

from __future__ import annotations

import json
import posixpath
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from modeldeps.errors import CorruptModelError, Problem, ProjectError
from modeldeps.manifest import _checks
from modeldeps.publish._onnx import external_files, survey_file
from modeldeps.publish._project import TABLE, ModelProject, VariantPlan

if TYPE_CHECKING:
    from pathlib import Path

Stretches = Sequence[tuple[int, int]]
"""Start and length of each tensor of a file."""

MAX_HEADER = 100 << 20
"""Bytes of a safetensors header, as its own readers limit it."""


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
    variants = {one.name: _variant_files(project, one, tensors) for one in project.variants}
    examples = [path for one in project.examples for path in (one.inputs, one.outputs) if path]
    found = Payload(variants, project.files, tuple(examples), tensors)
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


def _variant_files(
    project: ModelProject, variant: VariantPlan, tensors: dict[str, Stretches]
) -> tuple[str, ...]:
    """Return the paths of a variant, and note where the tensors of its files lie."""
    paths = [variant.entry]
    file = project.folder / variant.entry
    if variant.format == "onnx":
        found = survey_file(file)
        tensors[variant.entry] = [(one.start, one.length) for one in found.weights if not one.location]
        for location, weights in external_files(file, found).items():
            path = posixpath.join(posixpath.dirname(variant.entry), location)
            paths.append(path)
            tensors[path] = [(one.start, one.length) for one in weights]
    elif variant.format == "safetensors":
        tensors[variant.entry] = safetensors(file)
    return tuple(dict.fromkeys([*paths, *variant.files]))


def safetensors(path: Path) -> Stretches:
    """
    Read where the tensors of a safetensors file lie: 8 bytes of length, a JSON header, the data.

    Raises CorruptModelError and OSError.
    """
    expected = "a whole safetensors file"
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(struct.calcsize("<Q")), "little")
        size = path.stat().st_size
        if not 1 < length <= min(MAX_HEADER, size - 8):
            raise CorruptModelError(path, f"a header of {length} bytes in {size}", expected=expected)
        text = stream.read(length)
    try:
        header: Mapping[str, Mapping[str, Sequence[int]]] = json.loads(text)
        places = [one["data_offsets"] for name, one in header.items() if name != "__metadata__"]
        found = [(8 + length + start, end - start) for start, end in places]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise CorruptModelError(path, f"a header that can't be read: {error}", expected=expected) from None
    if any(start < 8 + length or count < 0 or start + count > size for start, count in found):
        raise CorruptModelError(path, f"tensors beyond its {size} bytes", expected=expected)
    return found
