"""`modeldeps list`: the models of this environment."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps.cli._output import add_json, say, say_error, table, write, write_json
from modeldeps.errors import FOUND_WRONG
from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    import argparse

    from modeldeps.cli._installed import BrokenModel, InstalledModel

EPILOG = """\
examples:
  modeldeps list
  modeldeps list --json

The variant, its provider and its size are what load() would take on this machine.
"""

HEADER = ("MODEL", "VERSION", "VARIANT", "PROVIDER", "SIZE", "CACHED", "SUMMARY")


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take nothing but `--json`."""
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """List the models; 1 where one of them is broken."""
    from modeldeps.cli._installed import BrokenModel, examine  # noqa: PLC0415

    found = [examine(one) for one in environment.pointers()]
    if args.json:
        write_json({"models": [_json(one) for one in found]})
    elif found:
        for line in table(HEADER, map(_row, found)):
            write(line)
    else:
        say("no model is installed in this environment")
    broken = [one for one in found if isinstance(one, BrokenModel)]
    for one in broken:
        say_error(str(one.error))
    return FOUND_WRONG if broken else 0


def _row(model: InstalledModel | BrokenModel) -> tuple[object, ...]:
    from modeldeps.cli._installed import BrokenModel  # noqa: PLC0415

    pointer = model.pointer
    if isinstance(model, BrokenModel):
        return pointer.name, pointer.version, "", "", "", "", "its manifest is broken"
    return (
        pointer.name,
        pointer.version,
        model.variant.name,
        model.provider or "none",
        format_bytes(model.size),
        "yes" if model.is_cached(model.variant) else "no",
        model.manifest.summary,
    )


def _json(model: InstalledModel | BrokenModel) -> dict[str, object]:
    from modeldeps.cli._installed import BrokenModel  # noqa: PLC0415

    pointer = model.pointer
    known = {"name": pointer.name, "version": pointer.version, "location": str(pointer.location)}
    if isinstance(model, BrokenModel):
        return {**known, "problem": str(model.error)}
    return {
        **known,
        "summary": model.manifest.summary,
        "variant": model.variant.name,
        "provider": model.provider or None,
        "size": model.size,
        "cached": model.is_cached(model.variant),
        "problem": model.obstacle.sentence if model.obstacle else None,
    }
