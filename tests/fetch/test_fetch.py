from __future__ import annotations

import socket
import stat
from typing import TYPE_CHECKING

import blob_server
import pytest
from fetching import Remember, fetch_one, file_of

from modeldeps.errors import DigestError, OfflineError, UnreachableError
from modeldeps.fetch import fetch, sources
from modeldeps.progress import Reporter
from modeldeps.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer

CHUNKS = pytest.mark.parametrize("chunk", [0, 500_000, 700_000])


def put(channel: Path, data: bytes, digest: str) -> str:
    blob = channel / "blobs" / "sha256" / digest[:2] / digest
    blob.parent.mkdir(parents=True, exist_ok=True)
    blob.write_bytes(data)
    return channel.as_uri() + "/"


def leftovers(store: Store) -> list[str]:
    return sorted(one.name for one in (store.root / "partial").iterdir())


@CHUNKS
def test_a_file_comes_over_http_whole_and_read_only(
    server: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, reporter=reporter)
    assert fetched.bytes_fetched == len(data)
    blob = store.find(file)
    assert blob == fetched.blobs[file.sha256] == store.blob(file.sha256)
    assert blob.read_bytes() == data
    assert stat.S_IMODE(blob.stat().st_mode) & 0o333 == 0
    assert (reporter.done, reporter.total, reporter.open) == (len(data), len(data), 0)
    assert leftovers(store) == []


@CHUNKS
def test_a_file_comes_out_of_a_folder(tmp_path: Path, store: Store, data: bytes, chunk: int) -> None:
    file = file_of(data, chunk=chunk)
    channel = put(tmp_path / "a channel", data, file.sha256)
    assert fetch_one(file, store, channel).bytes_fetched == len(data)
    found = store.find(file)
    assert found is not None
    assert found.read_bytes() == data


def test_what_is_there_is_not_fetched_again(server: BlobServer, store: Store, data: bytes) -> None:
    file = file_of(data)
    server.add(data, file.sha256)
    fetch_one(file, store, server.url)
    again = fetch_one(file, store, server.url)
    assert again.bytes_fetched == 0
    assert again.blobs == {file.sha256: store.blob(file.sha256)}
    assert len(server.requests) == 1


@pytest.mark.parametrize("size", [0, 1, 65_536, 1 << 20, (1 << 20) + 1, 5 << 20])
def test_files_of_every_size_come(server: BlobServer, store: Store, size: int) -> None:
    data = bytes(size)
    file = file_of(data)
    server.add(data, file.sha256)
    assert fetch_one(file, store, server.url).bytes_fetched == size
    assert store.blob(file.sha256).stat().st_size == size


def test_one_blob_under_two_names_travels_once(server: BlobServer, store: Store, data: bytes) -> None:
    one, two = file_of(data, "a.bin"), file_of(data, "b.bin")
    server.add(data, one.sha256)
    fetched = fetch([one, two], store, channels=[server.url], reporter=Reporter())
    assert fetched.bytes_fetched == len(data)


def test_channels_are_asked_in_order_before_the_manifest_s_own_sources(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data, sources=[f"{server.url}elsewhere/model.onnx"])
    server.blobs["/elsewhere/model.onnx"] = data
    reporter = Remember()
    fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    path = f"/blobs/sha256/{file.sha256[:2]}/{file.sha256}"
    assert [one.path for one in server.requests] == [path, "/elsewhere/model.onnx"]
    assert [one.path for one in mirror.requests] == [path]
    assert reporter.notes == [f"{url[:-1]}{path}: 404, it is not there" for url in (server.url, mirror.url)]


def test_connections_are_kept_between_files(server: BlobServer, store: Store) -> None:
    files = [file_of(bytes([number]) * 100_000, f"{number}.bin") for number in range(8)]
    for number, file in enumerate(files):
        server.add(bytes([number]) * 100_000, file.sha256)
    fetch(files, store, channels=[server.url], reporter=Reporter())
    assert len(server.requests) == 8
    assert server.connections <= 2


def test_a_dead_channel_is_passed_over_and_asked_once_a_run(
    server: BlobServer, store: Store, data: bytes
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        files = [file_of(data, "a.bin"), file_of(data[1:], "b.bin")]
        server.add(data, files[0].sha256)
        server.add(data[1:], files[1].sha256)
        reporter = Remember()
        fetched = fetch(files, store, channels=[dead, server.url], reporter=reporter)
    assert fetched.bytes_fetched == 2 * len(data) - 1
    assert [note.partition(": ")[2] for note in reporter.notes] == ["connection refused"]


def test_when_every_source_fails_each_is_named_with_its_reason(
    server: BlobServer, store: Store, tmp_path: Path, data: bytes
) -> None:
    file = file_of(data)
    folder = tmp_path.as_uri() + "/"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        dead = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        with pytest.raises(UnreachableError) as caught:
            fetch_one(file, store, dead, server.url, folder)
    place = f"blobs/sha256/{file.sha256[:2]}/{file.sha256}"
    assert str(caught.value) == (
        "could not fetch model.onnx\n"
        f"  tried: {dead}{place}: connection refused\n"
        f"         {server.url}{place}: 404, it is not there\n"
        f"         {folder}{place}: it is not there\n"
        "hint: `modeldeps doctor` tells which channels can be reached"
    )
    assert leftovers(store) == []


def test_where_every_source_answered_the_hint_is_to_ask_its_owner(
    server: BlobServer, store: Store, data: bytes
) -> None:
    with pytest.raises(UnreachableError) as caught:
        fetch_one(file_of(data), store, server.url)
    assert str(caught.value.hint).startswith("ask the owner of the channel")


def test_without_any_source_the_error_names_the_setting(store: Store, data: bytes) -> None:
    with pytest.raises(UnreachableError, match="MODELDEPS_CHANNELS"):
        fetch_one(file_of(data), store)


@CHUNKS
def test_wrong_bytes_of_the_only_source_are_an_error_with_its_name(
    server: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    file = file_of(data, chunk=chunk)
    server.add(data, file.sha256, *[blob_server.flipped(1_600_000)] * 9)
    with pytest.raises(DigestError) as caught:
        fetch_one(file, store, server.url)
    assert caught.value.source.startswith(server.url)
    assert caught.value.exit_status == 1
    assert ("part" in str(caught.value)) == bool(chunk)
    assert len(server.requests) == 1
    assert store.find(file) is None
    assert not store.blob(file.sha256).exists()


@CHUNKS
def test_a_source_of_wrong_bytes_is_named_and_left_for_the_next(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes, chunk: int
) -> None:
    files = [file_of(data, chunk=chunk), file_of(data[1:], "labels.txt")]
    for file, blob in zip(files, (data, data[1:]), strict=True):
        server.add(blob, file.sha256, *[blob_server.flipped(1_600_000)] * 9)
        mirror.add(blob, file.sha256)
    reporter = Remember()
    first = fetch(files[:1], store, channels=[server.url, mirror.url], reporter=reporter, model="digits")
    assert [one.source.startswith(server.url) for one in first.wrong] == [True]
    told = "served other bytes of model.onnx of digits than its manifest names; the source is not used again"
    assert reporter.notes == [f"warning: {first.wrong[0].source} {told}"]
    assert store.blob(files[0].sha256).read_bytes() == data
    assert reporter.done == len(data)
    if chunk:
        assert mirror.requests[0].start == 1_600_000 // chunk * chunk
    fetch(files, store, channels=[server.url, mirror.url], reporter=reporter)
    assert len(server.requests) == 2
    fetched = fetch(files, Store(store.root / "new"), channels=[server.url, mirror.url], reporter=reporter)
    assert len(server.requests) <= 4  # both files may be under way when the first chunk is seen to be wrong
    assert len(fetched.wrong) == 1


def test_a_wrong_chunk_ends_the_transfer_at_once(server: BlobServer, store: Store, data: bytes) -> None:
    file = file_of(data, chunk=100_000)
    server.add(data, file.sha256, blob_server.flipped(50))
    server.pause = 0.01
    with pytest.raises(DigestError, match="bytes 0 to 99999"):
        fetch_one(file, store, server.url)
    assert server.sent < len(data)


def test_after_wrong_bytes_a_good_source_serves_the_next_run(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    server.add(data, file.sha256, blob_server.flipped(5))
    mirror.add(data, file.sha256)
    with pytest.raises(DigestError):
        fetch_one(file, store, server.url)
    assert fetch_one(file, store, mirror.url).bytes_fetched == len(data)


def test_a_size_that_is_not_the_manifest_s_is_seen_before_the_bytes_come(
    server: BlobServer, mirror: BlobServer, store: Store, data: bytes
) -> None:
    file = file_of(data)
    server.add(data[:-1], file.sha256)
    mirror.add(data, file.sha256)
    reporter = Remember()
    fetched = fetch_one(file, store, server.url, mirror.url, reporter=reporter)
    assert fetched.bytes_fetched == len(data)
    assert reporter.notes[0].endswith("it has 2999999 bytes, the manifest says 3000000")


def test_offline_only_folders_serve(server: BlobServer, store: Store, tmp_path: Path, data: bytes) -> None:
    file = file_of(data)
    server.add(data, file.sha256)
    with pytest.raises(OfflineError) as caught:
        fetch([file], store, channels=[server.url], reporter=Reporter(), offline=True)
    assert str(caught.value) == (
        "the store lacks 1 file, and the network is off\n"
        "  missing: model.onnx\n"
        "  size:    3.0 MB\n"
        "hint: run `modeldeps sync` where there is a network, without --offline"
    )
    empty = (tmp_path / "empty").as_uri() + "/"
    with pytest.raises(OfflineError):
        fetch([file], store, channels=[empty, server.url], reporter=Reporter(), offline=True)
    channel = put(tmp_path / "stick", data, file.sha256)
    fetched = fetch([file], store, channels=[server.url, channel], reporter=Reporter(), offline=True)
    assert fetched.bytes_fetched == len(data)
    assert server.requests == []


def test_sources_are_listed_once_each() -> None:
    file = file_of(b"x", sources=["https://a.example/x", "https://a.example/x"])
    place = f"blobs/sha256/{file.sha256[:2]}/{file.sha256}"
    assert sources(file, ["https://c.example", "file:///srv/"]) == (
        f"https://c.example/{place}",
        f"file:///srv/{place}",
        "https://a.example/x",
    )
    assert sources(file, ["https://c.example", "file:///srv/"], offline=True) == (f"file:///srv/{place}",)
