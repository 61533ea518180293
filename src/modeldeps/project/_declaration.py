"""The `[tool.modeldeps]` table of a project: its values, and how they are read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from modeldeps.config import channel_url
from modeldeps.errors import ConfigError, Problem, ProjectError, RequirementError
from modeldeps.manifest._checks import expected
from modeldeps.manifest._read import Reader
from modeldeps.project._pyproject import Pyproject
from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")

RUNTIMES = ("cpu", "cuda", "extras", "none")
"""What `runtime` may be."""
KEYS = ("models", "optional-models", "dependencies", "optional-dependencies", "channels", "runtime", "model")
"""Every key of `[tool.modeldeps]`; `model` belongs to a model project."""
ADDING = frozenset({"models", "optional-models", "dependencies", "optional-dependencies"})
"""The keys that say what a build adds to the project's metadata."""

_GROUP = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?", re.ASCII)


@dataclass(frozen=True)
class Declaration:
    """What a project says about its models."""

    models: tuple[ModelRequirement, ...] = ()
    """The models that it always needs."""
    optional_models: Mapping[str, tuple[ModelRequirement, ...]] = field(default_factory=dict, hash=False)
    """Models by the extra that brings them."""
    dependencies: tuple[str, ...] = ()
    """Plain requirements (PEP 508) that moved here because `project.dependencies` is dynamic."""
    optional_dependencies: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    """Plain requirements by extra, moved here for the same reason."""
    channels: tuple[str, ...] = ()
    """Channels, each a URL that ends with a slash."""
    runtime: str = "cpu"
    """Which ONNX Runtime the models bring: one of RUNTIMES."""
    adds: bool = False
    """The table says what a build adds, be it an empty array."""

    @property
    def adds_extras(self) -> bool:
        """Whether a build adds to the optional dependencies too."""
        return bool(self.optional_models or self.optional_dependencies) or (
            self.runtime == "extras" and bool(self.models)
        )


def find(start: Path) -> Path | None:
    """Return the pyproject.toml of a folder or of the nearest folder above it."""
    folder = start.absolute()
    for place in (folder, *folder.parents):
        if (file := place / "pyproject.toml").is_file():
            return file
    return None


def load(start: Path) -> Declaration | None:
    """Return the declaration of the project around a folder, or None. Raises ProjectError."""
    file = find(start)
    return read(file) if file else None


def read(pyproject: Path) -> Declaration | None:
    """
    Return what a project's pyproject.toml declares.

    None where it has no `[tool.modeldeps]` table, or one for a model project alone. Raises
    ProjectError with every problem of the table, each with its full key.
    """
    return parse(Pyproject.read(pyproject))


def parse(pyproject: Pyproject) -> Declaration | None:
    """Return what a file that was read before declares; as read()."""
    tool = pyproject.document.get("tool")
    table = tool.get("modeldeps") if isinstance(tool, Mapping) else None
    if table is None or (isinstance(table, Mapping) and set(table) == {"model"}):
        return None
    problems: list[Problem] = []
    declaration = _declaration(Reader(table, "tool.modeldeps", problems), pyproject.file.absolute().parent)
    if problems:
        raise ProjectError(pyproject.file, problems)
    return declaration


def requirements(declaration: Declaration) -> tuple[list[str], dict[str, list[str]]]:
    """
    Return the project's dependencies and its extras, as core metadata spells them.

    With `runtime = "extras"` the models come without a runtime, and once more in the extras
    `cpu` and `cuda` with one each.
    """
    own = (declaration.runtime,) if declaration.runtime in ("cpu", "cuda") else ()
    extras = {group: list(plain) for group, plain in declaration.optional_dependencies.items()}
    for group, models in declaration.optional_models.items():
        extras.setdefault(group, []).extend(model.dependency(own) for model in models)
    if declaration.runtime == "extras" and declaration.models:
        for runtime in ("cpu", "cuda"):
            extras.setdefault(runtime, []).extend(
                model.dependency((runtime,)) for model in declaration.models
            )
    return [*declaration.dependencies, *(model.dependency(own) for model in declaration.models)], extras


def _declaration(reader: Reader, folder: Path) -> Declaration:
    found = Declaration(
        models=_models(reader.child("models")),
        optional_models=_groups(reader, "optional-models", _models),
        dependencies=_plain(reader.child("dependencies")),
        optional_dependencies=_groups(reader, "optional-dependencies", _plain),
        channels=reader.items("channels", lambda one: _channel(one, folder)),
        runtime=reader.text("runtime", _runtime) or "cpu",
        adds=bool(ADDING & set(reader.object())),
    )
    reader.child("model")
    for key in reader.extra():
        reader.problem(_unknown(key), key)
    _twice(reader, found)
    return found


def _models(reader: Reader | None) -> tuple[ModelRequirement, ...]:
    read = (_model(one) for one in reader.array()) if reader else ()
    return tuple(model for model in read if model is not None)


def _model(reader: Reader) -> ModelRequirement | None:
    text = reader.as_text(lambda _: None)
    if not isinstance(reader.value, str):
        return None
    try:
        return ModelRequirement.parse(text)
    except RequirementError as error:
        reader.problem(f"{expected('a model requirement', text)}: {error.facts[-1][1]}")
        return None


def _plain(reader: Reader | None) -> tuple[str, ...]:
    return tuple(one.as_text(_dependency) for one in reader.array()) if reader else ()


def _dependency(text: str) -> str | None:
    from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - at first use

    try:
        Requirement(text)
    except InvalidRequirement as error:
        return f"{expected('a requirement (PEP 508)', text)}: {str(error).splitlines()[0]}"
    return None


def _groups(
    reader: Reader, name: str, read: Callable[[Reader | None], tuple[T, ...]]
) -> dict[str, tuple[T, ...]]:
    """Read a table of arrays; a group is an extra, so its name is normalised as extras are (PEP 685)."""
    table = reader.child(name)
    found: dict[str, tuple[T, ...]] = {}
    if table is None:
        return found
    for key in table.object():
        if not _GROUP.fullmatch(key):
            table.problem(expected("the name of an extra", key), key)
        group = re.sub(r"[-_.]+", "-", key).lower()
        found[group] = (*found.get(group, ()), *read(table.child(key)))
    return found


def _channel(reader: Reader, folder: Path) -> str:
    """Read a channel; a folder is meant from where the file lies."""
    text = reader.as_text(lambda _: None)
    if "://" in text:
        rest = text.split("://", 1)[1].split("/", 1)[0]
        if "@" in rest:
            reader.problem("expected a URL without a user name or password; this file is shared")
        try:
            return channel_url(text)
        except ConfigError as error:
            reader.problem(error.problems[0].message)
            return ""
    if not text.strip():
        reader.problem(expected("a URL or a folder", reader.value))
        return ""
    try:
        return channel_url(os.path.normpath(folder / Path(text).expanduser()))
    except (RuntimeError, ValueError, ConfigError):  # a user that nobody knows, characters that no path has
        reader.problem(expected("a URL or a folder", reader.value))
        return ""


def _runtime(text: str) -> str | None:
    return None if text in RUNTIMES else expected(f"one of {', '.join(map(repr, RUNTIMES))}", text)


def _unknown(key: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415 - rarely needed

    near = get_close_matches(key.lower().replace("_", "-"), KEYS, n=1)
    return (
        f"is not a key; did you mean {near[0]!r}?" if near else f"is not a key; there are {', '.join(KEYS)}"
    )


def _twice(reader: Reader, found: Declaration) -> None:
    """Refuse a model that one list names twice for the same marker, and extras that would be mixed up."""
    for key, models in (
        ("models", found.models),
        *((f"optional-models.{group}", models) for group, models in found.optional_models.items()),
    ):
        for name in _repeated((model.name, model.marker) for model in models):
            reader.problems.append(Problem(f"{reader.key}.{key}", f"{name[0]!r} stands here twice"))
    if found.runtime == "extras":
        for group in sorted({"cpu", "cuda"} & set(found.optional_models)):
            message = f"runtime = 'extras' makes an extra {group!r} itself"
            reader.problems.append(Problem(f"{reader.key}.optional-models.{group}", message))


def _repeated(values: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    seen: set[tuple[str, str]] = set()
    again: list[tuple[str, str]] = []
    for value in values:
        (again if value in seen else []).append(value)
        seen.add(value)
    return again
