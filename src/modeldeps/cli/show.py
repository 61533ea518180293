"""`modeldeps show`: the card of an installed model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.cli._output import add_json, write, write_json

if TYPE_CHECKING:
    import argparse

EPILOG = """\
examples:
  modeldeps show digits
  modeldeps show digits --json

The choice is what load() would decide on this machine, each candidate with its reason.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take the model."""
    parser.add_argument("name", metavar="NAME", help="a model of this environment, such as digits")
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Write the card. Raises ModelNotInstalledError, ModelVersionError, ManifestError."""
    from modeldeps.cli._card import card, to_json  # noqa: PLC0415
    from modeldeps.cli._installed import InstalledModel  # noqa: PLC0415
    from modeldeps.runtime import find  # noqa: PLC0415

    pointer = find(args.name)
    model = InstalledModel(pointer, pointer.manifest())
    if args.json:
        write_json(to_json(model))
        return 0
    write("\n".join(card(model)))
    return 0
