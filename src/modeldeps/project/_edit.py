"""Add models to a declaration and remove them, in the form that works for the project's build backend."""

from __future__ import annotations

from collections.abc import MutableMapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modeldeps.errors import (
    NoStaticDependenciesError,
    ProjectEditError,
    RequirementError,
    UndeclaredModelError,
)
from modeldeps.project._declaration import Declaration, parse, requirements
from modeldeps.project._document import Document, discard
from modeldeps.project._pyproject import Pyproject
from modeldeps.project._static import lists, static_model, static_models
from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Place:
    """Which list of a project a model goes into."""

    extra: str = ""
    """The extra that brings it; empty for the project's own dependencies."""
    group: str = ""
    """The dependency group (PEP 735) that holds it; empty for none."""


@dataclass(frozen=True)
class Edited:
    """What an edit did."""

    file: Path
    """The file that was edited."""
    form: str
    """`plugin`: under `[tool.modeldeps]`; `static`: as plain requirements; both may be named by a removal."""
    entries: tuple[str, ...]
    """The requirements that were written or taken out, as they stand in the file."""
    changed: bool
    """The file is another one than before."""
    moved: bool = False
    """Static dependencies moved to `[tool.modeldeps]`, because the project's list is dynamic now."""


OWN = Place()
"""The project's own dependencies."""


def add(
    file: Path,
    models: Sequence[ModelRequirement],
    *,
    place: Place = OWN,
    channels: Sequence[str] = (),
    runtime: str = "",
) -> Edited:
    """
    Add models to a project, or change what it asks of them.

    Raises ProjectError where the file is broken, ProjectEditError where it can't be edited without
    harm, NoStaticDependenciesError where no form works.
    """
    pyproject = Pyproject.read(file)
    declaration = parse(pyproject) or Declaration()
    document = Document.open(file)
    if runtime:
        document.table("tool", "modeldeps")["runtime"] = runtime
    for channel in channels:
        _put_text(document.array(document.table("tool", "modeldeps"), "channels"), channel)
    form = "static" if place.group else form_for(pyproject)
    wanted = Declaration(
        models=() if place.extra else tuple(models),
        optional_models={place.extra: tuple(models)} if place.extra else {},
        runtime=runtime or declaration.runtime,
    )
    moved = _add_plugin(document, pyproject, wanted, declaration) if form == "plugin" else False
    entries = _entries(document, pyproject, wanted, place) if form == "static" else tuple(map(str, models))
    _prove(document, models)
    return Edited(file, form, entries, changed=document.save(), moved=moved)


def _prove(document: Document, models: Sequence[ModelRequirement]) -> None:
    """Raise ProjectEditError unless the models are in the text now and every other requirement still is."""
    before, after = Pyproject(document.file, document.before), Pyproject(document.file, document.values)
    if _others(before) != _others(after):
        raise ProjectEditError(document.file, "dependencies")
    declared = parse(after) or Declaration()
    found = {model.name for group in (declared.models, *declared.optional_models.values()) for model in group}
    found |= {one.requirement.name for one in static_models(after)}
    if not {model.name for model in models} <= found:
        raise ProjectEditError(document.file, "tool.modeldeps.models")


def _others(pyproject: Pyproject) -> dict[str, list[str]]:
    """Return what is no model, by the list it belongs to, whichever table holds that list."""
    found: dict[str, list[str]] = {}
    for key, texts in lists(pyproject.document):
        plain = [str(text) for text in texts if static_model(text) is None]
        if plain:
            name = key.removeprefix("tool.modeldeps.").removeprefix("project.")
            found[name] = sorted([*found.get(name, []), *plain])
    return found


def remove(file: Path, names: Sequence[str]) -> tuple[Edited, ...]:
    """
    Take models out of every list of a project; one result a model.

    Raises ProjectError where the file is broken, UndeclaredModelError where one of them is in no list;
    then nothing is written.
    """
    parse(Pyproject.read(file))
    document = Document.open(file)
    results = [_remove(document, name) for name in names]
    changed = document.save()
    return tuple(Edited(file, form, entries, changed=changed) for form, entries in results)


def form_for(pyproject: Pyproject) -> str:
    """
    Return the form that works: `plugin` or `static`.

    A project without a build system is never built, and the locks of Poetry and PDM hold static
    dependencies only; there the static form works and the other one loses models.
    """
    backend = pyproject.backend
    if backend is None or not backend.plugin:
        return "static"
    if "dependencies" not in pyproject.dynamic and locks_static_only(pyproject):
        return "static"
    return "plugin"


def locks_static_only(pyproject: Pyproject) -> str:
    """Return the tool that locks this project and drops dynamic dependencies, or nothing."""
    folder = pyproject.file.parent
    if pyproject.table("tool", "poetry") or (folder / "poetry.lock").exists():
        return "Poetry"
    return "PDM" if (folder / "pdm.lock").exists() else ""


def _add_plugin(document: Document, pyproject: Pyproject, wanted: Declaration, declared: Declaration) -> bool:
    """Write under [tool.modeldeps], and make the project's lists dynamic; True if a list moved."""
    if pyproject.backend and pyproject.backend.name == "hatchling":
        document.table("tool", "hatch", "metadata", "hooks", "modeldeps")
    table = document.table("tool", "modeldeps")
    if not pyproject.build_requires_modeldeps():
        document.array(document.table("build-system"), "requires").append("modeldeps")
    moved = False
    if "project" in pyproject.document:
        if wanted.models or declared.models or declared.dependencies:
            moved = _make_dynamic(document, table, "dependencies")
        if wanted.adds_extras or declared.adds_extras:
            moved = _make_dynamic(document, table, "optional-dependencies") or moved
    for extra, models in wanted.optional_models.items():
        groups = _subtable(document, table, "optional-models")
        for model in models:
            put(document.array(groups, extra), model, str(model))
    for model in wanted.models:
        put(document.array(table, "models"), model, str(model))
    return moved


def _make_dynamic(document: Document, table: MutableMapping[str, Any], key: str) -> bool:
    """Name a field in project.dynamic, and move what stood there to [tool.modeldeps]; True if it did."""
    project = document.table("project")
    dynamic = document.array(project, "dynamic")
    if key not in dynamic:
        dynamic.append(key)
    static = project.pop(key, None)
    if not static:
        return False
    if key in table:
        raise ProjectEditError(document.file, f"tool.modeldeps.{key}")
    table[key] = static
    return True


def _entries(document: Document, pyproject: Pyproject, wanted: Declaration, place: Place) -> tuple[str, ...]:
    """Write plain requirements, and return them."""
    if place.group:
        wanted = Declaration(models=wanted.models, runtime=wanted.runtime.replace("extras", "none"))
        array = document.array(document.table("dependency-groups"), place.group)
        return tuple(put(array, model, requirement_of(model, wanted.runtime)) for model in wanted.models)
    _check_static(pyproject, wanted)
    own, extras = requirements(wanted)
    written = [_put_static(document.array(document.table("project"), "dependencies"), text) for text in own]
    if extras:
        groups = _subtable(document, document.table("project"), "optional-dependencies")
        for group, texts in extras.items():
            written += [_put_static(document.array(groups, group), text) for text in texts]
    return tuple(written)


def requirement_of(model: ModelRequirement, runtime: str) -> str:
    """Return the plain requirement on one model with a runtime, or without one."""
    return model.dependency((runtime,) if runtime in ("cpu", "cuda") else ())


def _check_static(pyproject: Pyproject, wanted: Declaration) -> None:
    """Refuse where the project's lists are not in `[project]`."""
    if "project" not in pyproject.document:
        words = " ".join(f'"{text}"' for text in requirements(wanted)[0])
        poetry = bool(pyproject.table("tool", "poetry"))
        hint = f"poetry add {words}" if poetry else "write a [project] table with a name and a version first"
        raise NoStaticDependenciesError(pyproject.file, reason="there is no [project] table", hint=hint)
    if "dependencies" in pyproject.dynamic:
        backend = pyproject.backend.name if pyproject.backend else "no build backend"
        raise NoStaticDependenciesError(
            pyproject.file,
            reason=f"project.dependencies is dynamic, and {backend} has no plugin for models",
            hint="add the models where the backend reads its dependencies from, as modeldeps-NAME",
        )


def _subtable(document: Document, table: MutableMapping[str, Any], key: str) -> MutableMapping[str, Any]:
    import tomlkit

    if key not in table:
        table[key] = tomlkit.table() if key == "optional-dependencies" else tomlkit.inline_table()
    found = table[key]
    if not isinstance(found, MutableMapping):
        raise ProjectEditError(document.file, key)
    return found


def _put_static(array: Any, text: str) -> str:  # noqa: ANN401 - tomlkit's Array
    return put(array, ModelRequirement.parse(text), text)


def put(array: Any, model: ModelRequirement, text: str) -> str:  # noqa: ANN401 - tomlkit's Array
    """Replace what the array asks of the model, or add it; return what was written."""
    for index, entry in enumerate(array):
        found = _model_of(entry)
        if found and (found.name, found.marker) == (model.name, model.marker):
            if entry != text:
                array[index] = text
            return text
    array.append(text)
    return text


def _put_text(array: Any, text: str) -> None:  # noqa: ANN401 - tomlkit's Array
    if text not in array:
        array.append(text)


def _remove(document: Document, name: str) -> tuple[str, tuple[str, ...]]:
    """Take one model out of every list; return the form and the entries."""
    taken: list[str] = []
    forms: list[str] = []
    table = Pyproject(document.file, document.values).table("tool", "modeldeps")
    if "models" in table or "optional-models" in table:
        live = document.table("tool", "modeldeps")
        arrays = [live["models"]] if "models" in live else []
        arrays += list(live.get("optional-models", {}).values())
        for array in arrays:
            taken += discard(array, lambda entry: _names(_model_of(entry), name))
        forms += ["plugin"] if taken else []
    count = len(taken)
    for _, array in lists(document.root):
        taken += discard(array, lambda entry: _names(static_model(entry), name))
    forms += ["static"] if len(taken) > count else []
    if not taken:
        raise _undeclared(document, name)
    return " and ".join(forms), tuple(taken)


def _names(model: ModelRequirement | None, name: str) -> bool:
    return model is not None and model.name == name


def _model_of(entry: object) -> ModelRequirement | None:
    try:
        return ModelRequirement.parse(entry) if isinstance(entry, str) else None
    except RequirementError:
        return None


def _undeclared(document: Document, name: str) -> UndeclaredModelError:
    from difflib import get_close_matches  # noqa: PLC0415 - only for this error

    table = Pyproject(document.file, document.before).table("tool", "modeldeps")
    entries = [
        *table.get("models", []),
        *(one for group in table.get("optional-models", {}).values() for one in group),
    ]
    found = [_model_of(entry) for entry in entries]
    found += [static_model(entry) for _, texts in lists(document.before) for entry in texts]
    names = sorted({model.name for model in found if model})
    return UndeclaredModelError(name, document.file, declared=names, near=get_close_matches(name, names, n=1))
