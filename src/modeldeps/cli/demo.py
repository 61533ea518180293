"""`modeldeps demo`: the whole path on real digits, in a folder that goes away again."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import shutil
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import say, write
from modeldeps.cli._own_wheel import digits_folder, write_own_wheel
from modeldeps.cli._stage import Stage
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

VERSIONS = ("2.0.0", "2.1.0", "3.0.0")
"""The releases that are published; the last needs an ONNX Runtime that nobody publishes."""
BUILDERS = ("numpy", "onnx", "onnxruntime")
"""What the extra `build` brings."""

EPILOG = """\
examples:
  modeldeps demo           build, publish, declare, install, load; then clean up
  modeldeps demo --keep    keep the folder to look around
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--keep", action="store_true", help="keep the folder and say where it is")


def execute(args: argparse.Namespace) -> int:
    """Go the whole path and show a digit."""
    with _folder(keep=args.keep) as folder:
        stage = Stage(folder)
        wheels = _prepare(stage)
        channel = _publish(stage, wheels)
        _declare(stage, channel)
        stage.step("pip solves model and code together, and the bytes come with the install")
        python = _install(stage, "env", wheels, channel)
        write(f"\n{_read_digits(stage, python, channel).rstrip()}")
        _install_again(stage, wheels, channel)
    return 0


@contextlib.contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    """Make a temporary folder; remove it at the end unless it is to be kept."""
    folder = Path(tempfile.mkdtemp(prefix="modeldeps-demo-")).resolve()
    try:
        yield folder
    finally:
        if keep:
            say(f"\nkept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def _prepare(stage: Stage) -> Path:
    """Copy the projects and put a wheel of modeldeps where installers find it."""
    stage.step("three releases of a digits model: projects with a pyproject.toml and ONNX files")
    for version in VERSIONS:
        shutil.copytree(digits_folder() / version, stage.folder / f"digits-{version}")
    wheels = stage.folder / "wheels"
    wheels.mkdir()
    write_own_wheel(wheels)
    return wheels


def _publish(stage: Stage, wheels: Path) -> Path:
    """Build the three releases and publish them to a channel, which is a folder."""
    python = _publisher(stage, wheels)
    for version in VERSIONS:
        words: list[str | Path] = [
            python,
            "-m",
            "modeldeps",
            "build",
            f"digits-{version}",
            "--output",
            "dist",
        ]
        stage.run(words, shown=f"modeldeps build digits-{version} --output dist")
    stage.step("a channel: one static folder with index and bytes")
    stage.run(
        [python, "-m", "modeldeps", "publish", "dist", "--to", "channel"],
        shown="modeldeps publish dist --to channel",
    )
    return stage.folder / "channel"


def _publisher(stage: Stage, wheels: Path) -> str | Path:
    """Return a Python that has what building needs: this one, or one in an environment made for it."""
    if all(importlib.util.find_spec(name) for name in BUILDERS):
        return sys.executable
    python = stage.make_environment("publisher")
    _pip_install(stage, python, ("modeldeps[build]", "--find-links", wheels), "publisher: modeldeps[build]")
    return python


def _install(stage: Stage, name: str, wheels: Path, channel: Path) -> Path:
    """Install the project that declares the model into a fresh environment; the bytes come with it."""
    python = stage.make_environment(name)
    index = (channel / "simple").as_uri() + "/"
    options = ("--extra-index-url", index, "--find-links", str(wheels))
    _pip_install(stage, python, ("./reader", *options), f"{name}: ./reader --extra-index-url {index}")
    return python


def _declare(stage: Stage, channel: Path) -> None:
    """Copy the project that declares the model, and name the channel in it as its author would."""
    import tomlkit

    stage.step("a project that declares its model")
    project = stage.folder / "reader"
    shutil.copytree(digits_folder() / "app", project, ignore=shutil.ignore_patterns("__pycache__"))
    file = project / "pyproject.toml"
    document = tomlkit.parse(file.read_text(encoding="utf-8"))
    document["tool"]["modeldeps"]["channels"] = [channel.as_uri() + "/"]
    file.write_text(tomlkit.dumps(document), encoding="utf-8")
    say("  reader/pyproject.toml")
    table = document["tool"]["modeldeps"].as_string()
    say("\n".join(f"    {line}" for line in ("[tool.modeldeps]", *table.strip().splitlines())))


def _pip_install(stage: Stage, python: Path, words: tuple[str | Path, ...], told: str) -> None:
    """Run pip in an environment; `told` is the environment's name and what is shown of the words."""
    name, _, shown = told.partition(": ")
    stage.run(
        [python, "-m", "pip", "install", *words],
        shown=f"{name}/bin/pip install {shown}",
        hint="packages come from the index that pip is set up for; can `pip download numpy` reach it?",
    )


def _read_digits(stage: Stage, python: Path, channel: Path) -> str:
    """Run the installed project on images that the model never saw."""
    listed = json.loads(stage.run([python, "-m", "modeldeps", "list", "--json"], shown="modeldeps list"))
    for model in listed["models"]:
        say(f"  {model['name']} {model['version']} is installed{_passed_over(channel, model)}")
    stage.step("the project runs: load() opens an ONNX Runtime session on what is there")
    images = stage.folder / "reader" / "digits_held_out.npz"
    words: list[str | Path] = [python, "-m", "digits_reader", images]
    return stage.run(words, shown="python -m digits_reader digits_held_out.npz")


def _passed_over(channel: Path, model: dict[str, str]) -> str:
    """Tell which releases are newer than the one that the solver took, and what they need."""
    from modeldeps.fetch.index import Channel  # noqa: PLC0415 - at first use

    said = ""
    index = Channel(channel.as_uri() + "/")
    for release in index.releases(model["name"]):
        if release.version == model["version"]:
            break
        needs = [one for one in index.metadata(release).requires if one.startswith("onnxruntime>")]
        said += f"; {release.version} is not: it needs {needs[0].partition(';')[0].strip()}"
    return said


def _install_again(stage: Stage, wheels: Path, channel: Path) -> None:
    """Install into a second environment and say how many bytes travelled: none."""
    before = _stored(stage)
    stage.step("another environment of the same machine: the bytes are here already")
    python = _install(stage, "env-2", wheels, channel)
    told = json.loads(stage.run([python, "-m", "modeldeps", "sync", "--json"], shown="modeldeps sync"))
    write("")
    travelled = told["bytes_fetched"] + _stored(stage) - before
    write(f"  the first time   {format_bytes(before)} travelled into the store")
    write(f"  the second time  {format_bytes(travelled)}: another environment, the same bytes")


def _stored(stage: Stage) -> int:
    """Return the bytes of all blobs in the demo's store."""
    return sum(file.stat().st_size for file in (stage.store / "blobs").rglob("*") if file.is_file())
