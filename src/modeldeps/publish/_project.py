"""A model project: what the table [tool.modeldeps.model] of a pyproject.toml says."""

from __future__ import annotations

import datetime as dt
import difflib
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from modeldeps.errors import InvalidNameError, NotAModelProjectError, Problem, ProjectError
from modeldeps.manifest import Extra, Json, Lineage, Metric, Tolerance, _checks
from modeldeps.manifest._parse import _dimension as parse_dimension
from modeldeps.manifest._parse import _lineage as parse_lineage
from modeldeps.manifest._parse import _metric as parse_metric
from modeldeps.manifest._parse import _tolerance as parse_tolerance
from modeldeps.manifest._read import Reader
from modeldeps.names import check_publishable
from modeldeps.project._pyproject import Pyproject

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

T = TypeVar("T")

TABLE = "tool.modeldeps.model"
"""Where a model project says what it is."""

FORMATS = {
    ".onnx": "onnx",
    ".ort": "ort",
    ".safetensors": "safetensors",
    ".gguf": "gguf",
    ".tflite": "tflite",
}
"""The format of an entry by the end of its name, where a variant does not say."""


@dataclass(frozen=True)
class TensorNotes:
    """What a publisher adds to an input or output."""

    description: str = ""
    """What it means."""
    unit: str = ""
    """Unit of its values."""
    dtype: str = ""
    """Element type, where the file does not say it."""
    shape: tuple[int | str | None, ...] | None = None
    """Sizes and names of the dimensions; names replace those of the file."""


@dataclass(frozen=True)
class VariantPlan:
    """One variant to be released."""

    name: str
    format: str
    entry: str
    files: tuple[str, ...] = ()
    """Further files, besides the entry and its external data."""
    precision: str = ""
    providers: tuple[str, ...] = ()
    runtime: str = ""
    """Specifier on ONNX Runtime that the publisher asks for, beyond what the file needs."""


@dataclass(frozen=True)
class ExamplePlan:
    """One golden example; without `outputs` they are computed."""

    name: str
    inputs: str
    outputs: str = ""
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)
    overrides: Mapping[str, Mapping[str, Tolerance]] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelProject:
    """A model project as its publisher wrote it; paths are relative to `folder`."""

    folder: Path
    name: str
    version: str
    summary: str
    license: str
    variants: tuple[VariantPlan, ...]
    default: tuple[str, ...]
    license_files: tuple[str, ...] = ()
    """Glob patterns."""
    readme: str = ""
    task: str = ""
    homepage: str = ""
    authors: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    inputs: Mapping[str, TensorNotes] = field(default_factory=dict)
    outputs: Mapping[str, TensorNotes] = field(default_factory=dict)
    examples: tuple[ExamplePlan, ...] = ()
    metrics: tuple[Metric, ...] = ()
    lineage: Lineage = field(default_factory=Lineage)
    changes: str = ""
    sources: tuple[str, ...] = ()
    """Base URLs of channels that will serve the files, each with a slash at its end."""

    @property
    def file(self) -> Path:
        """Return the pyproject.toml."""
        return self.folder / "pyproject.toml"


def read_project(folder: Path) -> ModelProject:
    """
    Read a model project's pyproject.toml.

    Raises NotAModelProjectError where the table is not there, ProjectError with every problem of it.
    """
    file = folder / "pyproject.toml"
    if not file.is_file():
        raise NotAModelProjectError(folder, "no pyproject.toml")
    pyproject = Pyproject.read(file)
    table = pyproject.table("tool", "modeldeps").get("model")
    if not isinstance(table, dict):
        raise NotAModelProjectError(folder, "a pyproject.toml without that table")
    problems: list[Problem] = []
    if "project" in pyproject.document:
        problems.append(Problem("project", f"is not used in a model project; write its keys into [{TABLE}]"))
    project = _project(Reader(_plain(table), TABLE, problems), folder)
    if problems:
        raise ProjectError(file, problems)
    return project


def _plain(value: Any) -> Json:  # noqa: ANN401 - whatever TOML holds
    """Return TOML as JSON values: dates become texts."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    if isinstance(value, (dt.date, dt.time)):
        return value.isoformat()
    return value  # type: ignore[no-any-return]


def _project(reader: Reader, folder: Path) -> ModelProject:
    runtime = reader.text("runtime", _checks.specifier)
    variants = tuple(
        replace(one, runtime=one.runtime or runtime)
        for one in reader.items("variants", _variant, required=True)
    )
    default = reader.items("default", lambda one: one.as_text(_checks.token))
    names = [one.name for one in variants]
    if not variants:
        reader.problem("expected at least one", "variants")
    if default and sorted(default) != sorted(names):
        reader.problem(f"expected each of {', '.join(names)} once", "default")
    project = ModelProject(
        folder=folder,
        name=reader.text("name", _publishable, required=True),
        version=reader.text("version", _checks.version, required=True),
        summary=reader.text("summary", _checks.filled_line, required=True),
        license=reader.text("license", check_license, required=True),
        license_files=reader.items("license-files", lambda one: one.as_text(_pattern)),
        variants=variants,
        default=default or tuple(names),
        readme=_existing(reader, folder, "readme"),
        task=reader.text("task", _checks.line),
        homepage=reader.text("homepage", _checks.web_url),
        authors=reader.items("authors", lambda one: one.as_text(_checks.filled_line)),
        files=reader.items("files", _path),
        inputs=reader.mapping("inputs", _notes),
        outputs=reader.mapping("outputs", _notes),
        examples=reader.items("examples", _example),
        metrics=reader.items("metrics", _known(parse_metric)),
        lineage=_lineage(reader),
        changes=reader.text("changes", _checks.text),
        sources=reader.items("sources", lambda one: one.as_text(_checks.url).rstrip("/") + "/"),
    )
    _no_other_keys(reader)
    _variants_exist(project, reader)
    return project


def _publishable(value: str) -> str | None:
    try:
        check_publishable(value)
    except InvalidNameError as error:
        return f"{_checks.expected('a model name', value)}: {dict(error.facts)['reason']}"
    return _checks.name(value)


def check_license(value: str) -> str | None:
    """Accept an SPDX expression (PEP 639) in its canonical spelling."""
    try:
        from packaging.licenses import (  # noqa: PLC0415 - at first use
            InvalidLicenseExpression,
            canonicalize_license_expression,
        )
    except ImportError:  # packaging before 24.2
        return _checks.filled_line(value)
    try:
        normal: str = canonicalize_license_expression(value)
    except InvalidLicenseExpression:
        return _checks.expected("an SPDX expression such as 'MIT' or 'LicenseRef-Proprietary'", value)
    return None if normal == value else _checks.expected(f"the spelling {normal!r}", value)


def _pattern(value: str) -> str | None:
    """Accept a glob pattern of files in the project (PEP 639)."""
    plain = _checks.path(value.replace("*", "a").replace("?", "a"))
    return None if plain is None else _checks.expected("a pattern of files in this project", value)


def _path(reader: Reader) -> str:
    return reader.as_text(_checks.path)


def _existing(reader: Reader, folder: Path, key: str) -> str:
    text = reader.text(key, _checks.path)
    if text and not (folder / text).is_file():
        reader.problem(_checks.expected("a file of this project", text), key)
    return text


def _variant(reader: Reader) -> VariantPlan:
    entry = reader.text("entry", _checks.path, required=True)
    ending = Path(entry).suffix.lower()
    found = VariantPlan(
        name=reader.text("name", _checks.token, required=True),
        format=reader.text("format", _checks.token) or FORMATS.get(ending, ""),
        entry=entry,
        files=reader.items("files", _path),
        precision=reader.text("precision", _checks.line),
        providers=reader.items("providers", lambda one: one.as_text(_checks.token)),
        runtime=reader.text("runtime", _checks.specifier),
    )
    if entry and not found.format:
        reader.problem(f"is missing, and the end {ending!r} of the entry does not tell it", "format")
    _no_other_keys(reader)
    return found


def _notes(reader: Reader) -> TensorNotes:
    has_shape = "shape" in reader.object()
    shape = reader.items("shape", parse_dimension)
    found = TensorNotes(
        description=reader.text("description", _checks.text),
        unit=reader.text("unit", _checks.line),
        dtype=reader.text("dtype", _checks.dtype),
        shape=shape if has_shape else None,
    )
    _no_other_keys(reader)
    return found


def _example(reader: Reader) -> ExamplePlan:
    tolerance = _known(parse_tolerance)
    found = ExamplePlan(
        name=reader.text("name", _checks.token, required=True),
        inputs=reader.text("inputs", _checks.path, required=True),
        outputs=reader.text("outputs", _checks.path),
        tolerances=reader.mapping("tolerances", tolerance),
        overrides=reader.mapping(
            "overrides", lambda one: {key: tolerance(part) for key, part in _children(one)}
        ),
    )
    _no_other_keys(reader)
    return found


def _children(reader: Reader) -> list[tuple[str, Reader]]:
    found = ((key, reader.child(key)) for key in list(reader.object()))
    return [(key, one) for key, one in found if one is not None]


def _lineage(reader: Reader) -> Lineage:
    child = reader.child("lineage")
    if child is None:
        return Lineage()
    found = _known(parse_lineage)(child)
    for index, one in enumerate(found.data):
        _refuse_extra(reader, f"{child.key}.data[{index}]", one.extra, one)
    return found


def _known(read: Callable[[Reader], T]) -> Callable[[Reader], T]:
    """Return a reader of a manifest's value that refuses keys which manifests would keep."""

    def strict(reader: Reader) -> T:
        value = read(reader)
        _refuse_extra(reader, reader.key, getattr(value, "extra", {}), value)
        return value

    return strict


def _refuse_extra(reader: Reader, key: str, extra: Extra, value: object) -> None:
    known = [name for name in getattr(value, "__dataclass_fields__", {}) if name != "extra"]
    reader.problems += [Problem(f"{key}.{name}", _not_a_key(name, known)) for name in extra]


def _no_other_keys(reader: Reader) -> None:
    """Note every key that was not asked for, with the one that was meant."""
    for name in reader.extra():
        reader.problem(_not_a_key(name, reader.asked), name)


def _not_a_key(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return (
        f"is not a key; did you mean {near[0]!r}?" if near else f"is not a key; there are {', '.join(known)}"
    )


def _variants_exist(project: ModelProject, reader: Reader) -> None:
    """Note every variant that metrics and examples name and that is not there."""
    names = {one.name for one in project.variants}
    mentioned = [
        (f"metrics[{index}].variant", one.variant) for index, one in enumerate(project.metrics) if one.variant
    ]
    for index, example in enumerate(project.examples):
        mentioned += [(f"examples[{index}].overrides.{name}", name) for name in example.overrides]
    for key, name in mentioned:
        if name not in names:
            reader.problems.append(Problem(f"{TABLE}.{key}", _checks.expected("the name of a variant", name)))
