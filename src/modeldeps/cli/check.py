"""`modeldeps check`: find what makes this project lose a model."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from modeldeps.cli._output import add_json, say, write, write_json
from modeldeps.cli.add import add_project, project_file
from modeldeps.config import settings
from modeldeps.errors import FOUND_WRONG

if TYPE_CHECKING:
    import argparse

    from modeldeps.check import Checked, Finding

EPILOG = """\
examples:
  modeldeps check                 0 where nothing is wrong, 1 where something is
  modeldeps check --offline       ask only channels that are folders
  modeldeps check --json
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Add the words of the command."""
    add_project(parser)
    parser.add_argument("--offline", action="store_true", help="ask no channel over a network")
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Check the project's declaration and tell what was found."""
    from modeldeps.check import check  # noqa: PLC0415 - at first use

    found = settings()
    checked = check(
        project_file(args.project), channels=found.channels, offline=args.offline or found.offline
    )
    if args.json:
        write_json(_json(checked))
    else:
        _tell(checked)
    return FOUND_WRONG if checked.errors else 0


def _tell(checked: Checked) -> None:
    for finding in checked.findings:
        for line in _lines(finding):
            write(line)
    names = ", ".join(dict.fromkeys(str(model) for _, model in checked.models)) or "no models"
    count = checked.errors
    found = f"{count} problem{'s' if count != 1 else ''}" if count else "nothing wrong"
    say(f"{checked.file}: {names}: {found}")


def _lines(finding: Finding) -> list[str]:
    place = f"{finding.key}: " if finding.key else ""
    lines = [f"{finding.level}: {place}{finding.message}"]
    return [*lines, f"hint: {finding.hint}"] if finding.hint else lines


def _json(checked: Checked) -> dict[str, object]:
    return {
        "file": str(checked.file),
        "models": [
            {"name": model.name, "requirement": str(model), "key": key} for key, model in checked.models
        ],
        "findings": [asdict(finding) for finding in checked.findings],
    }
