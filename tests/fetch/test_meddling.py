"""Somebody deletes, shortens or replaces what lies in a store while bytes come in."""

from __future__ import annotations

import os
import shutil
import threading
import time
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.digest import sha256_file
from modeldeps.errors import StoreError
from modeldeps.store import _prefix

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from blob_server import BlobServer

    from modeldeps.manifest import File
    from modeldeps.store import Store


def delete_store(store: Store, part: Path) -> None:
    shutil.rmtree(store.root, ignore_errors=True)


def delete_part(store: Store, part: Path) -> None:
    part.unlink()


def shorten(store: Store, part: Path) -> None:
    os.truncate(part, 100_000)


def empty(store: Store, part: Path) -> None:
    os.truncate(part, 0)


def lengthen(store: Store, part: Path) -> None:
    os.truncate(part, 10_000_000)


def link_elsewhere(store: Store, part: Path) -> None:
    target = store.root.parent / "precious"
    target.write_bytes(b"precious")
    part.unlink()
    part.symlink_to(target)


def replace(store: Store, part: Path) -> None:
    other = part.with_name("other")
    other.write_bytes(bytes(3_000_000))
    other.replace(part)


def make_folder(store: Store, part: Path) -> None:
    part.unlink()
    part.mkdir()


def delete_folders(store: Store, part: Path) -> None:
    shutil.rmtree(store.root / "blobs", ignore_errors=True)
    (store.root / "layout").unlink(missing_ok=True)


MEDDLERS = [
    delete_store,
    delete_part,
    shorten,
    empty,
    lengthen,
    link_elsewhere,
    replace,
    make_folder,
    delete_folders,
]


def during(
    file: File, store: Store, server: BlobServer, meddle: Callable[[], None], share: float
) -> Remember:
    """Fetch a file, and meddle once a part of it is there. Raises what the fetch raises."""
    reporter, over = Remember(), threading.Event()

    def wait() -> None:
        deadline = time.monotonic() + 20
        while reporter.done < file.size * share and not over.is_set() and time.monotonic() < deadline:
            time.sleep(0.001)
        meddle()

    thread = threading.Thread(target=wait)
    thread.start()
    try:
        fetch_one(file, store, server.url, reporter=reporter)
    finally:
        over.set()
        thread.join()
    return reporter


@pytest.mark.parametrize("alone", [1, 1 << 30], ids=["hashed-behind", "hashed-on-the-way"])
@pytest.mark.parametrize("chunk", [250_000, 0], ids=["chunks", "no-chunks"])
@pytest.mark.parametrize("meddler", MEDDLERS, ids=lambda one: one.__name__)
def test_whatever_somebody_does_to_a_store_nothing_wrong_is_served_and_no_source_is_blamed(
    server: BlobServer,
    store: Store,
    data: bytes,
    *,
    monkeypatch: pytest.MonkeyPatch,
    meddler: Callable[[Store, Path], None],
    chunk: int,
    alone: int,
) -> None:
    monkeypatch.setattr(_prefix, "_ALONE", alone)
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    server.pause = 0.002
    part = store.root / "partial" / file.sha256
    try:
        reporter = during(file, store, server, lambda: meddler(store, part), share=0.6)
    except StoreError as error:
        assert str(error)
    else:
        assert not [one for one in reporter.notes if "other bytes" in one]
        assert store.blob(file.sha256).read_bytes() == data
        assert store.find(file) is not None
    with suppress(FileNotFoundError):
        assert (store.root.parent / "precious").read_bytes() == b"precious"
    server.pause = 0
    if part.is_dir():
        part.rmdir()
    reporter = Remember()
    fetch_one(file, store, server.url, reporter=reporter)
    blob = store.find(file)
    assert blob is not None
    assert sha256_file(blob) == file.sha256
    assert not blob.is_symlink()
    assert not [one for one in reporter.notes if "other bytes" in one]
