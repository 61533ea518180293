"""Read the words, run one command, turn what happened into an exit status."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from typing import TYPE_CHECKING

from modeldeps import __version__
from modeldeps.cli._output import open_streams, say_error
from modeldeps.errors import COULD_NOT_RUN, ModelDepsError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

COMMANDS = {
    "new": "write a model project around an ONNX file",
    "build": "build a model project: pointer wheel and blobs",
    "publish": "add a built release to a channel",
    "yank": "withdraw a release from a channel",
    "add": "add models to this project",
    "remove": "remove models from this project",
    "check": "check this project's declaration",
    "sync": "make the store hold what this environment needs",
    "list": "list the models of this environment",
    "show": "show a model's card",
    "doctor": "check this environment",
    "cache": "look at the store, and keep it in order",
    "demo": "go the whole path on real digits",
}
"""Every command, with its line in the help; each is a module of this package."""

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def main(words: Sequence[str] | None = None) -> int:
    """
    Run `modeldeps WORDS…` and return its exit status.

    0 fine, 1 something was found wrong, 2 wrong usage, 3 could not run.
    """
    arguments = list(sys.argv[1:] if words is None else words)

    def work() -> int:
        parsed = parser(arguments).parse_args(arguments)
        status: int = parsed.execute(parsed)
        return status

    return guarded(work)


def guarded(work: Callable[[], int]) -> int:
    """Do a command's work, and return its exit status; what went wrong is told on stderr."""
    open_streams()
    try:
        status = work()
        sys.stdout.flush()
    except ModelDepsError as error:
        say_error(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        say_error("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        return _reader_went_away()
    except OSError as error:
        reason = error.strerror or str(error)
        places = " to ".join(str(one) for one in (error.filename, error.filename2) if one is not None)
        say_error(f"{reason}: {places}" if places else reason)
        return COULD_NOT_RUN
    return status


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return the parser; only the command that `words` name is imported, all of them where they name none."""
    top = argparse.ArgumentParser(prog="modeldeps", description="Models as ordinary Python dependencies.")
    top.add_argument("--version", action="version", version=f"modeldeps {__version__}")
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    named = next((word for word in words if word in COMMANDS), None)
    for name, line in COMMANDS.items():
        command = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if named in (None, name):
            configure(name, command)
    return top


def configure(name: str, command: argparse.ArgumentParser) -> None:
    """Let a command's module fill in its parser; `conda models` uses this too."""
    module = importlib.import_module(f"modeldeps.cli.{name}")
    command.epilog = module.EPILOG
    command.formatter_class = argparse.RawDescriptionHelpFormatter
    module.configure_parser(command)
    command.set_defaults(execute=module.execute)


def _reader_went_away() -> int:
    """Leave quietly when the reader of stdout has gone, as `modeldeps list | head -1` does."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return COULD_NOT_RUN
