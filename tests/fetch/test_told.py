"""What people hear of sources that fail or keep silent."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.errors import OfflineError, UnreachableError
from modeldeps.fetch import _host, _told, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer

    from modeldeps.store import Store


def test_sources_that_failed_are_told_once_where_the_error_lists_them_all(
    server: BlobServer, mirror: BlobServer, store: Store, tmp_path: Path, data: bytes
) -> None:
    reporter = Remember()
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file_of(data), store, server.url, mirror.url, tmp_path.as_uri() + "/", reporter=reporter)
    assert len(caught.value.failures) == 3
    assert reporter.notes == []


def test_offline_the_error_lists_the_folders_that_were_asked(
    server: BlobServer, store: Store, tmp_path: Path, data: bytes
) -> None:
    reporter, folder = Remember(), tmp_path.as_uri() + "/"
    channels = [server.url, folder]
    with pytest.raises(OfflineError, match="it is not there") as caught:
        fetch([file_of(data)], store, channels=channels, reporter=reporter, offline=True)
    assert [one.url.startswith(folder) for one in caught.value.failures] == [True]
    assert reporter.notes == []


def test_a_source_that_failed_is_told_where_another_one_brings_the_file(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    reporter, file = Remember(), file_of(data)
    mirror.add(data, file.sha256)
    fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    (note,) = reporter.notes
    assert note == f"{server.url}blobs/sha256/{file.sha256[:2]}/{file.sha256}: 404, it is not there"


def test_what_failed_for_a_file_that_came_is_told_although_another_file_fails(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    reporter, came, lost = Remember(), file_of(data, "a.bin"), file_of(data[1:], "b.bin")
    mirror.add(data, came.sha256)
    fetch_one(came, store, mirror.url)
    with pytest.raises(UnreachableError):
        fetch([came, lost], store, channels=[server.url, mirror.url], reporter=reporter)
    assert reporter.notes == []


def test_what_the_error_says_of_one_file_is_not_told_of_the_others(server: BlobServer, store: Store) -> None:
    reporter, files = Remember(), [file_of(bytes([number]), f"{number}.bin") for number in range(5)]
    with pytest.raises(UnreachableError):
        fetch(files, store, channels=[server.url], reporter=reporter)
    assert reporter.notes == []


def test_who_keeps_silent_is_named_while_he_is_waited_for(
    server: BlobServer, store: Store, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_told, "WAIT", 1.0)
    monkeypatch.setattr(_host, "SILENT", 2.5)
    reporter, file = Remember(), file_of(data)
    server.add(data, file.sha256)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        mute = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with_password = mute.replace("//", "//me:hidden@")
        fetch_one(file, store, f"{with_password}/c/", server.url, reporter=reporter)
    assert reporter.notes == [f"{mute}: nothing came for 1 s; still waiting"]
