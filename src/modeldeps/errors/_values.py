"""Errors about what a person or a publisher wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.errors._base import FOUND_WRONG, WRONG_USAGE, ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Problem:
    """One thing wrong in a file."""

    key: str
    """The full key, such as `variants[0].files[1].sha256`; empty for the file as a whole."""
    message: str
    """What was expected and what was found."""

    def __str__(self) -> str:
        return f"{self.key}: {self.message}" if self.key else self.message


class InvalidFileError(ModelDepsError):
    """A file does not say what it must; every problem is listed with its full key."""

    exit_status = FOUND_WRONG

    def __init__(self, file: object, problems: Sequence[Problem], *, hint: str | None = None) -> None:
        count = len(problems)
        self.file = str(file)
        """The file's name, as the reader knows it."""
        self.problems = tuple(problems)
        """All problems of the file, in the order of its keys."""
        super().__init__(f"{file} has {count} problem{'s' if count != 1 else ''}", hint=hint)

    def __str__(self) -> str:
        lines = [self.sentence, *(f"  {problem}" for problem in self.problems)]
        return "\n".join([*lines, f"hint: {self.hint}"] if self.hint else lines)


class ManifestError(InvalidFileError):
    """A `model.json` is broken, hostile, or of a schema that this version does not know."""


class ProjectError(InvalidFileError):
    """A project's declaration (pyproject.toml) is wrong."""


class ConfigError(InvalidFileError):
    """What the user set is wrong: variables, or a configuration file."""

    exit_status = WRONG_USAGE


class InvalidNameError(ModelDepsError):
    """A model name is not one."""

    exit_status = WRONG_USAGE

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(
            "that is not a model name",
            ("expected", "letters, digits, and single '-', '_' or '.' between them"),
            ("found", repr(name)),
            ("reason", reason),
        )


class RequirementError(ModelDepsError):
    """A model requirement can't be read."""

    exit_status = WRONG_USAGE

    def __init__(self, text: str, reason: str) -> None:
        super().__init__(
            "that is not a model requirement",
            ("expected", "a name and a specifier, such as 'digits>=2.1'"),
            ("found", repr(text)),
            ("reason", reason),
        )


class UsageError(ModelDepsError):
    """The words of a command don't go together."""

    exit_status = WRONG_USAGE
