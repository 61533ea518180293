"""Real condas for tests: programs that the user named, each with its own home, cache and environments."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from conda_packages import MINOR

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

VARIABLE = "MODELDEPS_CONDA"
SOLVERS = ("classic", "rattler")
CRASHED = -11
"""SIGSEGV: some releases of py-rattler end like that after all is done, when the interpreter goes."""
RC = """\
channels: []
default_channels: []
always_yes: true
auto_update_conda: false
notify_outdated_conda: false
remote_backoff_factor: 0
report_errors: false
add_pip_as_python_dependency: false
show_channel_urls: true
"""


def condas() -> list[Any]:
    """Return a parameter for each named conda and solver; one that is skipped where none is named."""
    named = [Path(one) for one in os.environ.get(VARIABLE, "").split(os.pathsep) if one]
    if not named:
        reason = pytest.mark.skip(reason=f"{VARIABLE} names no conda")
        return [pytest.param(None, id="no-conda", marks=reason)]
    return [
        pytest.param((one, solver), id=f"{one.parents[1].name}-{solver}")
        for one in named
        for solver in SOLVERS
    ]


@cache
def version_of(program: Path) -> tuple[int, ...]:
    """Return a conda's version."""
    said = subprocess.run([str(program), "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(one) for one in said.split()[1].split(".")[:3])


@cache
def has_module(program: Path, name: str) -> bool:
    """Tell whether the interpreter of a conda has a module."""
    words = [str(program.parent / "python"), "-c", f"import {name}"]
    return subprocess.run(words, capture_output=True, check=False).returncode == 0


def has_rattler(program: Path) -> bool:
    """Tell whether a conda can solve with rattler; the solver wants conda 25 and fails in older ones."""
    return version_of(program) >= (25,) and has_module(program, "conda_rattler_solver.plugin")


@dataclass(frozen=True)
class Said:
    """What a conda command said, and how it ended."""

    out: str
    err: str
    status: int

    @property
    def all(self) -> str:
        return self.out + self.err

    def json(self) -> dict[str, Any]:
        """Return the one JSON document on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


@dataclass(frozen=True)
class Conda:
    """One conda with one solver, and the folder that it may write to."""

    program: Path
    solver: str
    folder: Path
    channels: Sequence[str]
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def version(self) -> tuple[int, ...]:
        return version_of(self.program)

    @property
    def from_channels(self) -> list[str]:
        """The words that name the channels."""
        return ["--override-channels", *(word for one in self.channels for word in ("-c", one))]

    def prefix(self, name: str = "app") -> Path:
        """Return where an environment is, or would be."""
        return self.folder / "envs" / name

    def site(self, name: str = "app") -> Path:
        """Return the `site-packages` of an environment."""
        return self.prefix(name) / "lib" / f"python{MINOR}" / "site-packages"

    def environ(self, **variables: str) -> dict[str, str]:
        """Return the variables of a command."""
        home = self.folder / "home"
        home.mkdir(parents=True, exist_ok=True)
        (self.folder / "condarc").write_text(RC)
        left_out = ("CONDA", "PYTHON", "COV", "VIRTUAL_ENV", "REQUESTS_CA", "CURL_CA", "SSL_CERT")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(left_out)}
        own = {
            "HOME": str(home),
            "CONDARC": str(self.folder / "condarc"),
            "CONDA_PKGS_DIRS": str(self.folder / "pkgs"),
            "CONDA_ENVS_DIRS": str(self.folder / "envs"),
            "CONDA_SOLVER": self.solver,
        }
        return {**kept, **own, **self.variables, **variables}

    def start(self, *words: object, **variables: str) -> subprocess.Popen[str]:
        """Start a command and return its process."""
        return subprocess.Popen(
            [str(self.program), *map(str, words)],
            env=self.environ(**variables),
            cwd=self.folder,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def __call__(self, *words: object, status: int = 0, **variables: str) -> Said:
        """Run a command, which must end with this status; what it did is for the caller to look at."""
        with self.start(*words, **variables) as process:
            out, err = process.communicate(timeout=120)
        allowed = {status, CRASHED} if self.solver == "rattler" else {status}
        assert process.returncode in allowed, f"{words}: {process.returncode}\n{out}\n{err}"
        return Said(out, err, process.returncode)

    def create(self, *specs: str, name: str = "app", status: int = 0, **variables: str) -> Said:
        """Make an environment from the channels."""
        return self("create", "-n", name, *self.from_channels, *specs, status=status, **variables)

    def install(self, *specs: str, name: str = "app", status: int = 0, **variables: str) -> Said:
        """Install into an environment."""
        return self("install", "-n", name, *self.from_channels, *specs, status=status, **variables)

    def python(self, program: str, name: str = "app", **variables: str) -> str:
        """Run a program with the interpreter of an environment, and return what it said."""
        words = [str(self.prefix(name) / "bin" / "python"), "-c", program]
        environ = self.environ(**variables)
        done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def files_of(prefix: Path) -> dict[str, str]:
    """Return what each file of a prefix holds and each link names; nothing where there is no prefix."""
    found = {}
    for one in sorted(prefix.rglob("*")):
        if one.is_symlink():
            found[str(one.relative_to(prefix))] = f"-> {one.readlink()}"
        elif one.is_file():
            found[str(one.relative_to(prefix))] = hashlib.sha256(one.read_bytes()).hexdigest()
    return found
