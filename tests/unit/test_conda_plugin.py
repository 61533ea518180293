"""The fetch of what conda links, against records as conda gives them, without conda."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from blob_server import flipped, running, status
from conda_records import SHORT, Context, Record, extract, found_in, linked_of, serve, session_of
from fetching import file_of
from releases import Release

from modeldeps.conda._fetch import Target, bring, machine_of
from modeldeps.conda._sizes import lines_of, may_point
from modeldeps.config import settings
from modeldeps.errors import DigestError, ManifestError, OfflineError, UnreachableError
from modeldeps.runtime import Absent, Fails, Works
from modeldeps.store import Store


@pytest.fixture(autouse=True)
def _plain_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("modeldeps.conda._session._session", session_of)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    prefix = tmp_path / "envs" / "x"
    (prefix / "conda-meta").mkdir(parents=True)
    return Target(prefix / SHORT, Context())


# which packages are models


def test_a_model_is_known_by_its_manifest_whatever_its_package_is_called(tmp_path: Path) -> None:
    record = replace(extract(Release(), tmp_path / "a"), name="anything")
    (pair,) = linked_of(record).models
    assert (pair[0].name, pair[1].name, pair[1].version) == ("anything", "digits", "2.1.0")


def test_a_package_for_one_python_has_its_model_where_the_environment_has_it(tmp_path: Path) -> None:
    record = extract(Release(), tmp_path / "a", SHORT)
    assert linked_of(record).models
    assert found_in(record, short="lib/python3.13/site-packages") is None


def test_packages_without_a_manifest_are_left_alone(tmp_path: Path) -> None:
    empty = Record(tmp_path / "not there")
    other = extract(Release().with_members({"INFO/model.json": None}), tmp_path / "b")
    assert found_in(empty, other) is None


def test_a_manifest_that_leads_elsewhere_is_none(tmp_path: Path) -> None:
    record = extract(Release(), tmp_path / "a")
    (file,) = record.folder.rglob("model.json")
    file.rename(tmp_path / "elsewhere")
    file.symlink_to(tmp_path / "elsewhere")
    assert found_in(record) is None


# the fetch


def test_what_is_linked_is_fetched_from_its_channel_and_kept_for_the_prefix(
    tmp_path: Path, target: Target
) -> None:
    release = Release()
    record = extract(release, tmp_path / "pkgs")
    with running() as server:
        serve(server, release)
        bring(linked_of(record), target, shown={server.url: server.url}, heading="Verifying")
        asked = len(server.requests)
        bring(linked_of(record), target, shown={server.url: server.url}, heading="Verifying")
        assert len(server.requests) == asked == len(release.blobs)
    store = Store.open(settings())
    assert all(store.find(file_of(data)) for data in release.blobs.values())
    notes = [one.read_text() for one in (settings().cache / "roots").rglob("*") if one.is_file()]
    place = str(target.site.parents[2])
    assert any('"kind": "conda"' in one and f'"place": "{place}"' in one for one in notes)


def test_a_channel_that_serves_other_bytes_is_an_error_and_leaves_nothing(
    tmp_path: Path, target: Target
) -> None:
    release = Release()
    with running() as server:
        serve(server, release, *[flipped(0)] * 4)
        with pytest.raises(DigestError):
            bring(
                linked_of(extract(release, tmp_path / "pkgs")),
                target,
                shown={server.url: server.url},
                heading="",
            )
    assert Store.open(settings()).find(file_of(release.payload)) is None


def test_a_manifest_of_another_release_is_refused(tmp_path: Path, target: Target) -> None:
    record = extract(Release().with_members({"INFO/model.json": b"{}"}), tmp_path / "pkgs")
    with pytest.raises(ManifestError):
        bring(linked_of(record), target, shown={}, heading="")


def test_offline_takes_the_store_and_folders_and_asks_nobody(tmp_path: Path, target: Target) -> None:
    release = Release()
    offline = Target(target.site, Context(offline=True))
    linked = linked_of(extract(release, tmp_path / "pkgs"))
    with running() as server:
        serve(server, release)
        with pytest.raises(OfflineError):
            bring(linked, offline, shown={server.url: server.url}, heading="")
        folder = release.build(tmp_path / "dist").as_uri() + "/"
        bring(linked, offline, shown={folder: folder}, heading="")
        assert server.requests == []
    assert Store.open(settings()).find(file_of(release.payload))


def test_the_users_own_channels_are_asked_after_condas(
    tmp_path: Path, target: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    release = Release()
    own = release.build(tmp_path / "dist")
    monkeypatch.setenv("MODELDEPS_CHANNELS", str(own))
    with running() as server:
        bring(
            linked_of(extract(release, tmp_path / "pkgs")), target, shown={server.url: server.url}, heading=""
        )
        assert len(server.requests) == len(release.blobs)
    assert Store.open(settings()).find(file_of(release.payload))


def test_credentials_are_sent_and_never_shown(tmp_path: Path, target: Target) -> None:
    release = Release()
    with running() as server:
        serve(server, release, *[status(500)] * 9)
        secret = server.url.replace("http://", "http://me:s3cret@") + "t/tk-1/"
        with pytest.raises(UnreachableError) as caught:
            bring(
                linked_of(extract(release, tmp_path / "pkgs")),
                target,
                shown={server.url: secret},
                heading="",
            )
        assert all(one.path.startswith("/t/tk-1/") for one in server.requests)
        assert all(one.headers["authorization"].startswith("Basic ") for one in server.requests)
    assert "s3cret" not in str(caught.value)
    assert "tk-1" not in str(caught.value)


# which variant


def runtime_in(folder: Path, package: str = "onnxruntime-gpu", cuda: str = "12.8") -> str:
    """Write what an ONNX Runtime is known by."""
    capi = folder / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    (folder / "onnxruntime" / "__init__.py").write_text("")
    about = f"package_name = {package!r}\n__version__ = '1.23.0'\ncuda_version = {cuda!r}\n"
    (capi / "build_and_package_info.py").write_text(about)
    for name in ("libonnxruntime_providers_cuda.so", "onnxruntime_providers_cuda.dll"):
        (capi / name).write_bytes(b"")
    return str(folder)


@pytest.mark.parametrize(
    ("virtual", "expected"),
    [
        ((), Fails),
        ((("__cuda", "12.9"),), Works),
        ((("__cuda", "11.8"),), Fails),
        ((("__glibc", "2"),), Fails),
    ],
)
def test_cuda_is_what_conda_says_of_the_machine(
    tmp_path: Path, virtual: tuple[tuple[str, str], ...], expected: type
) -> None:
    found = machine_of([runtime_in(tmp_path)], Context(virtual=virtual))
    assert isinstance(found.providers["cuda"], expected)
    assert isinstance(found.providers["cpu"], Works)


def test_a_build_without_cuda_takes_none_whatever_the_machine(tmp_path: Path) -> None:
    context = Context(virtual=(("__cuda", "12.9"),))
    site = runtime_in(tmp_path, "onnxruntime", "")
    for one in Path(site).rglob("*providers_cuda*"):
        one.unlink()
    assert isinstance(machine_of([site], context).providers["cuda"], Fails)
    assert isinstance(machine_of([str(tmp_path / "none")], context).runtime, Absent)


def test_a_runtime_that_is_linked_in_the_same_transaction_is_seen(tmp_path: Path) -> None:
    record = extract(Release(), tmp_path / "a")
    runtime = Record(tmp_path / "ort", name="onnxruntime")
    site = runtime_in(runtime.folder / SHORT)
    assert linked_of(record, runtime).runtimes == (site,)


# sizes before 'Proceed?'


def test_sizes_say_what_must_come_and_what_is_here(tmp_path: Path, target: Target) -> None:
    release = Release()
    linked = linked_of(extract(release, tmp_path / "pkgs"))
    assert list(lines_of(linked, target))[-1] == "  in all 24 B to fetch"
    with running() as server:
        serve(server, release)
        bring(linked, target, shown={server.url: server.url}, heading="")
    assert list(lines_of(linked, target)) == [
        "  digits 2.1.0 fp32  24 B, already here",
        "  in all 0 B to fetch",
    ]


def test_only_small_packages_that_need_modeldeps_are_downloaded_before_proceed(tmp_path: Path) -> None:
    assert may_point(Record(tmp_path))
    assert not may_point(Record(tmp_path, depends=("python", "modeldeps-digits >=2")))
    assert not may_point(Record(tmp_path, size=50_000_000))
