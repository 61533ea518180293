"""The solver and the installer of pixi and of conda's newest releases install models from a real channel."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conda_packages import FUTURE_RUNTIME, MINOR, SUBDIR
from static_site import static_site

from modeldeps.environment import find, pointers
from modeldeps.publish import build_release
from modeldeps.publish.channel import publish, yank

if TYPE_CHECKING:
    from collections.abc import Sequence

WORKER = Path(__file__).parents[1] / "support" / "rattler_worker.py"
FIXTURES = Path(__file__).parents[2] / "fixtures"
NOT_TOMORROW = f"onnxruntime <{FUTURE_RUNTIME}"

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("rattler") is None, reason="py-rattler is not installed"
)


@dataclass(frozen=True)
class Rattler:
    """py-rattler with a package cache of its own, and the channels that it asks."""

    folder: Path
    channels: Sequence[str]

    @property
    def prefix(self) -> Path:
        return self.folder / "env"

    @property
    def site(self) -> Path:
        return self.prefix / "lib" / f"python{MINOR}" / "site-packages"

    def ask(self, *specs: str, install: bool = False) -> dict[str, Any]:
        """Return the records that were found, by name, or the solver's error."""
        asked = {"channels": list(self.channels), "specs": specs, "subdir": SUBDIR}
        asked |= {"cache": str(self.folder / "cache"), "prefix": str(self.prefix) if install else ""}
        words = [sys.executable, str(WORKER), json.dumps(asked)]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert isinstance(found, dict)
        return found

    def solve(self, *specs: str) -> dict[str, str]:
        return self._records(self.ask(*specs))

    def install(self, *specs: str) -> dict[str, str]:
        return self._records(self.ask(*specs, install=True))

    def _records(self, found: dict[str, Any]) -> dict[str, str]:
        assert "error" not in found, found
        return dict(found["records"])

    def python(self, program: str, **variables: str) -> str:
        """Run a program with the environment's interpreter and return what it said."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COV"))}
        words = [str(self.prefix / "bin" / "python"), "-c", program]
        done = subprocess.run(
            words, env={**kept, **variables}, capture_output=True, text=True, check=False, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


@pytest.fixture
def rattler(models: Path, others: Path, tmp_path: Path) -> Rattler:
    return Rattler(tmp_path, (models.as_uri(), others.as_uri()))


def test_the_newest_release_is_taken_with_the_runtime_that_it_needs(rattler: Rattler) -> None:
    found = rattler.solve("modeldeps-digits")
    assert found["modeldeps-digits"] == "3.0.0 pointer_1"
    assert found["onnxruntime"].startswith(FUTURE_RUNTIME)
    assert {"python", "modeldeps", "packaging", "platformdirs", "tomlkit"} <= set(found)


def test_an_older_runtime_moves_the_solver_back_to_the_release_that_it_can_run(rattler: Rattler) -> None:
    found = rattler.solve("modeldeps-digits", NOT_TOMORROW)
    assert found["modeldeps-digits"] == "2.1.0 pointer_1"
    assert found["onnxruntime"].startswith(metadata.version("onnxruntime"))


def test_a_conflict_is_explained_by_the_solver(rattler: Rattler) -> None:
    said = rattler.ask("modeldeps-digits >=3", NOT_TOMORROW)["error"]
    assert "modeldeps-digits" in said
    assert f"onnxruntime >={FUTURE_RUNTIME.partition('.')[0]}" in said


def test_what_depends_on_a_model_brings_it(rattler: Rattler) -> None:
    assert rattler.solve("demo-app", NOT_TOMORROW)["modeldeps-digits"] == "2.1.0 pointer_1"


def test_an_installed_model_is_found_and_is_the_one_that_was_published(
    rattler: Rattler, models: Path
) -> None:
    rattler.install("modeldeps-digits", NOT_TOMORROW)
    found = find("digits", [str(rattler.site)])
    assert found is not None
    assert found.file.read_bytes() == (models / "models/digits/2.1.0/model.json").read_bytes()
    assert (found.location / "INSTALLER").read_text().strip() == "conda"
    assert "models: digits 2.1.0" in rattler.python(
        "from importlib.metadata import version; print('models: digits', version('modeldeps-digits'))"
    )


def test_an_upgrade_moves_the_model_and_leaves_nothing_of_the_old_one(rattler: Rattler) -> None:
    rattler.install("modeldeps-digits 2.0.*", NOT_TOMORROW)
    rattler.install("modeldeps-digits >=2.1", NOT_TOMORROW)
    (found,) = pointers([str(rattler.site)])
    assert found.version == found.manifest().version == "2.1.0"
    assert [one.name for one in rattler.site.glob("modeldeps_digits*")] == [found.location.name]


def test_load_works_in_an_environment_that_was_made_from_a_channel_on_the_web(
    models: Path, others: Path, tmp_path: Path
) -> None:
    with static_site(models) as url:
        rattler = Rattler(tmp_path, (url, others.as_uri()))
        rattler.install("modeldeps-digits", NOT_TOMORROW)
        program = (
            "import modeldeps, numpy as np\n"
            "model = modeldeps.load('digits')\n"
            "found = model.run(image=np.zeros((1, 8, 8), np.float32))['probabilities']\n"
            "print(modeldeps.__file__, model.version, model.provider, found.shape)"
        )
        said = rattler.python(program, MODELDEPS_CHANNELS=url)
    assert said.startswith(str(rattler.site))
    assert said.endswith("2.1.0 cpu (1, 10)")
    command = [str(rattler.prefix / "bin" / "modeldeps"), "list", "--json"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout
    assert "digits" in listed


def test_a_yanked_release_is_passed_over(models: Path, others: Path, tmp_path: Path) -> None:
    channel = Path(shutil.copytree(models, tmp_path / "channel"))
    yank(channel, "digits", "2.1.0", reason="wrong labels")
    rattler = Rattler(tmp_path, (channel.as_uri(), others.as_uri()))
    assert rattler.solve("modeldeps-digits", NOT_TOMORROW)["modeldeps-digits"] == "2.0.0 pointer_1"


def test_a_bundled_build_is_taken_where_it_is_asked_for_and_needs_nothing_else(
    models: Path, others: Path, tmp_path: Path
) -> None:
    channel = Path(shutil.copytree(models, tmp_path / "channel"))
    build_release(FIXTURES / "digits" / "2.1.0", tmp_path / "dist", bundled=True)
    publish(tmp_path / "dist", channel)
    rattler = Rattler(tmp_path, (channel.as_uri(), others.as_uri()))
    assert rattler.solve("modeldeps-digits", NOT_TOMORROW)["modeldeps-digits"] == "2.1.0 pointer_1"
    rattler.install("modeldeps-digits * bundled_*", NOT_TOMORROW)
    program = "import modeldeps; print(modeldeps.load('digits').version)"
    assert rattler.python(program, MODELDEPS_OFFLINE="1") == "2.1.0"
