"""
The programs that fetch, each as a user would run it.

Peers in Python run under the interpreter that MODELDEPS_PEERS names, or under this one; what is not there
is left out, and the benchmark says so.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from hub import PLAIN, XET
from interleave import Program

if TYPE_CHECKING:
    from collections.abc import Mapping

    from payload import Facts

WORKER = Path(__file__).parent / "worker.py"
PYTHON = os.environ.get("MODELDEPS_PEERS", sys.executable)
HUB = "from huggingface_hub import {0}; {0}({1})"
REQUESTS = """
import hashlib, os, sys, requests
url, path, digest = sys.argv[1:]
found = hashlib.sha256()
with requests.get(url, stream=True) as answer, open(path, "wb") as out:
    answer.raise_for_status()
    for block in answer.iter_content(1 << 20):
        found.update(block)
        out.write(block)
    out.flush()
    os.fsync(out.fileno())
assert found.hexdigest() == digest
"""
POOCH = """
import os, sys, pooch
url, path, digest = sys.argv[1:]
pooch.get_logger().setLevel("ERROR")
pooch.retrieve(url, "sha256:" + digest, fname=os.path.basename(path), path=os.path.dirname(path))
"""


@dataclass(frozen=True)
class Absent:
    """A peer that this machine does not have."""

    why: str
    """What is missing."""


Found = Program | Absent
Check = Callable[[str], None]
"""What looks at what a program did."""


def gather(programs: Mapping[str, Found]) -> dict[str, Program]:
    """Return those that are there, and say which are not."""
    for name, one in programs.items():
        if isinstance(one, Absent):
            print(f"left out: {name}: {one.why}")
    return {name: one for name, one in programs.items() if isinstance(one, Program)}


def needs(*programs: str) -> Absent | None:
    """Return what to say where one of these programs is not there."""
    lacking = [one for one in programs if not shutil.which(one)]
    return Absent(f"{', '.join(lacking)} is not on PATH") if lacking else None


@cache
def needs_module(name: str) -> Absent | None:
    """Return what to say where the interpreter of the peers has no such module."""
    words = [PYTHON, "-c", f"import importlib.util, sys; sys.exit(not importlib.util.find_spec({name!r}))"]
    fine = subprocess.run(words, check=False).returncode == 0
    return None if fine else Absent(f"{name} is not installed for MODELDEPS_PEERS")


def emptied(folder: Path) -> Callable[[], None]:
    """Return what empties a folder."""

    def empty() -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)

    return empty


def holds(path: Path, size: int) -> Check:
    """Return what checks that a file is there in its size."""

    def check(_output: str) -> None:
        found = path.stat().st_size
        assert found == size, f"{path} has {found} bytes, not {size}"

    return check


def ours(  # noqa: PLR0913 - each has its name
    listing: Path,
    folder: Path,
    url: str,
    *,
    whole: bool = False,
    environ: Mapping[str, str] | None = None,
    prepare: Callable[[], None] | None = None,
) -> Program:
    """Fetch a listing by modeldeps into an empty store, or into one that `prepare` makes."""
    words = [sys.executable, str(WORKER), str(listing), str(folder), url, *(["--whole"] if whole else [])]
    return Program(words, environ, prepare or emptied(folder))


def curl_file(one: Facts, folder: Path, url: str) -> Found:
    """Fetch by curl into a file, in one stream, unverified."""
    words = ["curl", "-sS", "--fail", "-o", str(folder / "out"), url + one.target]
    return needs("curl") or Program(words, None, emptied(folder), holds(folder / "out", one.size))


def curl_digest(one: Facts, folder: Path, url: str, *, certificate: Path | None = None) -> Found:
    """Fetch by curl, through tee into a file and a digest: verified, not durable."""
    trust = f"--cacert {certificate} " if certificate else ""
    line = f"curl -sS --fail {trust}{url}{one.target} | tee {folder}/out | openssl dgst -sha256"

    def check(output: str) -> None:
        assert one.sha256 in output, output

    return needs("curl", "tee", "openssl") or Program(["sh", "-c", line], None, emptied(folder), check)


def aria2(one: Facts, folder: Path, url: str, *options: str) -> Found:
    """Fetch by aria2c with 16 connections."""
    words = ["aria2c", "-q", "--no-conf", "-x16", "-s16", "-k1M", "-d", str(folder), "-o", "out", *options]
    check = holds(folder / "out", one.size)
    return needs("aria2c") or Program([*words, url + one.target], None, emptied(folder), check)


def hub_environ(folder: Path, url: str, **more: str) -> dict[str, str]:
    """Return the variables for a hub client whose cache is a folder."""
    named = {"HF_ENDPOINT": url.rstrip("/"), "HF_HOME": str(folder), "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    return {**named, "HF_HUB_DISABLE_TELEMETRY": "1", "NO_PROXY": "127.0.0.1", **more}


def hub_http(one: Facts, folder: Path, url: str, **environ: str) -> Found:
    """Fetch by hf_hub_download over plain http."""
    words = [PYTHON, "-c", HUB.format("hf_hub_download", f"{PLAIN!r}, {one.path!r}")]
    variables = hub_environ(folder, url, HF_HUB_DISABLE_XET="1", **environ)
    check = holds(_hub_blob(folder, PLAIN, one), one.size)
    return needs_module("huggingface_hub") or Program(words, variables, emptied(folder), check)


def hub_xet(one: Facts, folder: Path, url: str, *, fast: bool = False, **environ: str) -> Found:
    """Fetch by hf_hub_download from the chunk store."""
    words = [PYTHON, "-c", HUB.format("hf_hub_download", f"{XET!r}, {one.path!r}")]
    variables = hub_environ(folder, url, HF_XET_HIGH_PERFORMANCE=str(int(fast)), **environ)
    check = holds(_hub_blob(folder, XET, one), one.size)
    absent = needs_module("huggingface_hub") or needs_module("hf_xet")
    return absent or Program(words, variables, emptied(folder), check)


def hub_snapshot(folder: Path, url: str, *, workers: int = 8) -> Found:
    """Fetch a whole repository by snapshot_download over plain http."""
    words = [PYTHON, "-c", HUB.format("snapshot_download", f"{PLAIN!r}, max_workers={workers}")]
    variables = hub_environ(folder, url, HF_HUB_DISABLE_XET="1")
    return needs_module("huggingface_hub") or Program(words, variables, emptied(folder))


def requests_digest(one: Facts, folder: Path, url: str) -> Found:
    """Fetch by requests into a file with a digest and an fsync, one block after the other."""
    words = [PYTHON, "-c", REQUESTS, url + one.target, str(folder / "out"), one.sha256]
    return needs_module("requests") or Program(words, None, emptied(folder), holds(folder / "out", one.size))


def pooch(one: Facts, folder: Path, url: str) -> Found:
    """Fetch by pooch, which reads the file again for its digest."""
    words = [PYTHON, "-c", POOCH, url + one.target, str(folder / "out"), one.sha256]
    return needs_module("pooch") or Program(words, None, emptied(folder), holds(folder / "out", one.size))


def _hub_blob(folder: Path, repo: str, one: Facts) -> Path:
    return folder / "hub" / f"models--{repo.replace('/', '--')}" / "blobs" / one.sha256
