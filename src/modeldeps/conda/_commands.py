"""`conda models`: modeldeps' own commands, about the environment that conda is asked for."""

from __future__ import annotations

import argparse
import re
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from modeldeps.conda._prefix import looking_in

if TYPE_CHECKING:
    from collections.abc import Sequence

COMMANDS = ("list", "show", "sync", "verify", "why", "cache")
"""What is offered of the commands that this version has; the others are about projects and channels."""
WITHOUT_PREFIX = ("cache",)
"""Commands about the store, which all environments share."""
SUMMARY = "List, show and fetch the models of an environment."
"""What the command is for."""

_WORDS = (
    (re.compile(rf"\bmodeldeps (?={'|'.join(COMMANDS)})"), "conda models "),
    (re.compile(r'pip install (?:--upgrade )?"modeldeps-[a-z0-9-]+\[cpu\]".*'), "conda install onnxruntime"),
    (
        re.compile(r'pip install (?:--upgrade )?"modeldeps-[a-z0-9-]+\[cuda\]".*'),
        'conda install "onnxruntime=*=*cuda*"',
    ),
    (
        re.compile(r'pip install --force-reinstall --no-deps "?(modeldeps-[a-z0-9-]+)(?:==[^"\s]+)?"?'),
        r"conda install --force-reinstall \1",
    ),
)
"""What hints of modeldeps say, and what a user of conda types."""


def run(words: Sequence[str]) -> int:
    """
    Run `conda models WORDS…` and return its exit status, which is that of `modeldeps WORDS…`.

    Raises conda's EnvironmentLocationNotFound, and SystemExit where the words are wrong.
    """
    from modeldeps.cli._main import guarded
    from modeldeps.cli._output import worded

    parsed = _parser(words).parse_args(list(words))
    _listen_to_conda(parsed)
    with worded(in_conda):
        if parsed.command in WITHOUT_PREFIX:
            return guarded(partial(_on_store, parsed))
        prefix = target_prefix(parsed.environment_name, parsed.environment_prefix)
        with looking_in(prefix) as folders:
            return guarded(partial(_on_prefix, parsed, prefix, folders))


def in_conda(text: str) -> str:
    """Return a text whose commands, those of modeldeps and pip, are what a user of conda types."""
    for pattern, words in _WORDS:
        text = pattern.sub(words, text)
    return text


class _Parser(argparse.ArgumentParser):
    """A parser whose help says what to type under conda."""

    def format_help(self) -> str:
        return in_conda(super().format_help())


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Return the parser; only the command that `words` name is imported."""
    from modeldeps.cli._main import COMMANDS as HAS
    from modeldeps.cli._main import configure

    top = _Parser(prog="conda models", description=SUMMARY)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True, dest="command")
    named = next((word for word in words if word in HAS), None)
    for name in (one for one in COMMANDS if one in HAS):
        line = HAS[name]
        command = commands.add_parser(name, help=line, description=f"{line[0].upper()}{line[1:]}.")
        if name not in WITHOUT_PREFIX:
            _add_prefix(command)
        if named in (None, name):
            configure(name, command)
    return top


def _add_prefix(parser: argparse.ArgumentParser) -> None:
    """Take the environment as every conda command does; `name` itself is an argument of some commands."""
    group = parser.add_argument_group("environment").add_mutually_exclusive_group()
    group.add_argument(
        "-n", "--name", dest="environment_name", metavar="ENVIRONMENT", help="name of an environment"
    )
    group.add_argument(
        "-p", "--prefix", dest="environment_prefix", metavar="PATH", help="path of an environment"
    )


def target_prefix(name: str | None, path: str | None) -> Path:
    """
    Return the folder of the environment that was named, or of the active one, else of conda's own.

    Raises EnvironmentLocationNotFound where none is there.
    """
    from conda.base.context import context, determine_target_prefix
    from conda.exceptions import EnvironmentLocationNotFound

    prefix = Path(determine_target_prefix(context, argparse.Namespace(name=name, prefix=path)))
    if not (prefix / "conda-meta").is_dir():
        raise EnvironmentLocationNotFound(str(prefix))
    return prefix


def _listen_to_conda(parsed: argparse.Namespace) -> None:
    """Let what conda was told (`.condarc`, CONDA_OFFLINE, CONDA_JSON) count as if it had been said here."""
    from conda.base.context import context

    for option in ("json", "offline"):
        if hasattr(parsed, option):
            setattr(parsed, option, bool(getattr(parsed, option) or getattr(context, option)))


def _on_prefix(parsed: argparse.Namespace, prefix: Path, folders: Sequence[str]) -> int:
    if parsed.command == "sync":
        from modeldeps.cli.sync import synchronise
        from modeldeps.conda._sync import ways_of

        ways = ways_of(prefix, folders)
        return synchronise(parsed, first=ways.channels, opener=ways.opener, taken_there=ways.taken)
    status: int = parsed.execute(parsed)
    return status


def _on_store(parsed: argparse.Namespace) -> int:
    if parsed.action in ("gc", "info"):
        note_known()
    status: int = parsed.execute(parsed)
    return status


def note_known() -> None:
    """
    Note the models of every environment that conda knows, so that their bytes are not freed.

    Environments that another tool made, or a conda without this plugin, have noted nothing yet.
    """
    from conda.core.envs_manager import list_all_known_prefixes

    for prefix in map(Path, list_all_known_prefixes()):
        if any(prefix.glob("conda-meta/*.json")):
            _note(prefix)


def _note(prefix: Path) -> None:
    """Note the variants of an environment's models that are here; broken ones need no bytes."""
    from modeldeps import environment
    from modeldeps.config import settings
    from modeldeps.errors import ManifestError
    from modeldeps.store import Store

    store = Store.open(settings())
    with looking_in(prefix) as folders:
        for pointer in environment.pointers(folders):
            try:
                manifest = pointer.manifest()
            except ManifestError:
                continue
            for variant in manifest.variants:
                names = {"name": manifest.name, "version": manifest.version, "variant": variant.name}
                if store.has_folder(manifest.payload(variant), **names):
                    store.note_use(manifest, variant, by=pointer.location)
