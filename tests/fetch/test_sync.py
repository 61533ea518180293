from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest
from fetching import Remember, file_of

from modeldeps.errors import DigestError, ManifestError, OfflineError, Problem
from modeldeps.manifest import Manifest, Variant
from modeldeps.sync import Ensured, Synced, ensure, sync

if TYPE_CHECKING:
    from collections.abc import Sequence

    from blob_server import BlobServer

    from modeldeps.manifest import File
    from modeldeps.store import Store

FP32, INT8, LABELS = b"weights" * 1000, b"small" * 1000, b"0\n1\n"


def variant(name: str, data: bytes) -> Variant:
    return Variant(name, "onnx", "model.onnx", (file_of(data),))


@pytest.fixture
def manifest(server: BlobServer) -> Manifest:
    for data in (FP32, INT8, LABELS):
        server.add(data, file_of(data).sha256)
    return Manifest(
        name="digits",
        version="2.1.0",
        summary="reads digits",
        license="MIT",
        variants=(variant("fp32", FP32), variant("int8", INT8)),
        default=("fp32", "int8"),
        files=(file_of(LABELS, "labels.txt"),),
    )


@dataclass(frozen=True)
class Installed:
    """A pointer in an environment."""

    found: Manifest

    def manifest(self) -> Manifest:
        return self.found


class Broken:
    """A pointer whose manifest is broken."""

    def manifest(self) -> Manifest:
        raise ManifestError("model.json", [Problem("name", "is missing")])


def run(
    server: BlobServer, store: Store, *manifests: Manifest, reporter: Remember | None = None
) -> Sequence[Synced]:
    return sync(
        [Installed(one) for one in manifests],
        lambda manifest: manifest.variants,
        store=store,
        channels=[server.url],
        reporter=reporter or Remember(),
        offline=False,
    )


def test_a_variant_and_the_shared_files_come_into_one_folder(
    server: BlobServer, store: Store, manifest: Manifest
) -> None:
    def once(*, offline: bool) -> Ensured:
        return ensure(
            manifest,
            manifest.variants[0],
            store=store,
            channels=[server.url],
            reporter=Remember(),
            offline=offline,
        )

    first = once(offline=False)
    assert first.bytes_fetched == len(FP32) + len(LABELS)
    assert {one.name: one.read_bytes() for one in first.path.iterdir()} == {
        "model.onnx": FP32,
        "labels.txt": LABELS,
    }
    assert once(offline=True) == Ensured(first.path, 0)
    assert len(server.requests) == 2


def test_offline_with_an_empty_store_names_sync(server: BlobServer, store: Store, manifest: Manifest) -> None:
    with pytest.raises(OfflineError, match="modeldeps sync"):
        ensure(
            manifest,
            manifest.variants[0],
            store=store,
            channels=[server.url],
            reporter=Remember(),
            offline=True,
        )
    assert not store.root.exists()


def test_sync_tells_of_each_variant_what_travelled(
    server: BlobServer, store: Store, manifest: Manifest
) -> None:
    done = run(server, store, manifest)
    assert [(one.name, one.version, one.variant, one.bytes_fetched) for one in done] == [
        ("digits", "2.1.0", "fp32", len(FP32) + len(LABELS)),
        ("digits", "2.1.0", "int8", len(INT8)),
    ]
    assert [one.bytes_fetched for one in run(server, store, manifest)] == [0, 0]


def test_two_versions_share_what_did_not_change(server: BlobServer, store: Store, manifest: Manifest) -> None:
    run(server, store, manifest)
    new = b"better" * 1000
    server.add(new, file_of(new).sha256)
    later = replace(manifest, version="2.2.0", variants=(variant("fp32", new), manifest.variants[1]))
    done = run(server, store, later)
    assert [one.bytes_fetched for one in done] == [len(new), 0]
    assert done[1].path.name.startswith("int8-")
    assert done[1].path.parent.name == "2.2.0"


def test_a_broken_manifest_is_seen_before_anything_is_fetched(
    server: BlobServer, store: Store, manifest: Manifest
) -> None:
    with pytest.raises(ManifestError):
        sync(
            [Installed(manifest), Broken()],
            lambda one: one.variants,
            store=store,
            channels=[server.url],
            reporter=Remember(),
            offline=False,
        )
    assert server.requests == []


def test_a_model_that_fails_leaves_no_folder(server: BlobServer, store: Store, manifest: Manifest) -> None:
    wanted: File = manifest.variants[0].files[0]
    server.add(b"WEIGHTS" * 1000, wanted.sha256)
    reporter = Remember()
    with pytest.raises(DigestError):
        run(server, store, manifest, reporter=reporter)
    assert reporter.open == 0
    assert store.usage().models == 0
