"""
Fetch one file in a process of its own, and print what travelled.

python fetch_worker.py STORE CHANNEL MANIFEST-OF-THE-FILE.json [NAME=VALUE…]

NAME=VALUE sets a constant of `modeldeps.store._land`; `locks=off` makes locks do nothing, as some
network file systems do.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from modeldeps.errors import ModelDepsError
from modeldeps.fetch import fetch
from modeldeps.manifest import Chunk, File
from modeldeps.progress import Reporter
from modeldeps.store import Store, _land, _lock


def main(folder: str, channel: str, named: str, *settings: str) -> int:
    for setting in settings:
        name, _, value = setting.partition("=")
        if name == "locks":
            _lock._take = lambda handle: handle >= 0
        else:
            setattr(_land, name, float(value))
    facts = json.loads(Path(named).read_text("utf-8"))
    file = File(facts["path"], facts["size"], facts["sha256"], tuple(Chunk(*one) for one in facts["chunks"]))
    try:
        fetched = fetch([file], Store(Path(folder)), channels=[channel], reporter=Reporter())
    except (ModelDepsError, OSError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 3
    sys.stdout.write(f"{fetched.bytes_fetched}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
