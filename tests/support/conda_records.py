"""Records and a context as conda gives them, and packages as it extracts them, without conda."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from modeldeps.conda._fetch import Linked, models_of

if TYPE_CHECKING:
    from pathlib import Path

    from blob_server import BlobServer
    from releases import Release

SHORT = "lib/python3.12/site-packages"


@dataclass
class Record:
    """What a solved record has that is looked at, and where its package lies extracted."""

    folder: Path
    name: str = "modeldeps-digits"
    url: str = ""
    depends: tuple[str, ...] = ("python", "modeldeps >=0.1")
    size: int = 2000


@dataclass
class Context:
    """What is asked of conda's context."""

    offline: bool = False
    quiet: bool = True
    json: bool = False
    virtual: tuple[tuple[str, str], ...] = ()
    remote_connect_timeout_secs: float = 5.0
    remote_read_timeout_secs: float = 5.0
    plugin_manager: Any = field(init=False)

    def __post_init__(self) -> None:
        records = [SimpleNamespace(name=name, version=version) for name, version in self.virtual]
        self.plugin_manager = SimpleNamespace(get_virtual_package_records=lambda: records)


def extract(release: Release, folder: Path, site: str = "site-packages") -> Record:
    """Lay a pointer wheel out as conda extracts a package."""
    for name, data in release.contents().items():
        path = folder / site / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return Record(folder)


def found_in(*records: Record, short: str = SHORT) -> Linked | None:
    return models_of(records, short, folder_of=lambda record: record.folder)


def linked_of(*records: Record) -> Linked:
    found = found_in(*records)
    assert found is not None
    return found


def serve(server: BlobServer, release: Release, *faults: Any) -> None:
    for digest, data in release.blobs.items():
        server.add(data, digest, *faults)


def session_of(url: str) -> Any:
    """Return a session as conda's is one: of requests."""
    del url
    found = importlib.import_module("requests").Session()
    found.trust_env = False
    return found
