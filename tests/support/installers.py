"""Real installers for tests: wheels made once a session, environments, projects, pointer packages."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    import pytest

ROOT = Path(__file__).parents[2]
UV = shutil.which("uv", path=os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")]))

OLDEST = "62.6.0" if sys.version_info < (3, 12) else "66.1.0"
"""The oldest setuptools that is supported; those before 66.1 can't run on Python 3.12."""
MIDDLE = ("65.5.1", "70.3.0") if sys.version_info < (3, 12) else ("70.3.0",)
NEWEST = ""
"""No version: the newest there is."""
OLD_PIP = "22.3" if sys.version_info < (3, 12) else "23.2.1"
"""The oldest pip that is supported; those before 23.2 can't run on Python 3.12."""

ELSEWHERE = ("truststore",)
"""What only other systems need: uv locks for all of them."""
BASE = (
    "editables",
    "hatchling",
    "packaging",
    "pdm-backend",
    "platformdirs",
    "tomli",
    "tomlkit",
    "wheel",
)
"""What isolated builds need: modeldeps's own dependencies for every Python, and the build backends."""


def wheelhouse(factory: pytest.TempPathFactory) -> Path:
    """Return a folder with modeldeps's own wheel and all that builds need; made once a session."""
    shared = factory.getbasetemp()
    os.environ["UV_CACHE_DIR"] = str(shared.parent / f"{shared.name}-uv")  # an older wheel of the same name
    return once((shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared) / "house", _fill_house)


def once(folder: Path, make: Callable[[Path], None]) -> Path:
    """Let one of several test processes make a folder, and the others wait for it."""
    done, claim = folder.with_suffix(".done"), folder.with_suffix(".claim")
    try:
        claim.touch(exist_ok=False)
    except FileExistsError:
        deadline = time.monotonic() + 240
        while not done.exists():
            assert time.monotonic() < deadline, f"{folder} was not made"
            time.sleep(0.05)
    else:
        folder.mkdir()
        make(folder)
        done.touch()
    return folder


def _fill_house(folder: Path) -> None:
    hatchling = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    wanted = [[*BASE], [*ELSEWHERE], ["setuptools"], ["pip"], [f"pip=={OLD_PIP}"]]
    wanted += [[f"setuptools=={version}"] for version in (OLDEST, *MIDDLE)]
    download = [sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:", "-d", str(folder)]
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run, hatchling, cwd=ROOT)]
        runs += [pool.submit(run, [*download, *words]) for words in wanted]
    for one in runs:
        one.result()


def run(
    words: Iterable[object], *, cwd: Path | None = None, env: Mapping[str, str] | None = None, status: int = 0
) -> str:
    """Run a program and return what it said on stdout and stderr; its status must be the expected one."""
    quick = {"PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_COMPILE": "1"}
    variables = {**os.environ, **quick}
    variables.pop("VIRTUAL_ENV", None)
    variables.update(env or {})
    done = subprocess.run(
        [str(word) for word in words], cwd=cwd, env=variables, capture_output=True, text=True, check=False
    )
    said = done.stdout + done.stderr
    assert (done.returncode == 0) is (status == 0), f"{words}\n{said}"
    return said


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and the folder of wheels that it may install from."""

    prefix: Path
    house: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def make(cls, prefix: Path, house: Path, *, pip: str | None = NEWEST, **variables: str) -> Environment:
        """Make an environment with a pip of that version; without one for None."""
        assert UV
        made = cls(prefix, house, variables)
        run([UV, "venv", "-q", "--python", sys.executable, prefix])
        if pip is not None:
            made.uv("install", f"pip=={pip}" if pip else "pip")
        return made

    @property
    def python(self) -> Path:
        """The environment's interpreter."""
        return self.prefix / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    def pip(self, *words: object, online: bool = False, status: int = 0, cwd: Path | None = None) -> str:
        """Run `pip install`-like words with the environment's pip."""
        command, *rest = words
        given = [self.python, "-m", "pip", command, "--find-links", self.house, *rest]
        return run([*given, *([] if online else ["--no-index"])], env=self.variables, status=status, cwd=cwd)

    def uv(self, *words: object, online: bool = False, status: int = 0, cwd: Path | None = None) -> str:
        """Run `uv pip WORDS` for this environment."""
        command, *rest = words
        given = [UV, "pip", command, "--find-links", self.house, *rest, *([] if online else ["--no-index"])]
        variables = {**self.variables, "VIRTUAL_ENV": str(self.prefix)}
        return run(given, env=variables, status=status, cwd=cwd)

    def metadata(self, distribution: str) -> Metadata:
        """Return what an installed distribution requires."""
        found = next(self.prefix.rglob(f"{distribution}-*.dist-info/METADATA"), None)
        found = found or next(self.prefix.rglob(f"{distribution}.egg-info/PKG-INFO"))
        return Metadata.parse(found.read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Metadata:
    """The part of core metadata that is about requirements, in one spelling."""

    requires: frozenset[str]
    extras: frozenset[str]

    @classmethod
    def parse(cls, text: str) -> Metadata:
        """Read core metadata."""
        from email import message_from_string  # noqa: PLC0415 - tests of installers only

        from packaging.requirements import Requirement  # noqa: PLC0415 - tests of installers only

        message = message_from_string(text)
        requires = (str(Requirement(str(one))) for one in message.get_all("Requires-Dist", []))
        return cls(frozenset(requires), frozenset(map(str, message.get_all("Provides-Extra", []))))

    @classmethod
    def of_wheel(cls, wheel: Path) -> Metadata:
        """Read a wheel's metadata."""
        with zipfile.ZipFile(wheel) as archive:
            name = next(one for one in archive.namelist() if one.endswith(".dist-info/METADATA"))
            return cls.parse(archive.read(name).decode())


BACKENDS = {
    "setuptools": 'requires = ["setuptools{version}", "modeldeps"]\nbuild-backend = "setuptools.build_meta"',
    "hatchling": 'requires = ["hatchling", "modeldeps"]\nbuild-backend = "hatchling.build"',
    "pdm-backend": 'requires = ["pdm-backend", "modeldeps"]\nbuild-backend = "pdm.backend"',
}
HOOKS = {
    "setuptools": '[tool.setuptools]\npackages = ["app"]\n',
    "hatchling": "[tool.hatch.metadata.hooks.modeldeps]\n",
    "pdm-backend": "",
}


def write_project(
    folder: Path,
    tool: str,
    *,
    backend: str = "setuptools",
    version: str = "",
    project: str = 'dynamic = ["dependencies", "optional-dependencies"]',
    more: str = "",
) -> Path:
    """Write a project with one package `app`; `tool` is what stands in its `[tool.modeldeps]`."""
    (folder / "app").mkdir(parents=True)
    (folder / "app" / "__init__.py").write_text("", encoding="utf-8")
    build = BACKENDS[backend].format(version=f"=={version}" if version else "")
    text = (
        f'[build-system]\n{build}\n\n[project]\nname = "app"\nversion = "1"\n'
        f'requires-python = ">={sys.version_info[0]}.{sys.version_info[1]}"\n'
        f"{project}\n\n{HOOKS[backend]}\n[tool.modeldeps]\n{tool}\n\n{more}\n"
    )
    (folder / "pyproject.toml").write_text(text, encoding="utf-8")
    return folder


def write_pointer(folder: Path, name: str, version: str, *, floor: str = ">=1.17", plain: str = "") -> Path:
    """Write a pointer wheel that has no payload: its requirements are what solvers look at."""
    folder.mkdir(parents=True, exist_ok=True)
    stem = f"modeldeps_{name}-{version}"
    requires = ["modeldeps", f"onnxruntime{floor}; extra == 'cpu'"]
    requires += [f"onnxruntime-gpu[cuda,cudnn]{floor}; extra == 'cuda'", *([plain] if plain else [])]
    lines = ["Metadata-Version: 2.1", f"Name: modeldeps-{name}", f"Version: {version}"]
    lines += ["Provides-Extra: cpu", "Provides-Extra: cuda", *(f"Requires-Dist: {one}" for one in requires)]
    files = {
        "METADATA": "\n".join(lines) + "\n",
        "WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    wheel = folder / f"{stem}-py3-none-any.whl"
    record = ""
    with zipfile.ZipFile(wheel, "w") as archive:
        for file, text in files.items():
            archive.writestr(f"{stem}.dist-info/{file}", text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record += f"{stem}.dist-info/{file},sha256={digest},{len(text)}\n"
        archive.writestr(f"{stem}.dist-info/RECORD", record + f"{stem}.dist-info/RECORD,,\n")
    return wheel
