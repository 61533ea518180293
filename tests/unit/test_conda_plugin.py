"""The plugin's work against records as conda gives them, without conda."""

from __future__ import annotations

import importlib
import importlib.util
import os
import signal
import sys
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, NamedTuple

import pytest
from blob_server import BlobServer, flipped, mute, running, status
from fetching import fetch_one, file_of, in_thread
from releases import Release

from modeldeps.conda._fetch import Linked, Target, bring, machine_of, models_of
from modeldeps.conda._session import CondaTransport, opener_for
from modeldeps.conda._sizes import lines_of, may_point
from modeldeps.conda._words import CondaReporter, SilentReporter, reporter_for
from modeldeps.config import settings
from modeldeps.errors import DigestError, ManifestError, OfflineError, SourceError, UnreachableError
from modeldeps.fetch import Request
from modeldeps.progress import Reporter
from modeldeps.runtime import Absent, Fails, Works
from modeldeps.store import Store

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


# conda's session as a transport


def test_ranges_are_asked_for_and_come(tmp_path: Path) -> None:
    data = os.urandom(5000)
    with running() as server:
        path = server.add(data, file_of(data).sha256)
        transport = CondaTransport(Context(), {})
        with transport.open(Request(server.url + path[1:], 100, 300)) as body:
            assert (body.start, body.end, body.size) == (100, 300, 5000)
            assert b"".join(bytes(one) for one in body.blocks) == data[100:300]
        (asked,) = server.requests
        assert (asked.start, asked.end) == (100, 300)


def test_a_large_file_comes_over_several_sessions_each_of_its_own_thread(tmp_path: Path) -> None:
    data = os.urandom(1 << 20) * 24
    made: list[threading.Thread] = []

    def session(url: str) -> Any:
        made.append(threading.current_thread())
        return session_of(url)

    file = file_of(data)
    with running() as server:
        server.add(data, file.sha256)
        server.pause = 0.002
        transport = CondaTransport(Context(), {}, session)
        from modeldeps.fetch import fetch  # noqa: PLC0415 - only here

        store = Store(tmp_path / "own")
        fetch([file], store, channels=[server.url], reporter=Reporter(), opener=lambda url: transport)  # noqa: ARG005
        assert store.blob(file.sha256).read_bytes() == data
        assert server.connections > 1
    assert len(made) == len(set(made))


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


@pytest.mark.parametrize(("code", "words"), [(401, "conda"), (403, "conda"), (404, "not there")])
def test_a_refusal_is_told_in_condas_terms(code: int, words: str) -> None:
    with running() as server:
        path = server.add(b"x", file_of(b"x").sha256, status(code))
        with pytest.raises(SourceError) as caught:
            CondaTransport(Context(), {}).open(Request(server.url + path[1:]))
    assert words in f"{caught.value} {getattr(caught.value, 'advice', '')}"


def test_a_server_that_is_not_there_is_refused_at_once() -> None:
    with running() as server:
        url = server.url
    with pytest.raises(SourceError, match="no connection"):
        CondaTransport(Context(), {}).open(Request(f"{url}x"))


def test_folders_and_the_users_own_channels_are_not_asked_through_conda() -> None:
    opener = opener_for(Context(), {}, ["https://mine.example/"])
    assert not isinstance(opener("file:///tmp/x"), CondaTransport)
    assert not isinstance(opener("https://mine.example/blobs/x"), CondaTransport)
    assert isinstance(opener("https://mine.example.org/x"), CondaTransport)


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


# how it speaks


def test_nothing_is_said_with_quiet_and_json(capsys: pytest.CaptureFixture[str]) -> None:
    for context in (Context(quiet=True), Context(quiet=False, json=True)):
        reporter = reporter_for(context, "Verifying transaction")
        reporter.begin("digits", total=10)
        reporter.note("slow")
        reporter.end()
    assert capsys.readouterr().out == ""


def test_condas_line_is_left_and_begun_again(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = reporter_for(Context(quiet=False), "Verifying transaction")
    reporter.begin("digits 2.1.0", total=10)
    reporter.end()
    assert capsys.readouterr().out == "\ndigits 2.1.0 (10 B)\nVerifying transaction: "


def test_a_fetch_in_another_thread_ends_when_the_main_thread_leaves_the_transaction(tmp_path: Path) -> None:
    data = b"bytes that never come"
    transaction: dict[str, Any] = {"__name__": "conda.core.link"}
    code = "def run(work, until):\n    found = work()\n    until.wait(5)\n    return found"
    exec(code, transaction)  # noqa: S102 - a function of such a module
    asked = threading.Event()

    class Heard(SilentReporter):
        def beat(self) -> None:
            asked.set()
            super().beat()

    with running() as server:
        server.add(data, file_of(data).sha256, mute(20))

        def work() -> None:
            fetch_one(file_of(data), Store(tmp_path / "own"), server.url, reporter=Heard())

        # the main thread is in the transaction until the fetch goes on
        thread, errors = transaction["run"](lambda: in_thread(work), asked)
        thread.join(10)
        assert not thread.is_alive()
    assert [type(one) for one in errors] == [KeyboardInterrupt]


def test_a_fetch_that_no_transaction_began_is_not_ended() -> None:
    thread, errors = in_thread(lambda: CondaReporter("x", Reporter()).beat())
    thread.join(5)
    assert errors == []


# the action and the hooks, in a conda that is a few lines long


class CondaError(Exception):
    """As conda's: it keeps the message."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class InterruptedBySignalError(CondaError):
    def __init__(self, number: int) -> None:
        super().__init__(f"signal {number}")


class Action:
    def __init__(self, *parts: Any) -> None:
        names = ("transaction_context", "target_prefix", "unlink_precs", "link_precs")
        for name, part in zip(names, parts, strict=False):
            setattr(self, name, part)


def small_conda(monkeypatch: pytest.MonkeyPatch, *, checks: str = "warn", **types: Any) -> None:
    """Put a conda into place that has no more than the plugin asks for, and these plugin types."""
    context = Context()
    context.safety_checks = SimpleNamespace(name=checks)  # type: ignore[attr-defined]
    contents: dict[str, dict[str, Any]] = {
        "conda": {"CondaError": CondaError},
        "conda.base": {},
        "conda.base.context": {"context": context},
        "conda.core": {},
        "conda.core.path_actions": {"Action": Action},
        "conda.exceptions": {"CondaSignalInterrupt": InterruptedBySignalError},
        "conda.plugins": {"hookimpl": lambda hook: hook, "types": SimpleNamespace(**types)},
    }
    for name, values in contents.items():
        module = ModuleType(name)
        vars(module).update(values)
        monkeypatch.setitem(sys.modules, name, module)


@pytest.fixture
def fetch_models(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return the action's class and a list; what is put into the list is raised by the next fetch."""
    small_conda(monkeypatch)
    return _action(monkeypatch)


def _action(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delitem(sys.modules, "modeldeps.conda._action", raising=False)
    kind = importlib.import_module("modeldeps.conda._action").FetchModels
    monkeypatch.delitem(sys.modules, "modeldeps.conda._action")
    faults: list[BaseException] = []
    calls: list[str] = []

    class Made(kind):  # type: ignore[misc,valid-type]
        def _bring(self, heading: str) -> None:
            calls.append(heading)
            if faults:
                raise faults.pop()

    return Made, faults, calls


def test_verify_returns_what_went_wrong_and_execute_fetches_only_what_it_did_not(fetch_models: Any) -> None:
    made, faults, calls = fetch_models
    action = made({}, "/x", (), ())
    faults.append(OfflineError(["a.onnx"], missing="1 B"))
    error = action.verify()
    assert type(error).__name__ == "ModelsError"
    assert "the network is off" in str(error)
    assert action.verify() is None
    action.execute()
    action.reverse()
    action.cleanup()
    assert calls == ["Verifying transaction"] * 2


def test_percent_signs_of_a_message_are_no_formats(fetch_models: Any) -> None:
    made, faults, _ = fetch_models
    faults.append(ValueError("100 %s"))
    assert "100 %s" in str(made({}, "/x", (), ()).verify())


def test_ctrl_c_in_verify_is_returned_as_condas_signal(fetch_models: Any) -> None:
    made, faults, _ = fetch_models
    faults.append(KeyboardInterrupt())
    error = made({}, "/x", (), ()).verify()
    assert isinstance(error, InterruptedBySignalError)
    assert str(int(signal.SIGINT)) in str(error)


def test_where_conda_checks_nothing_it_is_fetched_before_anything_is_unlinked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_conda(monkeypatch, checks="disabled")
    made, faults, calls = _action(monkeypatch)
    made({}, "/x", (), ()).execute()
    assert calls == ["Preparing transaction"]
    faults.append(OfflineError(["a.onnx"], missing="1 B"))
    with pytest.raises(CondaError, match="the network is off"):
        made({}, "/x", (), ())


def hooks(monkeypatch: pytest.MonkeyPatch, **types: Any) -> ModuleType:
    """Read the hooks in a conda that has these plugin types."""
    small_conda(monkeypatch, **types)
    spec = importlib.util.find_spec("modeldeps.integrations.conda")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_conda_without_the_classes_loses_the_features_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    module = hooks(monkeypatch)
    assert [list(getattr(module, name)()) for name in module.__all__] == [[]] * len(module.__all__)


def test_a_class_is_given_the_keywords_that_it_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old(NamedTuple):
        name: str
        action: Any

    @dataclass
    class Base:
        name: str

    @dataclass
    class New(Base):
        action: Any

    for kind in (Old, New):
        module = hooks(monkeypatch, Some=kind)
        (one,) = module._made("Some", name="x", action=print, fixer=None)
        assert (one.name, one.action) == ("x", print)
