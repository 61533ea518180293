"""`modeldeps yank`: withdraw a release from a channel."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.cli._output import add_json, write, write_json

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps yank digits 2.0.0 --from /srv/models --reason "trained on wrong labels"
  modeldeps yank digits 2.0.0 --from /srv/models --undo

A yanked release stays where it is: installers take it only where it is pinned with ==, conda only by
the address of its package.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take a release, the channel's folder, and why."""
    parser.add_argument("name", metavar="NAME", help="the model, or a conda package that is no model's")
    parser.add_argument("version", metavar="VERSION", help="the release to withdraw")
    parser.add_argument(
        "--from", required=True, dest="channel", metavar="CHANNEL", help="folder of the channel"
    )
    why = parser.add_mutually_exclusive_group(required=True)
    why.add_argument("--reason", metavar="WORDS", help="why it is withdrawn; installers show it")
    why.add_argument("--undo", action="store_true", help="take the withdrawal back")
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Yank, and tell whether that changed anything."""
    from modeldeps.publish.channel import local_folder, yank  # noqa: PLC0415 - at first use

    folder = Path(local_folder(args.channel))
    changed = yank(folder, args.name, args.version, reason=args.reason or "", undo=args.undo)
    if args.json:
        write_json({"name": args.name, "version": args.version, "yanked": not args.undo, "changed": changed})
        return 0
    state = "is no longer yanked" if args.undo else "is yanked"
    write(f"{args.name} {args.version} {state}{'' if changed else ' (it was so before)'}")
    return 0
