"""When a model can't be had, real condas change nothing, and say in a line what is wrong."""

from __future__ import annotations

import http.server
import os
import shutil
import signal
import threading
import time
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conda_packages import FUTURE_RUNTIME
from conda_runner import CRASHED, files_of

from modeldeps.environment import find

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conda_runner import Conda, Said

pytestmark = pytest.mark.conda

NOT_TOMORROW = f"onnxruntime<{FUTURE_RUNTIME}"
OLD = ("modeldeps-digits=2.0", NOT_TOMORROW)
NEW = ("modeldeps-digits>=2.1", NOT_TOMORROW)
LEAVES_NOTHING = (26, 7)
"""Older releases leave an empty `conda-meta` of an environment that could not be made."""


def alter(channel: Path) -> None:
    """Let each blob have other bytes of the same length."""
    for one in channel.glob("blobs/sha256/*/*"):
        one.chmod(0o644)
        one.write_bytes(bytes(len(one.read_bytes())))


def lose(channel: Path) -> None:
    """Let the channel have no blobs."""
    shutil.rmtree(channel / "blobs")


@pytest.fixture
def bad(models: Path, others: Path, tmp_path: Path) -> Path:
    """Return a copy of the models' channel, to be spoiled."""
    return Path(shutil.copytree(models, tmp_path / "bad"))


def from_bad(bad: Path | str, others: Path) -> list[str]:
    url = bad.as_uri() if isinstance(bad, Path) else bad
    return ["--override-channels", "-c", url, "-c", others.as_uri()]


def assert_explained(said: Said) -> None:
    """Assert that it is a message to a person, and no crash report."""
    assert "digits" in said.all
    assert "Traceback" not in said.all
    assert "unexpected error" not in said.all.lower()


@pytest.mark.parametrize("spoil", [alter, lose])
def test_an_environment_stays_as_it_was(spoil: Any, conda: Conda, bad: Path, others: Path) -> None:
    conda.create(*OLD)
    before = files_of(conda.prefix())
    spoil(bad)
    said = conda("install", "-n", "app", *from_bad(bad, others), *NEW, status=1)
    assert_explained(said)
    assert files_of(conda.prefix()) == before


@pytest.mark.parametrize("spoil", [alter, lose])
def test_a_new_environment_is_not_made(spoil: Any, conda: Conda, bad: Path, others: Path) -> None:
    spoil(bad)
    said = conda("create", "-n", "app", *from_bad(bad, others), *NEW, status=1)
    assert_explained(said)
    left = files_of(conda.prefix())
    if conda.version >= LEAVES_NOTHING:
        assert not conda.prefix().exists()
    else:
        assert set(left) <= {"conda-meta/history"}


def test_json_says_what_is_wrong_in_one_document(conda: Conda, bad: Path, others: Path) -> None:
    lose(bad)
    said = conda("create", "-n", "app", *from_bad(bad, others), *NEW, "--json", status=1)
    found = said.json()
    messages = [one["message"] for one in found.get("errors", [found])]
    assert any("digits" in one for one in messages)


def test_without_safety_checks_nothing_changes_either(conda: Conda, bad: Path, others: Path) -> None:
    conda.create(*OLD)
    before = files_of(conda.prefix())
    lose(bad)
    words = from_bad(bad, others)
    said = conda("install", "-n", "app", *words, *NEW, status=1, CONDA_SAFETY_CHECKS="disabled")
    assert_explained(said)
    assert files_of(conda.prefix()) == before


def test_without_safety_checks_the_model_comes_all_the_same(conda: Conda) -> None:
    conda.create(*NEW, CONDA_SAFETY_CHECKS="disabled")
    assert find("digits", [str(conda.site())])
    assert list(Path(os.environ["MODELDEPS_CACHE"]).glob("blobs/sha256/*/*"))


def test_a_channel_that_died_since_changes_nothing(conda: Conda, models: Path, others: Path) -> None:
    """The packages come from conda's cache, the model from nowhere."""
    with blocked_site(models) as (url, _):
        words = from_bad(url, others)
        conda("create", "-n", "first", *words, *NEW, "--download-only")
        lock = conda("create", "-n", "none", *words, *NEW, "--dry-run", "--json").json()
    links = lock["actions"]["LINK"]
    lines = ["@EXPLICIT", *(_url(one) for one in links)]
    (conda.folder / "lock.txt").write_text("\n".join(lines) + "\n")
    said = conda("create", "-n", "app", "--file", conda.folder / "lock.txt", status=1)
    assert_explained(said)
    assert set(files_of(conda.prefix())) <= {"conda-meta/history"}


def _url(record: dict[str, Any]) -> str:
    return f"{record['base_url']}/{record['platform']}/{record['dist_name']}.conda"


class _Blocked(http.server.SimpleHTTPRequestHandler):
    """Serve packages, and let those who ask for blobs wait."""

    protocol_version = "HTTP/1.1"
    timeout = 5

    def __init__(self, asked: threading.Event, ended: threading.Event, *args: Any, **options: Any) -> None:
        self.asked, self.ended = asked, ended
        super().__init__(*args, **options)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class names it
        """Say nothing."""

    def do_GET(self) -> None:
        """Answer, unless it is about a blob."""
        if "/blobs/" in self.path:
            self.asked.set()
            self.ended.wait(60)
            self.close_connection = True
        else:
            super().do_GET()


@contextmanager
def blocked_site(folder: Path) -> Iterator[tuple[str, threading.Event]]:
    """Serve a channel whose blobs never come; yield its URL and what is set when the first is asked for."""
    asked, ended = threading.Event(), threading.Event()
    handler = partial(_Blocked, asked, ended, directory=str(folder))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads, server.block_on_close = True, False
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", asked
    finally:
        ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("threads", ["1", "4"])
@pytest.mark.parametrize("checks", ["warn", "disabled"])
def test_ctrl_c_ends_the_fetch_at_once_and_changes_nothing(
    threads: str, checks: str, conda: Conda, models: Path, others: Path
) -> None:
    conda.create(*OLD)
    before = files_of(conda.prefix())
    variables = {
        "CONDA_VERIFY_THREADS": threads,
        "CONDA_EXECUTE_THREADS": threads,
        "CONDA_SAFETY_CHECKS": checks,
    }
    with blocked_site(models) as (url, asked):
        process = conda.start("install", "-n", "app", *from_bad(url, others), *NEW, **variables)
        with process:
            assert asked.wait(60), process.communicate(timeout=60)
            time.sleep(0.2)
            began = time.monotonic()
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
            took = time.monotonic() - began
    assert process.returncode in {1, 130, -2, CRASHED}, out + err
    assert took < 10, out + err
    assert "Traceback" not in out + err
    assert files_of(conda.prefix()) == before
