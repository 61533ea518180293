"""Machines and releases that a choice is made from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from modeldeps.manifest import File, Manifest, Requires, Variant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class LayWheel(Protocol):
    """Lay the files of an onnxruntime wheel into a site folder, as an installer does."""

    def __call__(
        self,
        distribution: str = ...,
        version: str = ...,
        *,
        cuda: str = ...,
        library: bool = ...,
        build_info: bool = ...,
    ) -> Path: ...


class CompileDriver(Protocol):
    """Compile a CUDA driver library that gives these answers, and return its path."""

    def __call__(
        self,
        *,
        version: int = ...,
        version_result: int = ...,
        init: int = ...,
        count: int = ...,
        count_result: int = ...,
    ) -> Path: ...


def variant(
    name: str = "fp32",
    providers: Sequence[str] = ("cpu", "cuda"),
    *,
    runtime: str = "",
    format: str = "onnx",  # noqa: A002 - the manifest's own word
) -> Variant:
    file = File(f"{name}.onnx", 1, "0" * 64)
    return Variant(
        name, format, file.path, (file,), providers=tuple(providers), requires=Requires(runtime=runtime)
    )


def release(*variants: Variant, default: Sequence[str] = ()) -> Manifest:
    names = tuple(default) or tuple(one.name for one in variants)
    return Manifest("digits", "2.1.0", "Digits", "MIT", variants, names)
