"""
What a fetch from loopback costs: verified, on disk and durable, against `curl` piped into a digest.

The target is 1.3 times `curl | sha256sum` at most, which writes nothing. The server sends with
`sendfile`, so that it is not what is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from interleave import Cost, report, run_once

from modeldeps.digest import sha256_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TARGET = 1.3
"""Times the wall time of `curl | sha256sum`."""
CHUNK = 4 << 20
"""Bytes of a chunk, as publishers cut large tensors."""
BASE = "curl | sha256sum"

FETCH = """
import json, sys
from pathlib import Path
from modeldeps.fetch import fetch
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter
from modeldeps.store import Store
facts = json.loads(Path(sys.argv[1]).read_text())
chunks = tuple(Chunk(*one) for one in facts["chunks"]) if sys.argv[4] == "chunks" else ()
file = File("model.onnx", facts["size"], facts["sha256"], chunks)
done = fetch([file], Store(Path(sys.argv[2])), channels=[sys.argv[3]], reporter=Reporter())
assert done.bytes_fetched == file.size
"""


def main() -> int:
    """Print the figures; 0 where the target is met."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--size", type=int, default=256, help="MiB of the blob")
    parser.add_argument("--folder", type=Path, help="where the store is made; its disk is part of the figure")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    words = parser.parse_args()
    if words.serve:
        return serve(words.serve)
    with tempfile.TemporaryDirectory(dir=words.folder) as name:
        costs = measure(Path(name), words.size << 20, words.rounds)
    print(f"{words.size} MiB, {words.rounds} rounds, medians; ratios are paired by round\n")
    ratios = report(costs, base=BASE)
    worst = max(ratios[name][0] for name in costs if name.startswith("modeldeps http"))
    print(f"\nmodeldeps over http: {worst:.2f} times {BASE} (target {TARGET})")
    return int(worst > TARGET)


def measure(folder: Path, size: int, rounds: int) -> dict[str, list[Cost]]:
    """Run every program in every round, in alternating order, each modeldeps with an empty store."""
    facts = publish(folder / "channel", size)
    listing = folder / "file.json"
    listing.write_text(json.dumps(facts))
    words = [sys.executable, __file__, "--serve", str(folder / "channel")]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        channel = f"http://127.0.0.1:{int(server.stdout.readline())}/"
        try:
            programs = commands(listing, folder, channel, facts)
            return rounds_of(programs, folder / "store", rounds)
        finally:
            server.terminate()


def publish(channel: Path, size: int) -> dict[str, object]:
    """Write one random blob into a channel; return what a manifest says about it."""
    data = os.urandom(size)
    digest = sha256_bytes(data)
    blob = channel / "blobs" / "sha256" / digest[:2] / digest
    blob.parent.mkdir(parents=True)
    blob.write_bytes(data)
    chunks = [
        [at, len(data[at : at + CHUNK]), sha256_bytes(data[at : at + CHUNK])] for at in range(0, size, CHUNK)
    ]
    return {"size": size, "sha256": digest, "chunks": chunks}


def commands(
    listing: Path, folder: Path, channel: str, facts: Mapping[str, object]
) -> Mapping[str, Sequence[str]]:
    """Return the programs that are compared."""
    digest = str(facts["sha256"])
    url = f"{channel}blobs/sha256/{digest[:2]}/{digest}"
    ours = [sys.executable, "-c", FETCH, str(listing), str(folder / "store")]
    found: dict[str, Sequence[str]] = {
        BASE: ["sh", "-c", f"curl -sS {url} | sha256sum"],
        "curl -o FILE; sha256sum": ["sh", "-c", f"curl -sS -o {folder}/out {url} && sha256sum {folder}/out"],
        "modeldeps http": [*ours, channel, "whole"],
        "modeldeps http, chunks": [*ours, channel, "chunks"],
        "modeldeps file": [*ours, (folder / "channel").as_uri() + "/", "chunks"],
    }
    if shutil.which("openssl"):
        found["curl | openssl dgst"] = ["sh", "-c", f"curl -sS {url} | openssl dgst -sha256"]
    return found


def rounds_of(programs: Mapping[str, Sequence[str]], store: Path, rounds: int) -> dict[str, list[Cost]]:
    """Measure; the first round warms up."""
    costs: dict[str, list[Cost]] = {name: [] for name in programs}
    for round_ in range(rounds + 1):
        names = list(programs)
        for name in names if round_ % 2 else names[::-1]:
            shutil.rmtree(store, ignore_errors=True)
            os.sync()
            cost = run_once(programs[name], os.environ)
            if round_:
                costs[name].append(cost)
    return costs


class Handler(BaseHTTPRequestHandler):
    """Send files of one folder with sendfile."""

    protocol_version = "HTTP/1.1"
    folder = Path()

    def do_GET(self) -> None:
        """Send a whole file."""
        with (self.folder / self.path.lstrip("/")).open("rb") as stream:
            size = os.fstat(stream.fileno()).st_size
            self.send_response(200)
            self.send_header("Content-Length", str(size))
            self.end_headers()
            self.wfile.flush()
            self.connection.sendfile(stream)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""


def serve(folder: Path) -> int:
    """Serve a folder until killed; print the port."""
    Handler.folder = folder
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
