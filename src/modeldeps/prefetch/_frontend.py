"""Which installer runs the build in which this process is, and with which words."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

INSTALLING = frozenset({"add", "install", "remove", "run", "sync", "upgrade"})
"""Commands of pip and uv after which a project is installed."""
ONLY_BUILDING = frozenset(
    {"build", "compile", "download", "export", "lock", "publish", "tree", "version", "wheel"}
)
"""Commands that build a project, or ask for its metadata, and install nothing."""
INDEX_OPTIONS = ("--index-url", "-i", "--extra-index-url", "--index", "--default-index", "--find-links", "-f")
"""Options of both installers that say where packages come from; each takes a value."""
TRUE = ("1", "true", "yes", "on", "y", "t")
"""How both installers spell a switch that is on."""

_EXTRAS = re.compile(r"\[([A-Za-z0-9._, -]+)\]$")


@dataclass(frozen=True)
class Frontend:
    """An installer that builds a project in order to install it."""

    kind: str
    """`pip` or `uv`."""
    program: str = ""
    """The installer's own executable, where it says so."""
    stamps: Path | None = None
    """A folder that the installer removes when it has finished; None where there is none."""
    indexes: tuple[str, ...] = ()
    """Options that say where packages come from, as the user typed them, with absolute paths."""
    closed: bool = False
    """The user forbade every index: packages come from folders and pages of links alone."""
    extras: frozenset[str] = frozenset()
    """Extras that the user's words ask for, of whatever project."""


def frontend(
    environ: Mapping[str, str], words: Sequence[str] = (), *, folder: Path | None = None, prefix: str = ""
) -> Frontend | None:
    """
    Return the installer that the environment shows, or None where nothing is being installed.

    pip shows `PIP_BUILD_TRACKER` (before 22.0 `PIP_REQ_TRACKER`). uv shows `UV_INTERNAL__BUILD_DIR`,
    before 0.9 only the place of its throwaway environments, such as `…/builds-v0/.tmpIJ4p`. `python -m
    build` shows none of them. `words` are the installer's own, as far as they can be known, and
    `folder` is where it runs; `prefix` is this interpreter's.
    """
    tracker = environ.get("PIP_BUILD_TRACKER") or environ.get("PIP_REQ_TRACKER")
    throwaway = Path(prefix) if Path(prefix).parent.name.startswith("builds-v") else None
    uv = environ.get("UV_INTERNAL__BUILD_DIR") or throwaway
    if not (tracker or uv) or not installs(words):
        return None
    forbidden = environ.get("PIP_NO_INDEX" if tracker else "UV_NO_INDEX", "").lower()
    return Frontend(
        kind="pip" if tracker else "uv",
        program="" if tracker else environ.get("UV", ""),
        stamps=Path(tracker) if tracker else throwaway,
        indexes=tuple(_indexes(words, folder)),
        closed=forbidden in TRUE or "--no-index" in words,
        extras=frozenset(_extras(words)),
    )


def installs(words: Sequence[str]) -> bool:
    """Tell whether an installer's words install something; words that can't be known are taken to."""
    if "--dry-run" in words:
        return False
    known = next((word for word in words[1:] if word in INSTALLING | ONLY_BUILDING), "install")
    return known in INSTALLING


def parent_words() -> tuple[str, ...]:
    """Return the words of the process that started this one, or none where the system doesn't tell."""
    parent = os.getppid()
    try:
        data = Path(f"/proc/{parent}/cmdline").read_bytes()
        return tuple(os.fsdecode(word) for word in data.split(b"\0")[:-1])
    except OSError:
        return _words_from_ps(parent)


def parent_folder() -> Path | None:
    """Return the folder in which the parent process runs, or None where the system doesn't tell."""
    try:
        return Path(f"/proc/{os.getppid()}/cwd").readlink()
    except OSError:
        return None


def _words_from_ps(process: int) -> tuple[str, ...]:
    """Ask `ps`, which is everywhere on POSIX; it doesn't tell spaces inside a word from those between."""
    if os.name != "posix":
        return ()
    try:
        done = subprocess.run(
            ["ps", "-o", "args=", "-p", str(process)], capture_output=True, text=True, timeout=5, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return tuple(done.stdout.split())


def _indexes(words: Sequence[str], folder: Path | None) -> Iterator[str]:
    """Yield the options about indexes, each as one word or as two."""
    following = iter(words)
    for word in following:
        option, equals, value = word.partition("=")
        if option in INDEX_OPTIONS:
            given = value if equals else next(following, "")
            yield from (option, _absolute(given, folder))


def _absolute(text: str, folder: Path | None) -> str:
    """Return a folder that was meant from where the installer runs as an absolute one."""
    plain = "://" not in text and "=" not in text
    return str(folder / text) if folder and plain else text


def _extras(words: Sequence[str]) -> Iterator[str]:
    """Yield the extras of `.[gpu]`, `app[gpu]` and `--extra gpu`."""
    for before, word in zip(("", *words), words, strict=False):
        found = _EXTRAS.search(word)
        named = word if before == "--extra" else word.removeprefix("--extra=") if "--extra=" in word else ""
        for extra in (found[1] if found else named).split(","):
            if extra.strip():
                yield re.sub(r"[-_.]+", "-", extra.strip()).lower()
