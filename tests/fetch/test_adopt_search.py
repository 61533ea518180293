"""Wanted bytes are found wherever they lie, and hostile folders and archives stop no search."""

from __future__ import annotations

import os
import random
import struct
import zipfile
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, file_of

from modeldeps.store import Store, _archive
from modeldeps.store._adopt import How
from modeldeps.store._search import search

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.manifest import File
    from modeldeps.store._gather import Adoption

DATA = random.Random(1).randbytes(50_000)  # noqa: S311 - no secret
OTHER = DATA[:-1] + bytes([DATA[-1] ^ 1])


def gather(store: Store, place: Path, *files: File, dry_run: bool = False) -> Adoption:
    return store.gather([place], files or None, reporter=Remember(), dry_run=dry_run)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "somewhere" / "deep" / "below"
    made.mkdir(parents=True)
    return made


def test_a_file_is_found_by_its_bytes_under_any_name(store: Store, tmp_path: Path, folder: Path) -> None:
    (folder / "other").write_bytes(OTHER)
    (folder / "weights").write_bytes(DATA)
    done = gather(store, tmp_path, file_of(DATA))
    assert [(one.source.path, one.how) for one in done.adopted] == [(folder / "weights", How.LINK)]
    assert (done.missing, done.lying) == ((), ())
    assert store.find(file_of(DATA))
    assert store.find(file_of(OTHER)) is None


def test_a_search_of_one_file_is_a_search_too(store: Store, folder: Path) -> None:
    (folder / "weights").write_bytes(DATA)
    assert len(gather(store, folder / "weights", file_of(DATA)).adopted) == 1


def test_two_wanted_files_of_one_size_are_told_apart(store: Store, folder: Path) -> None:
    (folder / "a").write_bytes(OTHER)
    (folder / "b").write_bytes(DATA)
    (folder / "c").write_bytes(DATA)
    done = gather(store, folder, file_of(DATA, "one"), file_of(OTHER, "two"))
    assert {one.file.path: one.source.path.name for one in done.adopted} == {"one": "b", "two": "a"}


def test_what_is_in_the_store_is_not_looked_for(store: Store, folder: Path) -> None:
    (folder / "weights").write_bytes(DATA)
    gather(store, folder, file_of(DATA))
    assert gather(store, folder, file_of(DATA)).adopted == ()
    assert gather(store, folder).adopted == ()


def test_a_dry_run_finds_and_makes_nothing(store: Store, folder: Path) -> None:
    (folder / "weights").write_bytes(DATA)
    done = gather(store, folder, file_of(DATA), dry_run=True)
    assert [(one.source.path.name, one.how) for one in done.adopted] == [("weights", None)]
    assert not store.root.exists()


def test_all_files_of_a_folder_are_taken_once_each(store: Store, folder: Path) -> None:
    for name, data in (("a", DATA), ("b", DATA), ("c", OTHER), ("d", b"")):
        (folder / name).write_bytes(data)
    done = gather(store, folder)
    assert sorted(one.file.sha256 for one in done.adopted) == sorted(
        file_of(one).sha256 for one in (DATA, OTHER, b"")
    )
    assert store.usage().blobs == 3


def test_links_are_not_followed_and_names_of_one_file_count_once(
    store: Store, tmp_path: Path, folder: Path
) -> None:
    (folder / "up").symlink_to(tmp_path)
    (folder / "link").symlink_to(folder / "weights")
    (folder / "weights").write_bytes(DATA)
    os.link(folder / "weights", folder / "second")
    assert [one.path.name for one in search([tmp_path], None)] == ["second"]


def test_the_store_itself_is_not_searched(store: Store, tmp_path: Path, folder: Path) -> None:
    (folder / "weights").write_bytes(DATA)
    gather(store, folder)
    assert [one.path.name for one in search([tmp_path], None, besides=[store.root])] == ["weights"]


def test_pipes_and_vanished_folders_stop_no_search(store: Store, folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "weights").write_bytes(DATA)
    done = store.gather([folder / "gone", folder], [file_of(DATA)], reporter=Remember())
    assert len(done.adopted) == 1


def test_a_name_that_is_a_digest_of_other_bytes_is_told(store: Store, folder: Path) -> None:
    (folder / file_of(DATA).sha256).write_bytes(OTHER)
    done = gather(store, folder, file_of(DATA))
    assert [one.path.name for one in done.lying] == [file_of(DATA).sha256]
    assert done.missing == (file_of(DATA),)


@pytest.mark.parametrize("name", ["model.whl", "0123abcd.body"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
def test_a_model_inside_a_wheel_is_taken_out(store: Store, folder: Path, name: str, method: int) -> None:
    with zipfile.ZipFile(folder / name, "w", method) as wheel:
        wheel.writestr("package/other.onnx", OTHER)
        wheel.writestr("package/model.onnx", DATA)
    done = gather(store, folder, file_of(DATA))
    assert [(one.source.member, one.how) for one in done.adopted] == [("package/model.onnx", How.COPY)]
    assert store.find(file_of(DATA))


def test_a_plain_file_is_preferred_to_one_in_a_wheel(store: Store, folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.whl", "w") as wheel:
        wheel.writestr("model.onnx", DATA)
    (folder / "model.onnx").write_bytes(DATA)
    assert [one.how for one in gather(store, folder, file_of(DATA)).adopted] == [How.LINK]


def test_a_wheel_that_is_broken_anywhere_stops_no_search(store: Store, folder: Path) -> None:
    with zipfile.ZipFile(folder / "whole.zip", "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("model.onnx", DATA)
    whole = (folder / "whole.zip").read_bytes()
    chance = random.Random(2)  # noqa: S311 - no secret
    for number in range(150):
        broken = bytearray(whole)
        for _ in range(chance.randint(1, 4)):
            place = chance.choice(
                [chance.randrange(len(broken)), chance.randrange(60), -1 - chance.randrange(90)]
            )
            broken[place] = chance.randrange(256)
        end = len(broken) if number % 3 else chance.randrange(len(broken))
        (folder / "broken.whl").write_bytes(broken[:end])
        done = gather(store, folder, file_of(OTHER))
        assert done.adopted == ()
        taken = gather(store, folder / "broken.whl", file_of(DATA)).adopted
        assert not taken or store.blob(file_of(DATA).sha256).read_bytes() == DATA
        store.blob(file_of(DATA).sha256).unlink(missing_ok=True)


def test_an_archive_whose_directory_claims_to_be_huge_is_not_read(folder: Path) -> None:
    path = folder / "huge.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("model.onnx", DATA)
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.rfind(b"PK\x05\x06") + 12, _archive.MAX_DIRECTORY + 1)
    path.write_bytes(data)
    assert _archive.members(path) == []


def test_a_member_that_unpacks_to_more_than_it_says_is_not_taken(store: Store, folder: Path) -> None:
    path = folder / "bomb.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("model.onnx", DATA + bytes(10_000_000))
    data = path.read_bytes().replace(struct.pack("<L", len(DATA) + 10_000_000), struct.pack("<L", len(DATA)))
    path.write_bytes(data)
    assert _archive.members(path) == [("model.onnx", len(DATA))]
    assert gather(store, folder, file_of(DATA)).adopted == ()


def test_progress_counts_the_bytes_that_were_hashed(store: Store, folder: Path) -> None:
    (folder / "weights").write_bytes(DATA)
    heard = Remember()
    store.gather([folder], [file_of(DATA)], reporter=heard)
    assert heard.done == len(DATA)
