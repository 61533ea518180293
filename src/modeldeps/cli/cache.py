"""`modeldeps cache`: look at the store, and keep it in order."""

from __future__ import annotations

import argparse
import importlib

ACTIONS = ("info", "path", "init", "gc", "pin", "unpin", "adopt", "verify")
"""Every action, as the help lists them; each is the module `_cache_<action>` of this package."""

EPILOG = """\
examples:
  modeldeps cache info
  modeldeps cache gc --dry-run
  du -sh "$(modeldeps cache path)"
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take what to do with the store."""
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    for name in ACTIONS:
        module = importlib.import_module(f"modeldeps.cli._cache_{name}")
        line: str = module.HELP
        action = actions.add_parser(
            name,
            help=line,
            description=f"{line[0].upper()}{line[1:]}.",
            epilog=module.EPILOG,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.configure_parser(action)
        action.set_defaults(execute_action=module.execute)


def execute(args: argparse.Namespace) -> int:
    """Do one action; its module tells what it returns."""
    status: int = args.execute_action(args)
    return status
