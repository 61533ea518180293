"""A project's declaration: which models its pyproject.toml asks for, how it is read, how it is edited."""

from __future__ import annotations

from modeldeps.project._conflicts import additions, static_conflicts, static_hint
from modeldeps.project._declaration import (
    KEYS,
    RUNTIMES,
    Declaration,
    find,
    load,
    parse,
    read,
    requirements,
)
from modeldeps.project._edit import Edited, Place, add, form_for, locks_static_only, remove, requirement_of
from modeldeps.project._pyproject import Backend, Pyproject, distribution_of
from modeldeps.project._script import add_to_script
from modeldeps.project._static import StaticModel, static_model, static_models

__all__ = [
    "KEYS",
    "RUNTIMES",
    "Backend",
    "Declaration",
    "Edited",
    "Place",
    "Pyproject",
    "StaticModel",
    "add",
    "add_to_script",
    "additions",
    "distribution_of",
    "find",
    "form_for",
    "load",
    "locks_static_only",
    "parse",
    "read",
    "remove",
    "requirement_of",
    "requirements",
    "static_conflicts",
    "static_hint",
    "static_model",
    "static_models",
]
