"""
Act on stores in children that a tracer may be attached to before they begin.

python fault_worker.py CHANNEL LISTING.json

Reads `ACTION STORE` lines, forks for each, and writes the child's number; on `go` the child begins, and
when it is over a line of JSON tells its status and what it said. Everything was done once before:
what a child does is its work alone, and no imports.
"""

from __future__ import annotations

import json
import os
import select
import socket
import sys
import tempfile
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

from power_worker import NAMED, read_files

from modeldeps.errors import ModelDepsError
from modeldeps.fetch import fetch
from modeldeps.progress import Reporter
from modeldeps.store import Rules, Store, Use, _ebb, _prefix, pin_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from modeldeps.manifest import File


class Actions:
    """What may be done to a store."""

    def __init__(self, channel: str, files: Sequence[File]) -> None:
        self.channel = channel
        self.old, self.new, self.small = files

    def named(self, name: str) -> Callable[[Store], None]:
        """Return an action."""
        action: Callable[[Store], None] = getattr(self, name)
        return action

    def fetch(self, store: Store) -> None:
        fetch([self.new, self.small], store, channels=[self.channel], reporter=Reporter())

    def materialise(self, store: Store) -> None:
        store.materialise([self.old], **NAMED)

    def pin(self, store: Store) -> None:
        blobs = {self.old.sha256: self.old.size}
        store.pin(pin_of(None, Use("", "", "", **NAMED, folder="", blobs=blobs)))

    def free(self, store: Store) -> None:
        store.collect(Rules(time.time() + 10, keep=0.0))

    def adopt(self, store: Store) -> None:
        store.gather([store.root.parent / "elsewhere"], [self.small], reporter=Reporter())

    def copy(self, store: Store) -> None:
        places = [store.root.parent / "elsewhere"]
        store.gather(places, [self.small], reporter=Reporter(), share=False)

    def verify(self, store: Store) -> None:
        store.verify([], reporter=Reporter())

    def repair(self, store: Store) -> None:
        """Make a blob anew that is wrong."""
        store.restore(self.old, [])
        fetch([self.old], store, channels=[self.channel], reporter=Reporter())


def child(actions: Actions, line: str, link: socket.socket) -> None:
    """Wait, act, and tell what came of it, by calls that no fault is made of."""
    action, _, store = line.partition(" ")
    select.select([link], [], [])
    try:
        actions.named(action)(Store(Path(store)))
    except ModelDepsError as error:
        told = f"error {type(error).__name__}: {error}"
    except BaseException:  # noqa: BLE001 - it is what the test looks for
        told = f"traceback {traceback.format_exc()}"
    else:
        told = "done"
    link.sendall(told.encode()[:60_000])
    os._exit(0)


def main(channel: str, listing: str) -> None:
    _prefix._ALONE = 1
    _ebb.FIRST, _ebb.LEAST = 0.0, 1
    actions = Actions(channel, read_files(listing))
    warm_up(actions)
    while line := sys.stdin.readline():
        ours, its = socket.socketpair()
        number = os.fork()
        if not number:
            child(actions, line.strip(), its)
        its.close()
        say({"child": number})
        sys.stdin.readline()
        ours.shutdown(socket.SHUT_WR)
        say({"status": os.waitpid(number, 0)[1], "told": heard(ours)})


def heard(link: socket.socket) -> str:
    """Return what a child said that is gone."""
    with link, link.makefile("rb") as stream:
        return stream.read().decode()


def warm_up(actions: Actions) -> None:
    """Do everything once, so that everything is imported."""
    with tempfile.TemporaryDirectory() as name:
        store = Store(Path(name) / "store")
        fetch([actions.old], store, channels=[actions.channel], reporter=Reporter())
        elsewhere = Path(name) / "elsewhere" / "file"
        elsewhere.parent.mkdir()
        actions.fetch(store)
        elsewhere.write_bytes(store.blob(actions.small.sha256).read_bytes())
        actions.materialise(store)
        actions.pin(store)
        store.blob(actions.small.sha256).unlink()
        actions.adopt(store)
        store.blob(actions.small.sha256).unlink()
        actions.copy(store)
        actions.verify(store)
        actions.repair(store)
        actions.free(store)


def say(words: dict[str, object]) -> None:
    sys.stdout.write(f"{json.dumps(words)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
