"""The values of one model release, as `model.json` (schema 1) holds them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from modeldeps._frozen import dataclass, field

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SCHEMA = 1
"""The schema number that this version reads and writes."""

Json: TypeAlias = "str | int | float | bool | list[Json] | dict[str, Json] | None"
Scalar: TypeAlias = "str | int | float | bool | None"
Extra: TypeAlias = "Mapping[str, Json]"
"""Keys that this version does not know; kept so that nothing a publisher wrote is lost."""


def _extra() -> dict[str, Json]:
    """Return the default of every `extra` field."""
    return {}


@dataclass(frozen=True)
class Chunk:
    """A stretch of a file with a digest of its own; a JSON array `[offset, length, sha256]`."""

    offset: int
    """Bytes from the start of the file."""
    length: int
    """Bytes; at least 1."""
    sha256: str
    """Digest of these bytes."""


@dataclass(frozen=True)
class File:
    """One file of the payload."""

    path: str
    """Relative, with forward slashes, inside the model's folder."""
    size: int
    """Bytes."""
    sha256: str
    """Digest of the whole file: its name in a store and in a channel."""
    chunks: tuple[Chunk, ...] = ()
    """Chunks that cover the file in order without a gap, or none."""
    sources: tuple[str, ...] = ()
    """URLs that serve the same bytes, asked after the channels."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Tensor:
    """One input or output of a model."""

    name: str
    """Its name in the graph."""
    dtype: str
    """numpy's name of the element type, such as `float32` or `int64`; `string` for text."""
    shape: tuple[int | str | None, ...] = ()
    """A size, a named dimension such as `batch`, or null for an unnamed free one."""
    description: str = ""
    """What it means, in words."""
    unit: str = ""
    """Unit of its values, such as `Hz`, `px` or `0..1`."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Requires:
    """What a runtime must have to open a variant."""

    ir_version: int | None = None
    """ONNX IR version of the file."""
    opsets: Mapping[str, int] = field(default_factory=dict, hash=False)
    """Operator set versions by domain; the domain of ONNX itself is `ai.onnx`."""
    runtime: str = ""
    """PEP 440 specifier on ONNX Runtime's version, such as `>=1.20`."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Variant:
    """One form of the model: same interface, other precision, provider or format."""

    name: str
    """Its name in this release, such as `fp32`."""
    format: str
    """`onnx`, `safetensors`, `gguf`, …"""
    entry: str
    """Path of the file to open; one of `files`."""
    files: tuple[File, ...]
    """The payload of this variant, without the shared files."""
    precision: str = ""
    """`fp32`, `fp16`, `int8`, …"""
    providers: tuple[str, ...] = ()
    """Execution providers it is meant for, such as `cpu` and `cuda`; none means any."""
    requires: Requires = field(default_factory=Requires)
    """What the runtime must have."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""

    @property
    def size(self) -> int:
        """Bytes of this variant without the shared files."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True)
class Tolerance:
    """How near an output must come to its golden value; numbers as `numpy.isclose` means them."""

    rtol: float | None = None
    """Relative tolerance."""
    atol: float | None = None
    """Absolute tolerance, in the output's unit."""
    top_1: bool = False
    """Only the place of the largest value along the last axis must agree."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Example:
    """A golden example: inputs, and the outputs that the publisher saw."""

    name: str
    """Its name in this release."""
    inputs: File
    """An npz with one array an input."""
    outputs: File
    """An npz with one array an output."""
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict, hash=False)
    """By output name."""
    overrides: Mapping[str, Mapping[str, Tolerance]] = field(default_factory=dict, hash=False)
    """By variant name, then by output name."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Metric:
    """One measured number."""

    dataset: str
    """What it was measured on."""
    metric: str
    """What was measured, such as `accuracy`."""
    value: float
    """The number, higher or lower is better as the metric says."""
    split: str = ""
    """The part of the dataset, such as `test`."""
    variant: str = ""
    """The variant it was measured with; empty for all."""
    classes: Mapping[str, float] = field(default_factory=dict, hash=False)
    """The same metric for each class."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Dataset:
    """Data that a model was trained on."""

    name: str
    """As people call it."""
    uri: str = ""
    """Where it is described or found."""
    digest: str = ""
    """Digest of the data with its algorithm, such as `sha256:…`."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Lineage:
    """Where a model came from."""

    data: tuple[Dataset, ...] = ()
    """What it was trained on."""
    repository: str = ""
    """The training code."""
    commit: str = ""
    """The commit of the training code."""
    parent: str = ""
    """The model it was made from, such as `digits==2.0.0`."""
    framework: str = ""
    """What trained it, with its version."""
    date: str = ""
    """The day of training, `YYYY-MM-DD`."""
    parameters: Mapping[str, Scalar] = field(default_factory=dict, hash=False)
    """Settings of the training."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""


@dataclass(frozen=True)
class Manifest:
    """One release of a model."""

    name: str
    """The model's normalised name."""
    version: str
    """`MAJOR.MINOR.PATCH`, or with `aN`, `bN` or `rcN` behind it (PEP 440)."""
    summary: str
    """One line."""
    license: str
    """An SPDX expression."""
    variants: tuple[Variant, ...]
    """At least one."""
    default: tuple[str, ...]
    """Variant names in the publisher's order of preference; all of them."""
    task: str = ""
    """What it does, such as `image-classification`."""
    homepage: str = ""
    """A web page about the model."""
    authors: tuple[str, ...] = ()
    """Names, as the publisher wrote them."""
    inputs: tuple[Tensor, ...] = ()
    """The interface's inputs, in the graph's order."""
    outputs: tuple[Tensor, ...] = ()
    """The interface's outputs, in the graph's order."""
    files: tuple[File, ...] = ()
    """Files shared by all variants: labels, tokenizer, preprocessing."""
    examples: tuple[Example, ...] = ()
    """Golden examples."""
    metrics: tuple[Metric, ...] = ()
    """Measured numbers."""
    lineage: Lineage = field(default_factory=Lineage)
    """Where it came from."""
    changes: str = ""
    """What changed since the previous version, in words."""
    extra: Extra = field(default_factory=_extra, hash=False)
    """Unknown keys, kept."""

    def variant(self, name: str) -> Variant | None:
        """Return the variant of that name, or None."""
        return next((one for one in self.variants if one.name == name), None)

    def payload(self, variant: Variant) -> tuple[File, ...]:
        """Return the files that a variant needs to run: its own, then the shared ones."""
        return (*variant.files, *self.files)

    def all_files(self) -> Iterator[File]:
        """Yield each distinct blob of the release once: variants, shared files, examples."""
        seen: set[str] = set()
        groups = [one.files for one in self.variants]
        groups += [self.files, *((one.inputs, one.outputs) for one in self.examples)]
        for file in (file for group in groups for file in group):
            if file.sha256 not in seen:
                seen.add(file.sha256)
                yield file

    @property
    def runtime_floor(self) -> str:
        """The specifier on ONNX Runtime that the first variant of the default order states."""
        first = self.variant(self.default[0])
        return first.requires.runtime if first else ""
