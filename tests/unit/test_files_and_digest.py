from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from modeldeps import digest
from modeldeps.files import write_atomically

if TYPE_CHECKING:
    from pathlib import Path

DATA = b"weights" * 500_000


def test_bytes_files_and_streams_have_one_digest(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(DATA)
    wanted = hashlib.sha256(DATA).hexdigest()
    assert (
        digest.sha256_bytes(DATA)
        == digest.sha256_file(file)
        == digest.sha256_stream(io.BytesIO(DATA))
        == wanted
    )


@pytest.mark.parametrize("text", ["", "0" * 63, "A" * 64, "0" * 64 + "\n", 7, None])
def test_a_digest_has_one_spelling(text: object) -> None:
    assert not digest.is_sha256(text)


def test_a_file_is_replaced_whole(tmp_path: Path) -> None:
    target = tmp_path / "index.html"
    write_atomically(target, b"old")
    write_atomically(target, b"new")
    assert target.read_bytes() == b"new"
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "index.html"
    write_atomically(target, b"old")
    with pytest.raises(TypeError):
        write_atomically(target, "text")  # type: ignore[arg-type]
    assert target.read_bytes() == b"old"
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]
