"""Real installers, old and new, take models out of a channel, over file:// and over http."""

from __future__ import annotations

import hashlib
from contextlib import nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from installers import NEWEST, OLD_PIP, UV, Environment, run, wheelhouse
from releases import Release, pack, record_of
from static_site import static_site

from modeldeps.publish.channel import publish, yank

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.installers

CPU = "onnxruntime>={}; extra == 'cpu'"
RELEASES = (
    Release(version="2.0.0", requires=(CPU.format("1.17"),)),
    Release(version="2.1.0", requires=(CPU.format("1.17"),)),
    Release(version="2.2.0", requires=(CPU.format("1.17"),), payload=b"wrong"),
    Release(version="2.3.0", requires=(CPU.format("1.17"),), requires_python=">=99"),
    Release(version="3.0.0", requires=(CPU.format("99"),)),
    Release(version="4.0.0rc1", requires=(CPU.format("1.17"),)),
)
REASON = 'labels of "7" & <1> were swapped'


@dataclass(frozen=True)
class Installer:
    """An installer that installs into a folder."""

    environment: Environment
    uv: bool

    def install(self, index: str, target: Path, *words: object, status: int = 0) -> str:
        """Install from one index and from nowhere else."""
        python = self.environment.python
        given = ["--index-url", index, "--target", target, "--find-links", self.environment.house, *words]
        if self.uv:
            return run(
                [UV, "--no-config", "pip", "install", "--no-cache", "--python", python, *given], status=status
            )
        pip = [python, "-m", "pip", "--isolated", "--no-cache-dir", "--disable-pip-version-check"]
        return run([*pip, "install", *given], status=status)

    def installed(self, target: Path) -> set[str]:
        """Return what lies in the folder."""
        return {one.name.removesuffix(".dist-info") for one in target.glob("*.dist-info")}


@pytest.fixture(scope="module", params=["old pip", "newest pip", "uv"])
def installer(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Installer:
    """Return one of the installers; its find-links folder holds a stand-in for the runtime, 1.20.0."""
    wheels = wheelhouse(tmp_path_factory)
    folder = tmp_path_factory.mktemp("installer")
    pip = {"old pip": OLD_PIP, "newest pip": NEWEST, "uv": None}[request.param]
    made = Environment.make(folder / "environment", wheels, pip=pip)
    return Installer(Environment(made.prefix, _runtime(folder / "wheels")), uv=request.param == "uv")


def _runtime(folder: Path) -> Path:
    folder.mkdir()
    info = "onnxruntime-1.20.0.dist-info"
    contents = {
        f"{info}/METADATA": b"Metadata-Version: 2.1\nName: onnxruntime\nVersion: 1.20.0\n",
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    contents[f"{info}/RECORD"] = record_of(contents, f"{info}/RECORD")
    (folder / "onnxruntime-1.20.0-py3-none-any.whl").write_bytes(pack(contents))
    return folder


@pytest.fixture(scope="module")
def full_channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a channel of six releases, of which installers should take 2.1.0."""
    folder = tmp_path_factory.mktemp("channel")
    for release in RELEASES:
        publish(release.build(folder / release.version), folder / "channel")
    yank(folder / "channel", "digits", "2.2.0", reason=REASON)
    return folder / "channel"


@pytest.fixture(params=["file", "http"])
def index(request: pytest.FixtureRequest, full_channel: Path) -> Iterator[str]:
    """Yield the URL of the channel's index."""
    local = nullcontext(full_channel.as_uri() + "/")
    with static_site(full_channel) if request.param == "http" else local as url:
        yield f"{url}simple/"


def test_the_solver_takes_the_newest_release_that_fits(
    installer: Installer, index: str, full_channel: Path, tmp_path: Path
) -> None:
    installer.install(index, tmp_path, "modeldeps-digits[cpu]>=2")
    assert installer.installed(tmp_path) == {"modeldeps_digits-2.1.0", "onnxruntime-1.20.0"}
    manifest = tmp_path / "modeldeps_digits-2.1.0.dist-info" / "model.json"
    assert manifest.read_bytes() == (full_channel / "models/digits/2.1.0/model.json").read_bytes()


def test_a_yanked_release_is_taken_only_where_it_is_pinned_and_the_reason_is_shown(
    installer: Installer, index: str, tmp_path: Path
) -> None:
    said = installer.install(index, tmp_path, "modeldeps-digits==2.2.0")
    assert installer.installed(tmp_path) == {"modeldeps_digits-2.2.0"}
    assert REASON in said
    assert "yanked" in said


def test_a_pre_release_is_taken_where_it_is_asked_for(
    installer: Installer, index: str, tmp_path: Path
) -> None:
    installer.install(index, tmp_path, "modeldeps-digits[cpu]>=4.0.0rc1")
    assert "modeldeps_digits-4.0.0rc1" in installer.installed(tmp_path)


def test_a_model_that_nobody_publishes_gets_the_installers_own_message(
    installer: Installer, index: str, tmp_path: Path
) -> None:
    said = installer.install(index, tmp_path, "modeldeps-digit>=2", status=1)
    assert "modeldeps-digit" in said
    assert "Traceback" not in said
    assert not installer.installed(tmp_path)


def test_a_conflict_is_explained_by_the_installer(installer: Installer, index: str, tmp_path: Path) -> None:
    said = installer.install(index, tmp_path, "modeldeps-digits[cpu]==3.0.0", status=1)
    assert "onnxruntime" in said
    assert ">=99" in said


def test_a_release_can_be_pinned_by_its_digest(
    installer: Installer, index: str, full_channel: Path, tmp_path: Path
) -> None:
    wheel = full_channel / "simple/modeldeps-digits/modeldeps_digits-2.0.0-py3-none-any.whl"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    pinned = tmp_path / "requirements.txt"
    pinned.write_text(f"modeldeps-digits==2.0.0 --hash=sha256:{digest}\n")
    installer.install(index, tmp_path / "right", "--require-hashes", "-r", pinned)
    assert installer.installed(tmp_path / "right") == {"modeldeps_digits-2.0.0"}
    pinned.write_text(f"modeldeps-digits==2.0.0 --hash=sha256:{'0' * 64}\n")
    installer.install(index, tmp_path / "wrong", "--require-hashes", "-r", pinned, status=1)
    assert not installer.installed(tmp_path / "wrong")


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_a_yank_is_seen_by_installers_and_so_is_its_end(
    scheme: str, installer: Installer, tmp_path: Path
) -> None:
    root = tmp_path / "channel"
    for version in ("1.0.0", "1.1.0"):
        publish(Release(version=version).build(tmp_path / version), root)
    local = nullcontext(root.as_uri() + "/")
    with static_site(root) if scheme == "http" else local as url:
        yank(root, "digits", "1.1.0", reason=REASON)
        installer.install(f"{url}simple/", tmp_path / "yanked", "modeldeps-digits")
        yank(root, "digits", "1.1.0", reason="", undo=True)
        installer.install(f"{url}simple/", tmp_path / "again", "modeldeps-digits")
    assert installer.installed(tmp_path / "yanked") == {"modeldeps_digits-1.0.0"}
    assert installer.installed(tmp_path / "again") == {"modeldeps_digits-1.1.0"}


@pytest.mark.parametrize("scheme", ["file", "http"])
def test_an_altered_wheel_is_refused(scheme: str, installer: Installer, tmp_path: Path) -> None:
    root = tmp_path / "channel"
    (found,) = publish(Release().build(tmp_path / "dist"), root)
    assert found.wheel is not None
    found.wheel.write_bytes(Release(payload=b"evil").wheel())
    local = nullcontext(root.as_uri() + "/")
    with static_site(root) if scheme == "http" else local as url:
        said = installer.install(f"{url}simple/", tmp_path / "target", "modeldeps-digits", status=1)
    assert ("Hash mismatch" if installer.uv else "DO NOT MATCH THE HASHES") in said
    assert not installer.installed(tmp_path / "target")


def test_no_wheel_is_fetched_only_to_be_rejected(
    installer: Installer, full_channel: Path, tmp_path: Path
) -> None:
    asked: list[str] = []
    with static_site(full_channel, asked) as url:
        installer.install(f"{url}simple/", tmp_path, "modeldeps-digits[cpu]>=2")
    wheels = {one.rsplit("/", 1)[-1] for one in asked if one.endswith(".whl")}
    expected = {"modeldeps_digits-2.1.0-py3-none-any.whl"}
    if installer.uv or "pip 22.3" not in run([installer.environment.python, "-m", "pip", "--version"]):
        assert wheels == expected
    else:
        assert wheels == {*expected, "modeldeps_digits-3.0.0-py3-none-any.whl"}
