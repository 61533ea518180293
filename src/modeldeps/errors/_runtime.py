"""Errors about choosing a variant and a provider, opening a model and running it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors._base import FOUND_WRONG, WRONG_USAGE, ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Sequence


def _install(requirement: str, index: str) -> str:
    """Return the command that installs a pointer package; a URL with a user name is left out."""
    option = f"--extra-index-url {index} " if index and "@" not in index else ""
    return f"pip install {option}{requirement}"


def _several(names: Sequence[str]) -> str:
    return ", ".join(names) if names else "none"


class ModelNotInstalledError(ModelDepsError):
    """No pointer package of that model is in this environment."""

    def __init__(
        self, name: str, installed: Sequence[str], *, requirement: str = "", index: str = ""
    ) -> None:
        from difflib import get_close_matches  # noqa: PLC0415 - load() waits for what this module imports

        close = get_close_matches(name, installed, n=1)
        wanted = f"modeldeps-{requirement or name}"
        install = _install(f'"{wanted}"' if wanted != f"modeldeps-{name}" else wanted, index)
        super().__init__(
            f"no model {name!r} is installed in this environment",
            ("installed", _several(installed)),
            hint=f"did you mean {close[0]!r}?" if close else install,
        )


class ModelVersionError(ModelDepsError):
    """The installed release is not one that was asked for."""

    exit_status = FOUND_WRONG

    def __init__(self, name: str, specifier: str, found: str, location: object, *, index: str = "") -> None:
        super().__init__(
            f"the installed release of {name!r} is not one that was asked for",
            ("expected", f"{name}{specifier}"),
            ("found", f"{name} {found}"),
            ("in", location),
            hint=_install(f'"modeldeps-{name}{specifier}"', index),
        )


class UnknownVariantError(ModelDepsError):
    """A release has no variant of that name."""

    exit_status = WRONG_USAGE

    def __init__(self, model: str, variant: str, known: Sequence[str]) -> None:
        super().__init__(f"{model} has no such variant", ("expected", _several(known)), ("found", variant))


class UnknownProviderError(ModelDepsError):
    """No execution provider has that name."""

    exit_status = WRONG_USAGE

    def __init__(self, provider: object, known: Sequence[str], *, said_by: str = "") -> None:
        """Take where the name stands if it is a setting: its variable, or its key and file."""
        super().__init__(
            "that is not an execution provider",
            ("expected", _several(known)),
            ("found", repr(provider)),
            hint=f"correct {said_by}" if said_by else "it stands in load(provider=...)",
        )


class OptionError(ModelDepsError):
    """An option of `load()` is not one, or has a value that ONNX Runtime does not take."""

    exit_status = WRONG_USAGE

    def __init__(self, option: str, value: object, *, expected: str) -> None:
        super().__init__(
            f"option {option!r} can't be set",
            ("expected", expected),
            ("found", f"{type(value).__name__} {value!r}"),
        )


class NotRunnableError(ModelDepsError):
    """No variant of a model can be run here by the providers that were asked for."""

    def __init__(
        self, sentence: str, rejections: Sequence[tuple[str, str]], *, hint: str | None = None
    ) -> None:
        super().__init__(sentence, *rejections, hint=hint)


class RuntimeMissingError(NotRunnableError):
    """No ONNX Runtime is installed, or only the remains of one."""

    def __init__(self, model: str, reason: str, hint: str) -> None:
        super().__init__(f"{model} needs ONNX Runtime to run", [("found", reason)], hint=hint)


class RuntimeVersionError(NotRunnableError):
    """The installed ONNX Runtime is older or newer than a release allows."""

    exit_status = FOUND_WRONG

    def __init__(self, model: str, specifier: str, found: str, *, hint: str) -> None:
        super().__init__(
            f"{model} does not run with the installed ONNX Runtime",
            [("expected", f"onnxruntime{specifier}"), ("found", found)],
            hint=hint,
        )


class ProviderUnavailableError(NotRunnableError):
    """The execution provider that was asked for by name does not work here."""

    def __init__(
        self, model: str, provider: str, rejections: Sequence[tuple[str, str]], *, hint: str | None = None
    ) -> None:
        super().__init__(f"{model} can't run on {provider} here", rejections, hint=hint)


class OpenError(ModelDepsError):
    """ONNX Runtime can't open a model's file."""

    def __init__(
        self, model: str, variant: str, file: object, reason: str, *, hint: str | None = None
    ) -> None:
        super().__init__(
            f"ONNX Runtime can't open {model}",
            ("variant", variant),
            ("file", file),
            ("reason", reason),
            hint=hint,
        )


class InputError(ModelDepsError):
    """What `run()` was given is not what the model takes."""

    exit_status = WRONG_USAGE

    def __init__(
        self, model: str, sentence: str, *facts: tuple[str, object], hint: str | None = None
    ) -> None:
        super().__init__(f"{model}: {sentence}", *facts, hint=hint)

    @classmethod
    def name(cls, model: str, given: Sequence[str], expected: Sequence[str]) -> InputError:
        """Make the error for inputs that are missing, or that the model does not have."""
        return cls(
            model,
            "the inputs are not the model's",
            ("expected", _several(expected)),
            ("found", _several(given)),
        )

    @classmethod
    def value(
        cls, model: str, name: str, expected: str, found: str, *, hint: str | None = None
    ) -> InputError:
        """Make the error for an input of another element type or shape."""
        return cls(
            model,
            f"input {name!r} is not what the model takes",
            ("expected", expected),
            ("found", found),
            hint=hint,
        )


class RunError(ModelDepsError):
    """ONNX Runtime failed while it ran a model on inputs that look right."""

    def __init__(self, model: str, provider: str, reason: str) -> None:
        super().__init__(f"{model} failed while running", ("provider", provider), ("reason", reason))
