"""Small releases made by hand: a pointer wheel with a manifest, and its blobs beside it."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_bytes
from modeldeps.manifest import Chunk, File, Lineage, Manifest, Metric, Tensor, Variant, dump
from modeldeps.names import distribution_name, wheel_name

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

DATE = (2024, 1, 1, 0, 0, 0)


def file_of(data: bytes, path: str = "model.onnx") -> File:
    """Return what a manifest says about a file with these bytes; two chunks where there are two bytes."""
    half = len(data) // 2
    cuts = [(0, half), (half, len(data) - half)] if half else []
    chunks = tuple(Chunk(start, length, sha256_bytes(data[start : start + length])) for start, length in cuts)
    return File(path, len(data), sha256_bytes(data), chunks)


@dataclass(frozen=True)
class Release:
    """A release to build; every part of its wheel can be replaced to make a hostile one."""

    name: str = "digits"
    version: str = "2.1.0"
    payload: bytes = b"weights of a model"
    labels: bytes = b"0\n1\n2\n"
    requires: tuple[str, ...] = ()
    requires_python: str = ">=3.9"
    manifest: Manifest | None = None
    members: Mapping[str, bytes | None] = field(default_factory=dict)
    metadata: str = ""

    def make_manifest(self) -> Manifest:
        if self.manifest is not None:
            return self.manifest
        return Manifest(
            name=self.name,
            version=self.version,
            summary="Reads handwritten digits <quickly> & well",
            license="MIT",
            variants=(Variant("fp32", "onnx", "model.onnx", (file_of(self.payload),), "fp32", ("cpu",)),),
            default=("fp32",),
            task="image-classification",
            homepage="https://example.com/digits",
            inputs=(Tensor("image", "float32", ("batch", 8, 8), "a picture", "0..16"),),
            outputs=(Tensor("probabilities", "float32", ("batch", 10)),),
            files=(file_of(self.labels, "labels.txt"),),
            metrics=(Metric("digits", "accuracy", 0.975, "test", "fp32", {"0": 1.0, "1": 0.95}),),
            lineage=Lineage(framework="scikit-learn 1.7", parameters={"seed": 1}),
            changes="Better at sevens.",
        )

    @property
    def filename(self) -> str:
        return f"{wheel_name(self.name)}-{self.version}-py3-none-any.whl"

    @property
    def blobs(self) -> dict[str, bytes]:
        return {sha256_bytes(one): one for one in (self.payload, self.labels)}

    def contents(self) -> dict[str, bytes]:
        """Return the files of the wheel, RECORD last and true."""
        info = f"{wheel_name(self.name)}-{self.version}.dist-info/"
        lines = [
            "Metadata-Version: 2.1",
            f"Name: {distribution_name(self.name)}",
            f"Version: {self.version}",
            "Summary: Reads handwritten digits",
            f"Requires-Python: {self.requires_python}",
            *(f"Requires-Dist: {one}" for one in self.requires),
            "Provides-Extra: cpu",
            "Provides-Extra: cuda",
        ]
        wheel = "Wheel-Version: 1.0\nGenerator: by hand\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        found: dict[str, bytes | None] = {
            f"{info}METADATA": (self.metadata or "\n".join(lines) + "\n\n# digits\n").encode(),
            f"{info}WHEEL": wheel.encode(),
            f"{info}model.json": dump(self.make_manifest()),
            f"{info}licenses/LICENSE": b"MIT\n",
        }
        found.update({key.replace("INFO/", info): value for key, value in self.members.items()})
        kept = {key: value for key, value in found.items() if value is not None}
        kept.setdefault(f"{info}RECORD", record_of(kept, f"{info}RECORD"))
        return kept

    def wheel(self) -> bytes:
        return pack(self.contents())

    def build(self, dist: Path) -> Path:
        """Write the wheel and the blobs, as `modeldeps build` lays them out."""
        dist.mkdir(parents=True, exist_ok=True)
        (dist / self.filename).write_bytes(self.wheel())
        for digest, data in self.blobs.items():
            path = dist / "blobs" / "sha256" / digest[:2] / digest
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        return dist

    def with_members(self, members: Mapping[str, bytes | None]) -> Release:
        """Return it with files of the wheel replaced or (None) left out; `INFO/` is the .dist-info."""
        return replace(self, members=members)


def record_of(contents: Mapping[str, bytes], own: str) -> bytes:
    """Return the RECORD of these files."""
    lines = [f"{name},sha256={_digest(data)},{len(data)}" for name, data in contents.items()]
    return ("\n".join([*lines, f"{own},,"]) + "\n").encode()


def _digest(data: bytes) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(sha256_bytes(data))).rstrip(b"=").decode()


def pack(contents: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip archive of these files, the same for the same files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in contents.items():
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = 0o644 << 16
            archive.writestr(info, data, method)
    return buffer.getvalue()


def read_json(path: Path) -> dict[str, object]:
    """Return a JSON object."""
    value = json.loads(path.read_text("utf-8"))
    assert isinstance(value, dict)
    return value


def blob_of(folder: Path, data: bytes) -> Path:
    """Return where the blob with these bytes lies below a dist folder or a channel."""
    digest = sha256_bytes(data)
    return folder / "blobs" / "sha256" / digest[:2] / digest
