"""Errors about making a release of a model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.errors._base import FOUND_WRONG, ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Sequence


class NotAModelProjectError(ModelDepsError):
    """A folder is no model project."""

    def __init__(self, folder: object, reason: str) -> None:
        super().__init__(
            f"{folder} is not a model project",
            ("expected", "a pyproject.toml with a table [tool.modeldeps.model]"),
            ("found", reason),
            hint="modeldeps new MODEL.onnx --name NAME --version 1.0.0 --output DIR",
        )


class CorruptModelError(ModelDepsError):
    """A file is not the model that its name promises."""

    exit_status = FOUND_WRONG

    def __init__(
        self, file: object, found: str, *, expected: str = "a whole ONNX file", hint: str | None = None
    ) -> None:
        super().__init__(
            f"{file} can't be read as a model",
            ("expected", expected),
            ("found", found),
            hint=hint or "export or copy the file again, and compare its size and digest with the original",
        )


class RefusedFormatError(ModelDepsError):
    """A file of a release would run code in whoever opens it."""

    exit_status = FOUND_WRONG

    def __init__(self, file: object, kind: str, conversion: str) -> None:
        super().__init__(
            f"{file} may run code when it is opened, so it can't be released",
            ("found", kind),
            ("expected", "a format that is only data, such as ONNX, safetensors or GGUF"),
            hint=conversion,
        )


class ExampleError(ModelDepsError):
    """A golden example does not fit the model."""

    exit_status = FOUND_WRONG

    def __init__(self, example: str, reason: str, *, hint: str | None = None) -> None:
        super().__init__(
            f"the golden example {example!r} does not fit the model", ("found", reason), hint=hint
        )


class GoldenOutputError(ModelDepsError):
    """A variant computes other outputs than a golden example allows."""

    exit_status = FOUND_WRONG

    def __init__(self, example: str, variant: str, output: str, *, allowed: str, found: str) -> None:
        super().__init__(
            f"variant {variant!r} does not compute the golden output {output!r} of example {example!r}",
            ("expected", allowed),
            ("found", found),
            hint="leave out the key `outputs` of the example to have it computed anew, "
            f"or allow more in its `overrides.{variant}.{output}`",
        )


class BuildToolError(ModelDepsError):
    """A package that building needs isn't installed."""

    def __init__(self, package: str, purpose: str) -> None:
        super().__init__(
            f"{package} isn't installed",
            ("needed", purpose),
            hint='pip install "modeldeps[build]"',
        )


class FileChangedError(ModelDepsError):
    """A file changed while a release was made of it."""

    def __init__(self, file: object) -> None:
        super().__init__(f"{file} changed while it was read", hint="build again when nothing writes to it")


class FolderInUseError(ModelDepsError):
    """A new model project would land on files that are there already."""

    def __init__(self, folder: object, found: Sequence[str]) -> None:
        super().__init__(
            f"{folder} is not empty",
            ("expected", "a folder that is empty or does not exist"),
            ("found", ", ".join(found)),
            hint="name another folder with --output",
        )
