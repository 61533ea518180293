"""Each setting: what a variable says where it is set, else the user's file, else the machine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps.config._table import ENVIRONMENT, Table
from modeldeps.config._values import channel, path
from modeldeps.errors import ConfigError, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import TypeVar

    T = TypeVar("T")

_FALSE = frozenset({"0", "false", "no", "off"})
_TRUE = frozenset({"1", "true", "yes", "on"})


class Reader:
    """Read settings by their keys, and gather what is wrong with them."""

    def __init__(self, variables: Mapping[str, str], *, system: Path, user: Path) -> None:
        self.wrong: list[Problem] = []
        """What is wrong with variables."""
        self._variables = variables
        self._system = Table.read(system, named=_naming(variables, "MODELDEPS_SYSTEM_CONFIG"))
        self._table = Table.read(user, below=self._system, named=_naming(variables, "MODELDEPS_CONFIG"))

    def check(self) -> None:
        """Raise ConfigError with all that was found wrong so far."""
        if self.wrong:
            names = ", ".join(dict.fromkeys(one.key for one in self.wrong))
            raise ConfigError(ENVIRONMENT, self.wrong, hint=f"correct or unset {names}")
        for one in (self._system, self._table):
            one.check()

    def variable(self, key: str) -> str | None:
        """Return what the variable of a key says, or None."""
        return self._variables.get(variable_name(key))

    def problems(self, key: str) -> list[Problem]:
        """Return where problems with a key of the files are gathered."""
        return self._table.problems(key)

    def table(self, key: str) -> Mapping[str, object]:
        """Return a table of the files."""
        return self._table.table(key)

    def one(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return one value, None where nothing is said."""
        if text := self.variable(key):
            found = self.each(read, variable_name(key), [text], self.wrong)
        else:
            found = self.each(read, key, filter(None, [self._table.text(key)]), self.problems(key))
        return found[0] if found else None

    def path(self, key: str) -> Path | None:
        """Return a path; in a file it is meant from the folder of that file."""
        return self.one(key, self._placed(key, path))

    def paths(self, key: str, *, separator: str) -> tuple[Path, ...]:
        """Return several paths; in a file they are meant from the folder of that file."""
        return self.several(key, self._placed(key, path), separator=separator)

    def channels(self, key: str) -> tuple[str, ...]:
        """Return several channels; folders in a file are meant from the folder of that file."""
        return self.several(key, self._placed(key, channel), empty_counts=True)

    def _placed(self, key: str, read: Callable[[str, Path | None], T]) -> Callable[[str], T]:
        """Return how the text of a key is read, wherever it comes from."""
        return lambda text: read(text, None if self.variable(key) else self._table.folder(key))

    def number(self, key: str, read: Callable[[str], T]) -> T | None:
        """Return one value that is a number in the files, None where nothing is said."""
        if text := self.variable(key):
            found = self.each(read, variable_name(key), [text], self.wrong)
        else:
            asked = self._table.number(key)
            found = self.each(read, key, [] if asked is None else [str(asked)], self.problems(key))
        return found[0] if found else None

    def several(
        self, key: str, read: Callable[[str], T], *, separator: str | None = None, empty_counts: bool = False
    ) -> tuple[T, ...]:
        """
        Return several values; in a variable they are separated, by white space if not by `separator`.

        With `empty_counts` a variable that is set and empty means none, else it means nothing.
        """
        text = self.variable(key)
        if text or (text is not None and empty_counts):
            return self.each(read, variable_name(key), filter(None, text.split(separator)), self.wrong)
        return self.each(read, key, self._table.texts(key), self.problems(key))

    def flag(self, key: str, *, default: bool) -> bool:
        """Return a switch; a word that is neither yes nor no is a problem, not the network's permission."""
        said = self._table.flag(key, default=default)
        text = self.variable(key)
        if not text:
            return said
        word = text.strip().lower()
        if word not in _FALSE | _TRUE:
            self.wrong.append(Problem(variable_name(key), f"expected 1 or 0, found {text!r}"))
        return word in _TRUE

    def each(
        self, read: Callable[[str], T], key: str, texts: Iterable[str], problems: list[Problem]
    ) -> tuple[T, ...]:
        """Return what could be read; what could not is a problem of the key."""
        found: list[T] = []
        for text in texts:
            try:
                found.append(read(text))
            except ValueError as error:  # noqa: PERF203 - a few rounds
                problems.append(Problem(key, str(error)))
        return tuple(found)


def _naming(variables: Mapping[str, str], name: str) -> str:
    """Return the name of a variable that names a file, or nothing where it names none."""
    return name if variables.get(name) else ""


def variable_name(key: str) -> str:
    """Return the variable of a key."""
    return f"MODELDEPS_{key.replace('-', '_').upper()}"
