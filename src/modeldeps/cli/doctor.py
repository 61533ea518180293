"""`modeldeps doctor`: check this environment."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from modeldeps.cli._output import add_json, write, write_json
from modeldeps.errors import FOUND_WRONG

if TYPE_CHECKING:
    import argparse

    from modeldeps.cli._findings import Finding

EPILOG = """\
examples:
  modeldeps doctor
  modeldeps doctor --offline
  modeldeps doctor --json

It looks at ONNX Runtime and its execution providers, at the store, at the channels and at every
installed model, and changes nothing. 1 is returned where something is wrong.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take how far to go."""
    parser.add_argument("--offline", action="store_true", help="ask no channel that needs a network")
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Write what was found; 1 where something is wrong."""
    from modeldeps.cli._findings import WRONG, examine  # noqa: PLC0415

    findings = examine(offline=args.offline)
    if args.json:
        write_json([asdict(one) for one in findings])
    else:
        write("\n".join(_lines(findings)))
    return FOUND_WRONG if any(one.state == WRONG for one in findings) else 0


def _lines(findings: list[Finding]) -> list[str]:
    """Return aligned lines: state, subject, what was found, and a hint below."""
    states = max(len(one.state) for one in findings)
    wide = max(len(one.subject) for one in findings)
    lines = []
    for one in findings:
        first, *rest = one.text.splitlines()
        lines.append(f"{one.state:<{states}}  {one.subject:<{wide}}  {first}")
        more = [*rest, *([f"hint: {one.hint}"] if one.hint else [])]
        lines += [f"{'':<{states}}  {'':<{wide}}  {line}" for line in more]
    return lines
