"""Ask which releases an installer would take: its own solver first, then the channels' indexes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from modeldeps.errors import SolverError
from modeldeps.names import distribution_name, model_name
from modeldeps.prefetch._index import newest
from modeldeps.requirement import is_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from modeldeps.prefetch._frontend import Frontend
    from modeldeps.prefetch._question import Question

PATIENCE = 120
"""Seconds that a solver may take; without a network installers retry for long."""
NESTED = {
    "MODELDEPS_PREFETCH": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "PIP_NO_INPUT": "1",
    "PIP_RETRIES": "1",
    "PIP_TIMEOUT": "15",
    "UV_HTTP_RETRIES": "1",
    "UV_HTTP_TIMEOUT": "15",
}
"""Set for a solver: nothing it might build prefetches in its turn, and it gives up early."""
UNSET = (
    *("PYTHONPATH", "PYTHONHOME"),
    *("PIP_PREFIX", "PIP_REQUIRE_VIRTUALENV", "PIP_ROOT", "PIP_TARGET", "PIP_USER"),
    *("PIP_DEFAULT_TIMEOUT", "PIP_NO_DEPS", "PIP_REPORT", "PIP_REQUIRE_HASHES", "PIP_VERBOSE"),
)
"""Not handed on: the build's own, where packages go, and what would make the question another one."""


class Solver(Protocol):
    """Somebody who knows which releases would be installed."""

    @property
    def name(self) -> str:
        """What errors call it."""

    def solve(self, question: Question) -> dict[str, str]:
        """Return a version by model name. Raises SolverError where it can't tell."""


@dataclass(frozen=True)
class Pip:
    """The pip of the environment that is installed into; it must be 22.2 or newer."""

    indexes: tuple[str, ...] = ()
    closed: bool = False
    name: str = "pip"

    def solve(self, question: Question) -> dict[str, str]:
        """Let pip report what it would install (its installation report, version 1)."""
        words = [sys.executable, "-I", "-m", "pip", "install", "--dry-run", "--quiet", "--ignore-installed"]
        words += ["--only-binary", ":all:", *self.indexes]
        with tempfile.TemporaryDirectory(prefix="modeldeps-") as folder:
            report = Path(folder) / "report.json"  # stdout may hold more than the report
            asked = Path(folder) / "requirements.txt"
            asked.write_text(_asked(question, closed=self.closed), encoding="utf-8")
            words += ["--report", str(report), *_constraints(question, folder), "--requirement", str(asked)]
            _run(self.name, words, question.folder)
            said = report.read_bytes() if report.exists() else b""
        try:
            found = {
                one["metadata"]["name"]: one["metadata"]["version"] for one in json.loads(said)["install"]
            }
        except (ValueError, KeyError, TypeError):
            raise SolverError(self.name, "its report can't be read") from None
        return _models(found)


@dataclass(frozen=True)
class Uv:
    """The uv that runs the build."""

    program: str = "uv"
    indexes: tuple[str, ...] = ()
    closed: bool = False
    name: str = "uv"

    def solve(self, question: Question) -> dict[str, str]:
        """Let uv compile the requirements, with the settings of the project's `[tool.uv]`."""
        words = [self.program, "pip", "compile", "-", "--quiet", "--no-header", "--no-annotate"]
        words += ["--python", sys.executable, "--only-binary", ":all:", *self.indexes]
        asked = _asked(question, closed=self.closed)
        with tempfile.TemporaryDirectory(prefix="modeldeps-") as folder:
            said = _run(self.name, [*words, *_constraints(question, folder)], question.folder, asked=asked)
        pins = (line.split(";")[0].strip().partition("==") for line in said.splitlines())
        return _models({name.partition("[")[0]: version for name, equals, version in pins if equals})


@dataclass(frozen=True)
class Index:
    """The channels' indexes, read here; for tools whose solver can't be asked."""

    offline: bool = False
    name: str = "index"

    def solve(self, question: Question) -> dict[str, str]:
        """Take the newest release of each model whose requirements can be met."""
        return newest(question, offline=self.offline)


def solvers(frontend: Frontend, *, offline: bool = False) -> tuple[Solver, ...]:
    """Return whom to ask, in order."""
    if offline:
        return (Index(offline=True),)
    if frontend.kind == "uv":
        return (Uv(frontend.program or "uv", frontend.indexes, frontend.closed), Index())
    return (Pip(frontend.indexes, frontend.closed), Index())


def _asked(question: Question, *, closed: bool) -> str:
    """Return a requirements file: the channels, whose URLs `ps` would show as words, and what is asked."""
    return "\n".join([*_sources(question, closed=closed), *question.requirements, ""])


def _sources(question: Question, *, closed: bool) -> Iterator[str]:
    """Yield the lines that name the channels; as pages of links where the user forbade every index."""
    if closed:
        yield "--no-index"
    for url in question.channels:
        if closed:
            for model in question.models:
                yield f"--find-links {url}simple/{distribution_name(model.name)}/"
        else:
            yield f"--extra-index-url {url}simple/"


def _models(found: Mapping[str, str]) -> dict[str, str]:
    return {model_name(name): version for name, version in found.items() if is_pointer(name)}


def _constraints(question: Question, folder: str) -> list[str]:
    """Write a constraints file where there is something to write, and return the words that name it."""
    if not question.constraints:
        return []
    file = Path(folder) / "constraints.txt"
    file.write_text("\n".join(question.constraints), encoding="utf-8")
    return ["--constraint", str(file)]


def _run(name: str, words: Iterable[str], folder: Path, *, asked: str = "") -> str:
    """Run a solver and return its stdout. Raises SolverError with its last words."""
    variables = {key: value for key, value in os.environ.items() if key not in UNSET} | NESTED
    try:
        done = subprocess.run(
            list(words),
            input=asked,
            cwd=folder,
            env=variables,
            capture_output=True,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=PATIENCE,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SolverError(name, f"it took more than {PATIENCE} s") from None
    except OSError as error:
        raise SolverError(name, str(error)) from None
    if done.returncode:
        raise SolverError(name, "\n".join(_last_words(done.stderr)) or f"status {done.returncode}")
    return done.stdout


def _last_words(text: str) -> Iterator[str]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    yield from lines[-3:]
