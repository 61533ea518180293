from __future__ import annotations

import hashlib
import io
from typing import TYPE_CHECKING

import pytest

from modeldeps import digest
from modeldeps.files import rewrite, write_atomically

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


def test_a_digest_in_a_record_has_no_padding() -> None:
    assert digest.record_digest(b"") == "sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU"


def test_a_file_that_is_rewritten_keeps_its_mode_and_the_links_to_it(tmp_path: Path) -> None:
    file, link = tmp_path / "pyproject.toml", tmp_path / "link.toml"
    file.write_bytes(b"old")
    file.chmod(0o600)
    link.symlink_to(file)
    rewrite(link, b"new")
    assert link.is_symlink()
    assert file.read_bytes() == b"new"
    assert file.stat().st_mode & 0o777 == 0o600


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
