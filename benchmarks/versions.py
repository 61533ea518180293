"""
What a new version of a real model moves: `python benchmarks/versions.py [FOLDER]`.

Real models that were released as files inside wheels are fetched from the package index into FOLDER, which is
kept, and each version is compared with the one before it, in four ways of sharing bytes.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.digest import sha256_bytes
from modeldeps.errors import RefusedFormatError
from modeldeps.progress import Reporter
from modeldeps.publish._chunks import PIECE, Plan, Stretch, digest_file, plan_chunks
from modeldeps.publish._onnx import survey_file
from modeldeps.publish._payload import READERS
from modeldeps.publish._refuse import refuse_code

if TYPE_CHECKING:
    from collections.abc import Iterator

PAIRS = (
    ("silero-vad", "5.1", "6.0"),
    ("silero-vad", "6.0", "6.2.0"),
    ("silero-vad", "6.2.0", "6.2.3"),
    ("silero-vad", "6.2.1", "6.2.3"),
    ("ddddocr", "1.4.11", "1.5.5"),
    ("basic-pitch", "0.2.6", "0.3.3"),
    ("basic-pitch", "0.3.3", "0.4.0"),
    ("openwakeword", "0.4.0", "0.5.1"),
    ("rapidocr", "3.0.0", "3.8.0"),
    ("rapidocr", "3.8.0", "3.10.0"),
    ("rapidocr-onnxruntime", "1.2.13", "1.3.25"),
)
"""Distribution, old and new version."""
LEAST = 100_000
"""Bytes; smaller files are not looked at."""
FORMATS = (".onnx", ".safetensors", ".tflite", ".pb", ".mlmodel", ".bin", ".data-00000-of-00001")
ENTRY = 122
"""Bytes of a chunk in a manifest."""


@dataclass(frozen=True)
class Cut:
    """A file in chunks."""

    digest: str
    chunks: tuple[tuple[str, int], ...]
    """Digest and length of each."""


def main() -> None:
    """Fetch, compare, print a table."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp())
    ways = {"whole": whole, "4 MiB": blocks, "64 KiB by content": by_content, "modeldeps": as_released}
    print(f"| model | versions | MB | {' | '.join(ways)} | MB moved | chunks | MB of manifest |")
    print(f"|{'---|' * (len(ways) + 6)}")
    for name, old, new in PAIRS:
        pair = [list(models(folder, name, version)) for version in (old, new)]
        size = sum(path.stat().st_size for path in pair[1])
        cells, moved, chunks = [], 0, 0
        for way in ways.values():
            moved, chunks = compare(*([way(path) for path in paths] for paths in pair))
            cells.append(f"{100 - 100 * moved / size:.1f} %")
        cost = f"{moved / 1e6:.3f} | {chunks} | {chunks * ENTRY / 1e6:.3f}"
        print(f"| {name} | {old} to {new} | {size / 1e6:.1f} | {' | '.join(cells)} | {cost} |", flush=True)


def models(folder: Path, name: str, version: str) -> Iterator[Path]:
    """Yield the model files of a release that could be published; scripts and pickles can't."""
    target = folder / f"{name}-{version}"
    if not target.is_dir():
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:"]
        with tempfile.TemporaryDirectory() as scratch:
            subprocess.run([*command, "--dest", scratch, f"{name}=={version}"], check=True)
            [wheel] = Path(scratch).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                archive.extractall(target)
    for path in sorted(target.rglob("*")):
        if path.name.endswith(FORMATS) and path.stat().st_size >= LEAST and _may_be_released(path):
            yield path


def _may_be_released(path: Path) -> bool:
    try:
        refuse_code(path)
    except RefusedFormatError:
        return False
    return True


def compare(old: list[Cut], new: list[Cut]) -> tuple[int, int]:
    """Return the bytes that the new version moves, and how many chunks it has."""
    known = {one.digest for one in old} | {digest for one in old for digest, _ in one.chunks}
    moved = 0
    for file in new:
        for digest, length in file.chunks if file.digest not in known else ():
            moved += 0 if digest in known else length
            known.add(digest)
    return moved, sum(len(one.chunks) for one in new)


def whole(path: Path) -> Cut:
    """Share nothing but whole files."""
    data = path.read_bytes()
    return Cut(sha256_bytes(data), ((sha256_bytes(data), len(data)),))


def blocks(path: Path) -> Cut:
    """Share blocks of 4 MiB from the start of the file."""
    data = path.read_bytes()
    parts = [data[at : at + PIECE] for at in range(0, len(data), PIECE)]
    return Cut(sha256_bytes(data), tuple((sha256_bytes(part), len(part)) for part in parts))


def by_content(path: Path) -> Cut:
    """Share what lies between cuts by content, 64 KiB apart on average."""
    return _cut(path, Plan((Stretch(0, path.stat().st_size, is_tensor=False),), 64 << 10))


def as_released(path: Path) -> Cut:
    """Share chunks as a release has them."""
    return _cut(path, plan_chunks(path.stat().st_size, _tensors(path)))


def _tensors(path: Path) -> list[tuple[int, int]]:
    if path.suffix == ".onnx":
        return [(one.start, one.length) for one in survey_file(path).weights if not one.location]
    read = READERS.get(path.suffix[1:])
    return list(read(path)) if read else []


def _cut(path: Path, plan: Plan) -> Cut:
    digest, chunks = digest_file(path, plan, Reporter())
    if not chunks:
        return Cut(digest, ((digest, path.stat().st_size),))
    return Cut(digest, tuple((one.sha256, one.length) for one in chunks))


if __name__ == "__main__":
    main()
