"""Machines and releases that a choice is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypedDict

from modeldeps.digest import sha256_bytes
from modeldeps.manifest import File, Manifest, Requires, Tensor, Variant, dump

if TYPE_CHECKING:
    from collections.abc import Sequence

FIXTURES = Path(__file__).parents[2] / "fixtures"


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


@dataclass(frozen=True)
class Installed:
    """A digits release that lies in a site folder, and its blobs in a channel."""

    site: Path
    """Folder on `sys.path`."""
    channel: Path
    """Folder of the channel; `blobs/sha256/…` is all it has."""
    manifest: Manifest
    """The release."""


def install_digits(
    folder: Path, version: str = "2.1.0", *, runtime: str = ">=1.17", damage: bytes | None = None
) -> Installed:
    """
    Lay a pointer package and a channel for the real digits model into a folder.

    `damage` replaces the bytes of the fp32 file, digest and all: a release that is broken as published.
    """
    project, site, channel = FIXTURES / "digits" / version, folder / "site", folder / "channel"

    def publish(name: str) -> File:
        data = (project / name).read_bytes()
        data = damage if damage is not None and name == "digits-fp32.onnx" else data
        file = File(name, len(data), sha256_bytes(data))
        blob = channel / "blobs" / "sha256" / file.sha256[:2] / file.sha256
        blob.parent.mkdir(parents=True, exist_ok=True)
        blob.write_bytes(data)
        return file

    def of(name: str, *providers: str) -> Variant:
        file = publish(f"digits-{name}.onnx")
        return Variant(name, "onnx", file.path, (file,), name, providers, Requires(runtime=runtime))

    variants = (of("fp32", "cpu", "cuda"), of("int8", "cpu"))
    labels = (publish("labels.txt"),)
    manifest = Manifest(
        "digits", version, "Digits", "MIT", variants, ("fp32", "int8"), files=labels, **_interface()
    )
    info = site / f"modeldeps_digits-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "model.json").write_bytes(dump(manifest))
    (info / "METADATA").write_text(f"Metadata-Version: 2.4\nName: modeldeps-digits\nVersion: {version}\n")
    return Installed(site, channel, manifest)


def _interface() -> Interface:
    return {
        "inputs": (Tensor("image", "float32", ("batch", 8, 8), "Grey images", "0..16"),),
        "outputs": (Tensor("probabilities", "float32", ("batch", 10)),),
    }


class Interface(TypedDict):
    """What a digits model takes and gives."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
