"""`modeldeps build`: make the pointer wheel and the blobs of a model project."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import facts, reporter, write
from modeldeps.progress import format_bytes
from modeldeps.publish import build_release

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps build --output dist
  modeldeps build digits-project --output dist && modeldeps publish dist --to channel
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Describe the words of the command."""
    parser.add_argument(
        "folder", nargs="?", default=".", metavar="DIR", help="the model project (default: here)"
    )
    parser.add_argument("--output", required=True, metavar="DIST", help="folder for the wheel and the blobs")


def execute(args: argparse.Namespace) -> int:
    """Build, and say what was made."""
    found = build_release(Path(args.folder), Path(args.output), reporter=reporter())
    manifest = found.manifest
    size = sum(blob.stat().st_size for blob in found.blobs)
    variants = ", ".join(f"{one.name} ({format_bytes(one.size)})" for one in manifest.variants)
    pairs = [
        ("model", f"{manifest.name} {manifest.version}"),
        ("variants", variants),
        ("runtime", manifest.runtime_floor and f"onnxruntime{manifest.runtime_floor}"),
        ("wheel", f"{found.wheel} ({format_bytes(found.wheel.stat().st_size)})"),
        ("conda", found.conda and f"{found.conda} ({format_bytes(found.conda.stat().st_size)})"),
        ("blobs", f"{len(found.blobs)}, {format_bytes(size)}"),
    ]
    write("\n".join(facts(pairs)))
    return 0
