"""A pyproject.toml while it is edited: comments, order and line ends stay as they were."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from typing import TYPE_CHECKING, Any

from modeldeps.errors import ProjectEditError
from modeldeps.files import rewrite
from modeldeps.project._pyproject import decode

if TYPE_CHECKING:
    from pathlib import Path

TOUCHED = (
    ("build-system", "requires"),
    ("project", "dependencies"),
    ("project", "optional-dependencies"),
    ("project", "dynamic"),
    ("dependency-groups",),
    ("tool", "modeldeps"),
    ("tool", "hatch", "metadata", "hooks", "modeldeps"),
)
"""The keys that an edit may change; all others must read the same afterwards."""


_BARE_NEWLINE = re.compile(r"(?<!\r)\n")


class Document:
    """The text of one TOML file, edited through its tables."""

    def __init__(self, text: str, file: Path) -> None:
        import tomlkit

        self.file = file
        self.before = decode(text.encode("utf-8"), file)
        """The plain values of the text before it was edited."""
        self._parse = tomlkit.parse
        self._newline = "\n" if _BARE_NEWLINE.search(text) or "\n" not in text else "\r\n"
        self._root: Any = tomlkit.parse(text)

    @classmethod
    def open(cls, file: Path) -> Document:
        """Read a file. Raises ProjectError where it is not TOML in UTF-8."""
        data = file.read_bytes()
        decode(data, file)
        return cls(data.decode("utf-8"), file)

    @property
    def text(self) -> str:
        """The text as it is now."""
        return _BARE_NEWLINE.sub(self._newline, self._root.as_string())

    @property
    def values(self) -> dict[str, Any]:
        """The plain values of the text as it is now."""
        return decode(self.text.encode("utf-8"), self.file)

    @property
    def root(self) -> MutableMapping[str, Any]:
        """The live tables; a change to one of their arrays is a change of the text."""
        found: MutableMapping[str, Any] = self._root
        return found

    def table(self, *keys: str) -> MutableMapping[str, Any]:
        """
        Return a table; one that is missing is written at the end of the file under a header of its own.

        Writing it reads the text anew, so tables that were returned before are no longer live.
        """
        found = self._find(keys)
        if found is None:
            header = f"[{'.'.join(keys)}]{self._newline}"
            gap = "" if not self.text else self._newline if self.text.endswith("\n") else 2 * self._newline
            self._root = self._parsed(self.text + gap + header, ".".join(keys))
            found = self._find(keys)
        if found is None:
            raise ProjectEditError(self.file, ".".join(keys))
        return found

    def _parsed(self, text: str, key: str) -> Any:  # noqa: ANN401 - tomlkit's own type
        from tomlkit.exceptions import TOMLKitError

        try:
            return self._parse(text)
        except TOMLKitError:  # an inline table takes no header
            raise ProjectEditError(self.file, key) from None

    def _find(self, keys: tuple[str, ...]) -> MutableMapping[str, Any] | None:
        found: Any = self._root
        for key in keys:
            found = found.get(key) if isinstance(found, MutableMapping) else None
        return found if isinstance(found, MutableMapping) else None

    def array(self, table: MutableMapping[str, Any], key: str) -> Any:  # noqa: ANN401 - tomlkit's Array
        """Return the array at a key, made where it is missing. Raises ProjectEditError on another value."""
        import tomlkit

        if key not in table:
            table[key] = tomlkit.array()
        if not isinstance(table[key], list):
            raise ProjectEditError(self.file, key)
        return table[key]

    def save(self) -> bool:
        """
        Write the file if it changed; True if it did.

        Raises ProjectEditError, and writes nothing, where the text would not read as it should.
        """
        text, after = self.text, self.values
        if after == self.before:
            return False
        if _elsewhere(after) != _elsewhere(self.before):
            raise ProjectEditError(self.file, "the other tables")
        rewrite(self.file, text.encode("utf-8"))
        return True


def discard(array: Any, wanted: Callable[[object], bool]) -> Iterator[str]:  # noqa: ANN401 - tomlkit's Array
    """Take out each entry that is wanted, and yield it."""
    for index in reversed(range(len(array))):
        if wanted(array[index]):
            yield str(array.pop(index))


def _elsewhere(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document without what an edit may change, and without tables that are empty then."""
    found = copy.deepcopy(dict(document))
    for path in TOUCHED:
        parents: list[tuple[dict[str, Any], str]] = []
        table: Any = found
        for key in path:
            if not isinstance(table, dict) or key not in table:
                break
            parents.append((table, key))
            table = table[key]
        if len(parents) == len(path):
            parents[-1][0].pop(parents[-1][1])
            for parent, key in reversed(parents[:-1]):
                if parent[key] == {}:
                    parent.pop(key)
    return found
