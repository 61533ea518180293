"""Sessions for developers: `nox -s tests`, `nox -s lint`, `nox -s docs`, `nox -s changelog`."""

from __future__ import annotations

import os

import nox

nox.options.default_venv_backend = "uv|virtualenv"
nox.options.sessions = ["lint", "tests", "docs"]
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    session.install(".[test]")
    session.run("pytest", *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    session.install(".[test]")
    session.run("pytest", "tests/property", *session.posargs, env={"HYPOTHESIS_PROFILE": "thorough"})


@nox.session
def soak(session: nox.Session) -> None:
    session.install(".[test]")
    session.run("pytest", "-n0", "-s", "tests/soak", *session.posargs, env={"SOAK_KILLS": "1500"})


@nox.session
def disks(session: nox.Session) -> None:
    names = ("power", "every_call", "disk_faults", "limits", "meddling")
    session.install(".[test]")
    files = [f"tests/fetch/test_{name}.py" for name in names]
    session.run("pytest", "-n0", "-s", "--timeout=3600", *files, *session.posargs, env={"EVERY_POINT": "1"})


@nox.session
def conda(session: nox.Session) -> None:
    if "MODELDEPS_CONDA" not in os.environ:
        session.error("name condas that have modeldeps, as MODELDEPS_CONDA=/opt/conda/bin/conda")
    session.install(".[test]")
    session.run("pytest", "-m", "conda", "tests/hosts", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    session.install("-e", ".[lint]")
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("mypy")
    session.run("lint-imports")


@nox.session
def docs(session: nox.Session) -> None:
    session.install(".[docs]")
    session.run("python", "docs/generate.py", "--check")
    session.run("sphinx-build", "-W", "--keep-going", "-b", "html", "docs", "docs/_build/html")


@nox.session
def fixtures(session: nox.Session) -> None:
    session.install("-e", ".[fixtures]")
    session.run("python", "fixtures/make.py")


@nox.session
def benchmarks(session: nox.Session) -> None:
    session.install(".[cpu]", "hf_xet", "huggingface_hub", "pooch", "requests", "uv")
    for name in ("import", "load", "run", "fetch", "line", "small", "delta", "memory", "processes", "kills"):
        session.run("python", f"benchmarks/{name}.py")


@nox.session
def changelog(session: nox.Session) -> None:
    session.install("towncrier")
    session.run("towncrier", "build", "--yes", *session.posargs)
