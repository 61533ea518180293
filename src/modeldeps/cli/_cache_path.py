"""`modeldeps cache path`: where the store is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.cli._output import write
from modeldeps.config import settings

if TYPE_CHECKING:
    import argparse

HELP = "write the store's folder"

EPILOG = """\
examples:
  du -sh "$(modeldeps cache path)"
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take nothing."""


def execute(args: argparse.Namespace) -> int:  # noqa: ARG001 - every action takes them
    """Write the folder; nothing is made."""
    from modeldeps.store import Store  # noqa: PLC0415

    write(str(Store.open(settings()).root))
    return 0
