"""Write the pages of the reference that follow from the code: commands, settings, errors, the manifest's keys."""

from __future__ import annotations

import argparse
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeldeps import errors
from modeldeps.cli._main import COMMANDS, parser
from modeldeps.config import VARIABLES
from modeldeps.config._table import _KEYS

if TYPE_CHECKING:
    from collections.abc import Iterator

HERE = Path(__file__).parent
NOTICE = "<!-- Written by docs/generate.py; edit the code that it reads. -->\n"


def pages() -> dict[Path, str]:
    """Return each generated page with its text."""
    made = {
        "cli": commands(),
        "errors": error_page(),
        "settings": settings_page(),
        "manifest": manifest_page(),
    }
    return {HERE / "reference" / f"{name}.md": f"{NOTICE}\n{text.rstrip()}\n" for name, text in made.items()}


def commands() -> str:
    """Return the page of the command line."""
    lines = [
        "# Commands",
        "",
        "Data goes to stdout and talk to stderr; every reading command takes `--json`. Exit status: 0 fine, 1 something",
        "was found wrong, 2 wrong usage, 3 could not run.",
        "",
    ]
    top = parser()
    (group,) = [action for action in top._actions if isinstance(action, argparse._SubParsersAction)]
    for name in COMMANDS:
        lines += command(name, group.choices[name])
    return "\n".join(lines)


def command(name: str, one: argparse.ArgumentParser) -> Iterator[str]:
    """Yield the lines of one command."""
    yield from (f"## modeldeps {name}", "", one.description or "", "", "```text", _usage(one), "```", "")
    rows = [
        (_words(action), (action.help or "") % {**vars(action), "prog": one.prog})
        for action in one._actions
        if action.help != argparse.SUPPRESS
    ]
    nested = [action for action in one._actions if isinstance(action, argparse._SubParsersAction)]
    if rows:
        yield from ("| word | meaning |", "|---|---|")
        yield from (f"| `{words}` | {text.replace('|', chr(92) + '|')} |" for words, text in rows if words)
        yield ""
    if one.epilog:
        yield from ("```text", one.epilog.rstrip(), "```", "")
    for action in nested:
        for word, below in action.choices.items():
            below.description = below.description or next(
                (str(choice.help) for choice in action._choices_actions if choice.dest == word),
                "",
            )
            yield from command(f"{name} {word}", below)


def _words(action: argparse.Action) -> str:
    if isinstance(action, argparse._HelpAction):
        return ""
    metavar = action.metavar or (action.dest.upper() if action.nargs != 0 else "")
    if isinstance(action, argparse._SubParsersAction):
        return "|".join(action.choices).replace("|", " / ")
    if not action.option_strings:
        return str(metavar)
    return ", ".join(action.option_strings) + (f" {metavar}" if action.nargs != 0 else "")


def _usage(one: argparse.ArgumentParser) -> str:
    words = [one.prog]
    groups = {
        id(action): group for group in one._mutually_exclusive_groups for action in group._group_actions
    }
    for action in one._actions:
        group = groups.get(id(action))
        if group is None:
            words.append(_use(action))
        elif action is group._group_actions[0]:
            either = " | ".join(_words(other) for other in group._group_actions)
            words.append(f"({either})" if group.required else f"[{either}]")
    return " ".join(filter(None, words))


def _use(action: argparse.Action) -> str:
    text = _words(action)
    optional = bool(action.option_strings and not action.required) or action.nargs in {"?", "*"}
    many = "…" if action.nargs in {"*", "+"} else ""
    return f"[{text}{many}]" if text and optional else f"{text}{many}"


def settings_page() -> str:
    """Return the page of the settings."""
    keys = sorted(_KEYS - {"tokens"})
    lines = [
        "# Settings",
        "",
        "Environment variables win over the user's configuration file, and that wins over the machine's. The user's file is",
        "`config.toml` in the platform's configuration folder for `modeldeps`, or where `MODELDEPS_CONFIG` says. The machine's is",
        "`modeldeps/config.toml` in the first of `XDG_CONFIG_DIRS` (most often `/etc/xdg`) that has it, or below",
        "`/Library/Application Support` or `%PROGRAMDATA%`, or where `MODELDEPS_SYSTEM_CONFIG` says. The keys of both are",
        f"{', '.join(f'`{key}`' for key in keys)}, with the meaning of the variables below (`channels`, `mirrors` and `stores` are",
        'arrays of texts), and the table `tokens`: tokens by URL prefix, each a text or `{ env = "NAME" }`.',
        "",
        "| variable | meaning |",
        "|---|---|",
        *(f"| `{name}` | {meaning} |" for name, meaning in sorted(VARIABLES.items())),
        "",
        "A switch understands `1`, `true`, `yes`, `on` and `0`, `false`, `no`, `off`; another word is an error. In the files it is",
        "`true` or `false`. A variable that is empty counts as not set; an empty `MODELDEPS_CHANNELS` or `MODELDEPS_MIRRORS` means none.",
        "",
        "Relative paths and folders of channels in a file are meant from the folder of that file, those in variables from the current",
        "one. A file that `MODELDEPS_CONFIG` or `MODELDEPS_SYSTEM_CONFIG` names must be there; to read none, name an empty one, such as",
        "`/dev/null`. What is wrong is an error that names the variable, or the file and the key, and commands return 2.",
        "",
        "`load()` sets `ORT_DISABLE_TELEMETRY=1` for its process unless the variable is set already.",
    ]
    return "\n".join(lines)


def error_page() -> str:
    """Return the page of the errors."""
    tree = inspect.getdoc(errors) or ""
    lines = [
        "# Errors",
        "",
        "Each error says what was expected, what was found, and the command that helps; all have one root.",
        "",
        "```text",
        tree.split("\n\n", 1)[1],
        "```",
        "",
        "| error | exit status | meaning |",
        "|---|---|---|",
    ]
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, errors.ModelDepsError):
            meaning = (inspect.getdoc(value) or "").split("\n")[0]
            lines.append(f"| `{name}` | {value.exit_status} | {meaning} |")
    return "\n".join(lines)


def manifest_page() -> str:
    """Return the page of the manifest, read from its JSON Schema."""
    schema = json.loads((HERE / "reference" / "model-1.schema.json").read_text(encoding="utf-8"))
    lines = [
        "# The manifest",
        "",
        "`model.json` says all about one release of a model. It lies in the `.dist-info` folder of the pointer package",
        "and in the channel. It is JSON in UTF-8 of at most 16 MiB; a key may not stand twice in one object; unknown keys",
        "are kept, an unknown schema number is refused. The [JSON Schema](model-1.schema.json) is published with these",
        "pages; the reader checks more than a schema can say: paths that mean the same place on every system, chunks that",
        "cover their file, names that exist.",
        "",
    ]
    lines += keys("The release", schema)
    titles = {"file": "A file", "tensor": "An input or output", "variant": "A variant", "tolerance": "A tolerance",
              "example": "A golden example", "metric": "A metric", "lineage": "The lineage"}  # fmt: skip
    for name, title in titles.items():
        lines += keys(title, schema["$defs"][name])
    return "\n".join(lines)


def keys(title: str, schema: dict[str, Any]) -> Iterator[str]:
    """Yield a table of one object's keys."""
    yield from (f"## {title}", "", "| key | type | needed | meaning |", "|---|---|---|---|")
    for key, value in schema["properties"].items():
        needed = "yes" if key in schema.get("required", ()) else ""
        yield f"| `{key}` | {_type(value)} | {needed} | {value.get('description', '')} |"
    yield ""


def _type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"].rsplit("/", 1)[1])
    if "const" in value:
        return f"`{value['const']}`"
    kind = str(value.get("type", ""))
    inner = value.get("items") or value.get("additionalProperties")
    return f"{kind} of {_type(inner)}" if isinstance(inner, dict) and _type(inner) else kind


def main() -> int:
    """Write the pages; with `--check` only say which are out of date."""
    wrong = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in sys.argv:
        print("\n".join(f"out of date: {path.name}" for path in wrong))
        return 1 if wrong else 0
    for path in wrong:
        path.write_text(pages()[path], encoding="utf-8")
        print(f"wrote {path.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
