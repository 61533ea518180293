"""`modeldeps publish`: add a built release to a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import add_json, say, table, write, write_json
from modeldeps.progress import default_reporter, format_bytes

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from modeldeps.publish.channel import Published

EPILOG = """\
examples:
  modeldeps publish dist --to /srv/models
  modeldeps publish dist/modeldeps_digits-2.1.0-py3-none-any.whl --to ./channel
  modeldeps publish dist/modeldeps-0.1.0-py_0.conda --to ./channel

The channel is made where there is none. Serve its folder with any web server, or use it as it is.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take a dist folder or a wheel, and the channel's folder."""
    parser.add_argument(
        "dist", metavar="DIST", help="folder that `modeldeps build` made, or one wheel or conda package in it"
    )
    parser.add_argument("--to", required=True, metavar="CHANNEL", help="folder of the channel")
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Publish, and tell what became of each release."""
    from modeldeps.publish.channel import local_folder, publish  # noqa: PLC0415 - at first use

    folder = Path(local_folder(args.to))
    found = publish(Path(args.dist), folder, reporter=default_reporter())
    if args.json:
        write_json({"releases": [_json(one) for one in found]})
        return 0
    for line in table(("MODEL", "VERSION", "STATE", "COPIED"), _rows(found)):
        write(line)
    say(f"channel: {folder.absolute().as_uri().rstrip('/')}/")
    return 0


def _rows(found: Sequence[Published]) -> list[tuple[str, str, str, str]]:
    return [
        (
            one.name,
            one.version,
            _state(one),
            format_bytes(one.bytes_copied),
        )
        for one in found
    ]


def _state(one: Published) -> str:
    state = "published" if one.new else "was there already"
    return f"{state}, yanked: {one.yanked}" if one.yanked else state


def _json(one: Published) -> dict[str, object]:
    return {
        "name": one.name,
        "version": one.version,
        "new": one.new,
        "yanked": one.yanked or None,
        "wheel": str(one.wheel) if one.wheel else None,
        "conda": [str(path) for path in one.conda],
        "bytes_copied": one.bytes_copied,
    }
