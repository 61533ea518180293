"""A server of blobs that can fail, a store, files to fetch, and users who share a store."""

from __future__ import annotations

import random
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import blob_server
import pytest
from users import ALICE, BOB, User

from modeldeps.fetch import _retry
from modeldeps.store import Store, _shared

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def server() -> Iterator[blob_server.BlobServer]:
    with blob_server.running() as found:
        yield found


@pytest.fixture
def mirror() -> Iterator[blob_server.BlobServer]:
    with blob_server.running() as found:
        yield found


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def data() -> bytes:
    """Return 3 MB, the same in every run."""
    return random.Random(7).randbytes(3_000_000)  # noqa: S311 - no secret


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_retry, "FIRST_PAUSE", 0.001)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture
def top() -> Iterator[Path]:
    """Return a folder that all users share as a store."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    _shared.found(folder / "models", group=None)
    yield folder / "models"
    shutil.rmtree(folder)


@pytest.fixture
def alice(top: Path) -> User:
    return User(ALICE, top)


@pytest.fixture
def bob(top: Path) -> User:
    return User(BOB, top)
