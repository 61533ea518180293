"""What a Hugging Face Hub and its chunk store answer, as far as `huggingface_hub` and `hf_xet` ask."""

from __future__ import annotations

import json
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from http_answers import Answer, file_answer
from xorbs import Run, clip, reconstruction

if TYPE_CHECKING:
    from typing_extensions import Self

PLAIN, XET = "bench/plain", "bench/xet"
"""The repository that is served over plain http, and the one that is in the chunk store as well."""
COMMIT = "0123456789abcdef0123456789abcdef01234567"
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


@dataclass(frozen=True)
class Hub:
    """What the hub knows: files by name, each a blob of a channel."""

    folder: str
    """The channel that holds the blobs, and the chunk store in `xorbs`."""
    files: dict[str, tuple[str, int]]
    """Digest and size of each file by its name."""
    store: str = ""
    """URL that files and the chunk store are served below, as by a CDN; the hub's own address where empty."""
    runs: dict[str, list[Run]] = field(default_factory=dict)
    """What each blob is made of in the chunk store, by its digest."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read what `dump` wrote."""
        found = json.loads(text)
        runs = {digest: [Run(**one) for one in runs] for digest, runs in found.pop("runs").items()}
        return cls(**found, runs=runs)

    def dump(self) -> str:
        """Return JSON."""
        return json.dumps(asdict(self))

    def answer(self, target: str, headers: dict[str, str]) -> Answer | None:
        """Answer what is asked of a hub; None for everything else."""
        own = f"http://{headers.get('host', '')}"
        match urlsplit(target).path.strip("/").split("/"):
            case ["api", "models", owner, name, "revision", _]:
                return self._model(f"{owner}/{name}")
            case ["api", "models", _, _, "tree", *_]:
                return _json([_entry(name, *one) for name, one in self.files.items()])
            case ["api", "models", _, _, "xet-read-token", *_]:
                expires = str(int(time.time()) + 3600)
                named = {"X-Xet-Cas-Url": own, "X-Xet-Access-Token": "bench"}
                return Answer(200, {**named, "X-Xet-Token-Expiration": expires}, b"{}")
            case [owner, name, "resolve", _, file] if file in self.files:
                return self._file(f"{owner}/{name}", file, own, headers)
            case [("v1" | "v2") as version, "reconstructions", digest]:
                return self._chunks(version, digest, headers, self.store or own)
        return None

    def _model(self, repo: str) -> Answer:
        siblings = [{"rfilename": name} for name in self.files]
        return _json({"id": repo, "modelId": repo, "sha": COMMIT, "siblings": siblings, "tags": []})

    def _file(self, repo: str, name: str, own: str, asked: dict[str, str]) -> Answer:
        digest, size = self.files[name]
        headers = {"X-Repo-Commit": COMMIT, "X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(size)}
        if repo == XET:
            headers["X-Xet-Hash"] = digest
            headers["X-Xet-Refresh-Route"] = f"{own}/api/models/{XET}/xet-read-token/{COMMIT}"
        target = f"blobs/sha256/{digest[:2]}/{digest}"
        if self.store:
            return Answer(302, {**headers, "Location": f"{self.store}/{target}"})
        return file_answer(Path(self.folder, target), asked, headers)

    def _chunks(self, version: str, digest: str, headers: dict[str, str], store: str) -> Answer:
        """Say which chunks of which objects make a range of a file."""
        runs = self.runs.get(digest)
        if not runs:
            return Answer(404)
        size = runs[-1].offset + runs[-1].length
        found = _RANGE.fullmatch(headers.get("range", "bytes=0-"))
        start = int(found[1]) if found else 0
        end = min(int(found[2]) + 1 if found and found[2] else size, size)
        if start >= end:
            return Answer(416, {"Content-Range": f"bytes */{size}"})
        return _json(reconstruction(version, list(clip(runs, start, end)), start=start, store=store))


def _entry(name: str, digest: str, size: int) -> dict[str, object]:
    lfs = {"oid": digest, "size": size, "pointerSize": 134}
    return {"type": "file", "path": name, "size": size, "oid": digest[:40], "lfs": lfs}


def _json(value: object) -> Answer:
    return Answer(200, {"Content-Type": "application/json"}, json.dumps(value).encode())
