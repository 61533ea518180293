"""What is wrong in a store is found whatever its seal says, and nobody uses it any more."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, fetch_one, file_of
from stores import NAMED, keep

from modeldeps.store import Expected, Store, Verdict, _lock, _mend, _trust

if TYPE_CHECKING:
    from blob_server import BlobServer

    from modeldeps.manifest import File
    from modeldeps.store import Verified

DATA = random.Random(5).randbytes(300_000)  # noqa: S311 - no secret


def rot(path: Path, *, at: int = 1000, seal_stays: bool = True) -> None:
    """Alter one byte; as a disk does it, without a trace in the times, or as a program does it."""
    status = path.stat()
    path.chmod(0o644)
    with path.open("r+b") as stream:
        stream.seek(at)
        byte = stream.read(1)[0]
        stream.seek(at)
        stream.write(bytes([byte ^ 0x10]))
    path.chmod(status.st_mode)
    if seal_stays:
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def verify(store: Store, *models: Expected, only: bool = False) -> Verified:
    return store.verify(models, reporter=Remember(), only=only)


def verdicts(found: Verified) -> list[tuple[str, str]]:
    return [(one.verdict.value, one.item.path.name) for one in found.findings]


def expected(*files: File) -> Expected:
    return Expected(**NAMED, files=files)


def test_a_store_whose_bytes_are_right_has_no_findings(store: Store, tmp_path: Path) -> None:
    file = keep(store, DATA, tmp_path)
    keep(store, b"labels", tmp_path, "labels.txt")
    store.materialise([file], **NAMED)
    heard = Remember()
    found = store.verify([], reporter=heard)
    assert (found.files, found.size, found.findings) == (2, len(DATA) + 6, ())
    assert (heard.done, heard.total, heard.open) == (found.size, found.size, 0)


def test_an_empty_store_has_no_findings_and_is_not_made(store: Store) -> None:
    assert verify(store).files == 0
    assert not store.root.exists()


def test_a_byte_that_changed_under_its_seal_is_found_and_not_used_any_more(
    store: Store, tmp_path: Path
) -> None:
    file = keep(store, DATA, tmp_path)
    folder = store.materialise([file], **NAMED)
    blob = store.blob(file.sha256)
    rot(blob)
    assert store.find(file) == blob  # the seal is all that anybody looks at
    found = verify(store)
    assert verdicts(found) == [("wrong", file.sha256)]
    assert found.findings[0].item.names == (folder / file.path,)
    assert "its sha256 is" in found.findings[0].reason
    assert store.find(file) is None
    assert store.materialised([file], **NAMED) is None
    assert blob.stat().st_size == len(DATA)


def test_a_byte_that_changed_under_its_stamp_is_found_and_not_used_any_more(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_trust, "seal", lambda *_, **__: None)  # as on a file system without modes and times
    file = keep(store, DATA, tmp_path)
    blob = store.blob(file.sha256)
    rot(blob)
    store._stamps.remember(blob, blob.lstat(), file.sha256)
    assert store.find(file) == blob
    assert verdicts(verify(store)) == [("wrong", file.sha256)]
    assert store.find(file) is None


def test_a_right_file_without_seal_is_told_and_sealed(store: Store, tmp_path: Path) -> None:
    file = keep(store, DATA, tmp_path)
    store.blob(file.sha256).touch()
    assert verdicts(verify(store)) == [("proved", file.sha256)]
    assert verify(store).findings == ()


def test_a_linked_blob_whose_owner_made_another_link_is_proved_under_all_its_names(
    store: Store, tmp_path: Path
) -> None:
    file, source = file_of(DATA), tmp_path / "weights.bin"
    source.write_bytes(DATA)
    store.gather([source], [file], reporter=Remember())
    folder = store.materialise([file], **NAMED)
    (tmp_path / "again").hardlink_to(source)
    if not source.samefile(store.blob(file.sha256)):
        pytest.skip("nothing is shared by hard links here")
    assert verdicts(verify(store)) == [("proved", file.sha256)]
    for path in (store.blob(file.sha256), folder / file.path):
        assert _trust.known(path, file.sha256, file.size, store._stamps)
    assert source.stat().st_mode & 0o200


@pytest.mark.parametrize("size", [0, 5, len(DATA) + 1])
def test_a_file_of_another_length_is_wrong(store: Store, tmp_path: Path, size: int) -> None:
    file = keep(store, DATA, tmp_path)
    blob = store.blob(file.sha256)
    blob.chmod(0o644)
    os.truncate(blob, size)
    assert verdicts(verify(store)) == [("wrong", file.sha256)]


@pytest.mark.parametrize("known", [True, False])
def test_a_copy_in_the_folder_of_a_model_is_hashed_too(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, known: bool
) -> None:
    file = keep(store, DATA, tmp_path)
    monkeypatch.setattr(os, "link", refuse)
    folder = store.materialise([file], **NAMED)
    assert not (folder / file.path).samefile(store.blob(file.sha256))
    found = verify(store, expected(file))
    assert (found.files, found.findings) == (2, ())
    assert found.copies == {file.sha256: folder / file.path}
    assert verify(store).findings == ()
    rot(folder / file.path)
    assert store.materialised([file], **NAMED) == folder
    assert verdicts(verify(store, expected(file) if known else expected())) == [("wrong", file.path)]
    assert store.materialised([file], **NAMED) is None


def refuse(source: Path, target: Path) -> None:
    raise PermissionError(1, "links are not allowed here", str(source), None, str(target))


def test_a_file_that_a_folder_of_a_model_lacks_is_missing(store: Store, tmp_path: Path) -> None:
    file = keep(store, DATA, tmp_path)
    folder = store.materialise([file], **NAMED)
    (folder / file.path).unlink()
    assert verdicts(verify(store, expected(file))) == [("missing", file.path)]


def test_of_models_that_are_named_nothing_else_is_looked_at(store: Store, tmp_path: Path) -> None:
    file, other = keep(store, DATA, tmp_path), keep(store, b"other", tmp_path)
    rot(store.blob(other.sha256), at=0)
    lacking = file_of(b"lacking", "labels.txt")
    found = verify(store, expected(file, lacking), only=True)
    assert found.files == 1
    assert verdicts(found) == [("missing", lacking.sha256)]


def test_layers_are_looked_at_and_told_apart(store: Store, tmp_path: Path) -> None:
    layer = Store(tmp_path / "layer")
    file = keep(layer, DATA, tmp_path)
    rot(layer.blob(file.sha256))
    found = verify(Store(tmp_path / "store", (layer.root,)))
    assert verdicts(found) == [("wrong", file.sha256)]
    assert not found.findings[0].item.own


def test_what_is_no_plain_file_is_no_blob(store: Store, tmp_path: Path) -> None:
    file = keep(store, DATA, tmp_path)
    blob = store.blob(file.sha256)
    blob.rename(tmp_path / "elsewhere")
    os.mkfifo(blob)
    assert verify(store).files == 0


def test_a_file_that_can_t_be_read_is_told(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = keep(store, DATA, tmp_path)
    blob = store.blob(file.sha256)
    real = os.open

    def failing(path: Path, flags: int, mode: int = 0o777) -> int:
        if Path(path) == blob:
            raise OSError(5, "Input/output error")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", failing)
    found = verify(store)
    assert verdicts(found) == [("unreadable", file.sha256)]
    assert found.findings[0].reason == "Input/output error"


def test_only_the_wrong_chunk_of_a_blob_travels_again(store: Store, server: BlobServer, data: bytes) -> None:
    file = file_of(data, chunk=1 << 16)
    server.add(data, file.sha256)
    fetch_one(file, store, server.url)
    sent = server.sent
    rot(store.blob(file.sha256), at=1_000_000)
    assert verdicts(verify(store)) == [("wrong", file.sha256)]
    assert not store.restore(file, [])
    assert fetch_one(file, store, server.url).bytes_fetched == 1 << 16
    assert server.sent == sent + (1 << 16)
    assert store.blob(file.sha256).read_bytes() == data
    assert verify(store).findings == ()


def test_what_can_be_read_of_a_blob_on_a_bad_disk_does_not_travel_again(
    store: Store, server: BlobServer, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = file_of(data, chunk=1 << 16)
    server.add(data, file.sha256)
    fetch_one(file, store, server.url)
    _trust.distrust(store.blob(file.sha256), file.sha256, store._stamps)
    rot(store.blob(file.sha256), seal_stays=False)
    whole = _mend._block
    monkeypatch.setattr(_mend, "clone", lambda source, target: source < 0 and target.exists())
    monkeypatch.setattr(
        _mend, "_block", lambda source, at, length: whole(source, at, length) if at != 1 << 20 else b""
    )
    assert not store.restore(file, [])
    assert fetch_one(file, store, server.url).bytes_fetched <= (1 << 20) + (1 << 16)
    assert store.blob(file.sha256).read_bytes() == data


def test_a_right_copy_of_a_model_mends_its_blob(store: Store, tmp_path: Path) -> None:
    file = keep(store, DATA, tmp_path)
    copy = tmp_path / "copy"
    copy.write_bytes(DATA)
    rot(store.blob(file.sha256), seal_stays=False)
    assert store.restore(file, [tmp_path / "gone", copy])
    assert store.find(file) == store.blob(file.sha256)
    assert not store.blob(file.sha256).samefile(copy)


def test_a_blob_that_somebody_is_landing_is_not_seeded(store: Store, data: bytes, tmp_path: Path) -> None:
    file = file_of(data, chunk=1 << 16)
    keep(store, data, tmp_path)
    lock = _lock.acquire(store._layout.lock(file.sha256))
    assert lock is not None
    assert not store.restore(file, [])
    lock.release()
    assert not (store.root / "partial" / file.sha256).exists()
    assert not store.restore(file, [])
    assert (store.root / "partial" / file.sha256).stat().st_size == len(data)


def test_scratch_of_a_killed_process_is_no_finding(store: Store, tmp_path: Path) -> None:
    file = keep(store, DATA, tmp_path)
    folder = store.materialise([file], **NAMED)
    (folder / ".0123456789abcdef.tmp").write_bytes(b"half")
    scratch = folder.parent / ".fp32-0.abc"
    scratch.mkdir()
    (scratch / "model.onnx").write_bytes(b"half")
    assert verify(store).findings == ()


def test_many_files_are_hashed_by_all_threads_and_each_once(store: Store, tmp_path: Path) -> None:
    files = [keep(store, b"%d" % number, tmp_path) for number in range(100)]
    wrong = files[::7]
    for file in wrong:
        rot(store.blob(file.sha256), at=0)
    found = verify(store)
    assert found.files == 100
    assert {one.item.digest for one in found.findings} == {file.sha256 for file in wrong}
    assert {one.verdict for one in found.findings} == {Verdict.WRONG}
