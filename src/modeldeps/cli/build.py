"""`modeldeps build`: make the pointer wheel, the conda package and the blobs of a model project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import facts, reporter, write
from modeldeps.errors import UsageError
from modeldeps.progress import format_bytes
from modeldeps.publish import build_release

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps build --output dist
  modeldeps build digits-project --output dist && modeldeps publish dist --to channel
  modeldeps build --wheel modeldeps-0.1.0-py3-none-any.whl --output dist

--wheel makes the conda package of a pure Python wheel, such as that of modeldeps itself or of a
library that asks for models, for channels that have no other package of it.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Describe the words of the command."""
    parser.add_argument("folder", nargs="?", metavar="DIR", help="the model project (default: here)")
    parser.add_argument(
        "--output", required=True, metavar="DIST", help="folder for the packages and the blobs"
    )
    parser.add_argument(
        "--bundled", action="store_true", help="make a conda package with the payload inside, too"
    )
    parser.add_argument("--wheel", metavar="FILE", help="make only the conda package of this wheel")


def execute(args: argparse.Namespace) -> int:
    """Build, and say what was made."""
    if args.wheel is not None:
        return _build_conda(args)
    found = build_release(
        Path(args.folder or "."), Path(args.output), reporter=reporter(), bundled=args.bundled
    )
    manifest = found.manifest
    size = sum(blob.stat().st_size for blob in found.blobs)
    variants = ", ".join(f"{one.name} ({format_bytes(one.size)})" for one in manifest.variants)
    pairs = [
        ("model", f"{manifest.name} {manifest.version}"),
        ("variants", variants),
        ("runtime", manifest.runtime_floor and f"onnxruntime{manifest.runtime_floor}"),
        ("wheel", _file(found.wheel)),
        ("conda", found.conda and _file(found.conda)),
        ("bundled", found.bundled and _file(found.bundled)),
        ("blobs", f"{len(found.blobs)}, {format_bytes(size)}"),
    ]
    write("\n".join(facts(pairs)))
    return 0


def _build_conda(args: argparse.Namespace) -> int:
    """Make the conda package of a wheel. Raises UsageError where more is asked for."""
    from modeldeps.publish.conda import write_package  # noqa: PLC0415 - at first use

    if args.folder is not None or args.bundled:
        raise UsageError(
            "--wheel goes neither with a project nor with --bundled", hint="modeldeps build --help"
        )
    wheel = Path(args.wheel)
    if not wheel.is_file():
        raise UsageError("that is no wheel", ("expected", "a .whl file"), ("found", args.wheel))
    write("\n".join(facts([("conda", _file(write_package(wheel, Path(args.output), reporter=reporter())))])))
    return 0


def _file(path: Path) -> str:
    return f"{path} ({format_bytes(path.stat().st_size)})"
