"""Make blobs of random bytes in a channel, and say what a manifest says about them."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from hub import Hub
from xorbs import Cutter

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

PIECE = 4 << 20
"""Bytes of a chunk, as publishers cut large tensors."""


@dataclass(frozen=True)
class Facts:
    """What a manifest says about one file."""

    path: str
    """Its name."""
    size: int
    """Bytes."""
    sha256: str
    """Digest of all."""
    chunks: Sequence[tuple[int, int, str]]
    """Offset, length and digest of each chunk."""

    def blob(self, channel: Path) -> Path:
        """Return its blob in a channel."""
        return channel / "blobs" / "sha256" / self.sha256[:2] / self.sha256

    @property
    def target(self) -> str:
        """The blob's address below the channel's."""
        return f"blobs/sha256/{self.sha256[:2]}/{self.sha256}"


def random_pieces(size: int, seed: int) -> Iterator[bytes]:
    """Return `size` bytes in pieces of PIECE, the same for the same seed."""
    for place, at in enumerate(range(0, size, PIECE)):
        yield random.Random(f"{seed} {place}").randbytes(min(PIECE, size - at))  # noqa: S311 - no secret


def publish(channel: Path, path: str, pieces: Iterable[bytes]) -> Facts:
    """Write one blob whose chunks are these pieces."""
    channel.mkdir(parents=True, exist_ok=True)
    whole, chunks, at = hashlib.sha256(), [], 0
    unnamed = channel / "unnamed"
    with unnamed.open("wb") as stream:
        for piece in pieces:
            stream.write(piece)
            whole.update(piece)
            chunks.append((at, len(piece), hashlib.sha256(piece).hexdigest()))
            at += len(piece)
    facts = Facts(path, at, whole.hexdigest(), chunks)
    facts.blob(channel).parent.mkdir(parents=True, exist_ok=True)
    unnamed.rename(facts.blob(channel))
    return facts


def publish_hub(channel: Path, files: Sequence[Facts], *, store: str = "", xet: bool = True) -> Hub:
    """Make a hub of what a channel holds, its chunk store (served from `store`) where that is asked for."""
    runs = {}
    if xet:
        cutter = Cutter(channel / "xorbs")
        runs = {one.sha256: cutter.add(one.blob(channel)) for one in files}
    return Hub(str(channel), {one.path: (one.sha256, one.size) for one in files}, store, runs)


def write_listing(path: Path, files: Sequence[Facts]) -> Path:
    """Write what `worker.py` reads."""
    path.write_text(json.dumps([asdict(one) for one in files]))
    return path
