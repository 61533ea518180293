"""
Fetch files in a process of its own, and print what travelled.

python fetch_worker.py STORE CHANNEL MANIFEST-OF-THE-FILES.json [NAME=VALUE…]

NAME=VALUE sets a constant of `modeldeps.store._land`, MODULE.NAME=VALUE one of `modeldeps.fetch._MODULE`;
`locks=off` makes locks do nothing, as some network file systems do; `crowd=N` lets N processes fetch at
once, which print a line each; `after=fork` fetches in a child of a process that has fetched before.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path
from typing import Any

from modeldeps.errors import ModelDepsError
from modeldeps.fetch import _http, _run, fetch
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter
from modeldeps.store import Store, _delta, _land, _lock

__all__ = ["_delta", "_http", "_run", "describe"]


def describe(file: File) -> dict[str, object]:
    """Return what a process is told of a file."""
    chunks = [[one.offset, one.length, one.sha256] for one in file.chunks]
    return {"path": file.path, "size": file.size, "sha256": file.sha256, "chunks": chunks}


def files_of(text: str) -> list[File]:
    """Return the files, or the one, that were described."""
    facts: Any = json.loads(text)
    return [
        File(one["path"], one["size"], one["sha256"], tuple(Chunk(*chunk) for chunk in one["chunks"]))
        for one in (facts if isinstance(facts, list) else [facts])
    ]


def bring(folder: str, channel: str, files: list[File]) -> int:
    """Fetch; return the exit status."""
    try:
        fetched = fetch(files, Store(Path(folder)), channels=[channel], reporter=Reporter())
    except (ModelDepsError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 3
    sys.stdout.write(f"{fetched.bytes_fetched}\n")
    sys.stdout.flush()
    return 0


def crowd(count: int, folder: str, channel: str, files: list[File]) -> int:
    """Fetch in many processes at once; return the worst status of those that were not killed."""
    for _ in range(count):
        if not os.fork():
            os._exit(bring(folder, channel, files))
    return max(os.waitstatus_to_exitcode(os.wait()[1]) for _ in range(count))


def after_fork(folder: str, channel: str, files: list[File]) -> int:
    """Fetch the first file here and the others in a child, and once more here."""
    status = bring(folder, channel, files[:1])
    child = os.fork()
    if not child:
        os._exit(bring(folder, channel, files[1:-1]))
    return status or os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) or bring(folder, channel, files)


def main(folder: str, channel: str, named: str, *settings: str) -> int:
    files = files_of(Path(named).read_text("utf-8"))
    chosen = dict(setting.split("=", 1) for setting in settings)
    how = {name: chosen.pop(name, "") for name in ("locks", "crowd", "after")}
    for name, value in chosen.items():
        module, _, constant = name.rpartition(".")
        home = importlib.import_module(f"modeldeps.fetch._{module}") if module else _land
        setattr(home, constant, type(getattr(home, constant))(float(value)))
    if how["locks"]:
        _lock._take = lambda handle: handle >= 0
    if how["crowd"]:
        return crowd(int(how["crowd"]), folder, channel, files)
    return (after_fork if how["after"] else bring)(folder, channel, files)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
