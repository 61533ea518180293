"""Models in a script's inline metadata (PEP 723)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from modeldeps.errors import ScriptError
from modeldeps.files import rewrite
from modeldeps.project._document import Document
from modeldeps.project._edit import put, requirement_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from modeldeps.requirement import ModelRequirement

MAX_BYTES = 16 << 20
"""Bytes of a script."""

_BLOCK = re.compile(
    r"^# /// script[ \t]*\r?\n(?P<body>(?:#(?: [^\n]*)?\r?\n)*?)# ///[ \t]*\r?$", re.MULTILINE
)


def add_to_script(file: Path, models: Sequence[ModelRequirement], *, runtime: str) -> tuple[str, ...]:
    """
    Add models to the dependencies in a script's `# /// script` block, which is made where there is none.

    Return the requirements as written. Raises ScriptError, ProjectError for TOML that can't be read.
    """
    text = _read(file)
    blocks = list(_BLOCK.finditer(text))
    if len(blocks) > 1:
        raise ScriptError(file, "it has more than one `# /// script` block")
    newline = "\r\n" if "\r\n" in text else "\n"
    body = _uncomment(blocks[0]["body"]) if blocks else f"dependencies = []{newline}"
    document = Document(body, file)
    array = document.array(document.root, "dependencies")
    entries = tuple(put(array, model, requirement_of(model, runtime)) for model in models)
    block = f"# /// script{newline}{_comment(document.text)}# ///"
    if blocks:
        start, end = blocks[0].start(), blocks[0].end()
        changed = text[:start] + block + ("\r" if blocks[0][0].endswith("\r") else "") + text[end:]
    else:
        head, rest = _head(text)
        changed = f"{head}{block}{newline}{rest}"
    rewrite(file, changed.encode("utf-8"))
    return entries


def _read(file: Path) -> str:
    with file.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise ScriptError(file, f"it has more than {MAX_BYTES} bytes")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise ScriptError(file, "it is not UTF-8") from None


def _head(text: str) -> tuple[str, str]:
    """Split off the lines that must stay first: `#!` and the coding line (PEP 263)."""
    lines = text.splitlines(keepends=True)
    count = 0
    while count < min(2, len(lines)) and re.match(r"#!|#.*coding[:=]", lines[count]):
        count += 1
    return "".join(lines[:count]), "".join(lines[count:])


def _uncomment(body: str) -> str:
    return re.sub(r"^#(?: |(?=\r?$))", "", body, flags=re.MULTILINE)


def _comment(text: str) -> str:
    lines = text.splitlines(keepends=True)
    return "".join(f"# {line}" if line.strip() else f"#{line.lstrip(' ')}" for line in lines)
