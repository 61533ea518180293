"""What a text in a manifest may be. Each check returns what is wrong, or None."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

from modeldeps.digest import is_sha256
from modeldeps.errors import InvalidNameError
from modeldeps.names import normalize
from modeldeps.requirement import plain_clauses

if TYPE_CHECKING:
    from collections.abc import Iterable

MAX_TEXT = 100_000
MAX_LINE = 1_000
MAX_PATH = 240
MAX_URL = 2_000

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_TOKEN = _LETTERS | frozenset("._+-")
_LOWER = frozenset("abcdefghijklmnopqrstuvwxyz")
_DTYPE = _LOWER | frozenset("0123456789_")
_URL = r"([a-z][a-z0-9+.-]*)://([A-Za-z0-9._~:@%\[\]-]+)([/?#][!-~]*)?"
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{port}{number}" for port in ("com", "lpt") for number in "0123456789¹²³"}
)
_FORBIDDEN = frozenset('<>:"|?*\\')
_CONTROL = frozenset({"Cc", "Cs", "Zl", "Zp"})
_BIDI = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def shorten(value: object) -> str:
    """Return a value as an error shows it: one line, escaped, at most 80 characters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    text = ascii(value)
    return text if len(text) <= 80 else f"{text[:77]}..."  # noqa: PLR2004 - a line of a terminal


def expected(what: str, value: object) -> str:
    """Return the sentence for one problem."""
    return f"expected {what}, found {shorten(value)}"


def text(value: str) -> str | None:
    """Accept words of any number of lines without control characters or changes of direction."""
    return _text(value, MAX_TEXT, allowed="\n\t")


def line(value: str) -> str | None:
    """Accept one line of words."""
    return _text(value, MAX_LINE, allowed="")


def _text(value: str, limit: int, *, allowed: str) -> str | None:
    if len(value) > limit:
        return f"expected at most {limit} characters, found {len(value)}"
    if value.isascii() and value.isprintable():
        return None
    for one in value:
        if (unicodedata.category(one) in _CONTROL and one not in allowed) or one in _BIDI:
            return expected("text without control characters", value)
    return None


def filled_line(value: str) -> str | None:
    """Accept one line with something on it."""
    return line(value) if value.strip() else expected("some words", value)


def name(value: str) -> str | None:
    """Accept a model's name in its normalised spelling."""
    try:
        normal = normalize(value)
    except InvalidNameError as error:
        return f"{expected('a model name', value)}: {error.facts[-1][1]}"
    return None if normal == value else expected(f"the normalised spelling {normal!r}", value)


def version(value: str) -> str | None:
    """Accept a version that is PEP 440 and reads as semantic versioning."""
    release, mark, count = value, "", "0"
    for mark in ("rc", "a", "b"):
        if mark in value:
            release, _, count = value.partition(mark)
            break
    parts = release.split(".")
    fine = len(parts) == 3 and all(map(_is_number, [*parts, count]))  # noqa: PLR2004 - major, minor, patch
    return None if fine else expected("MAJOR.MINOR.PATCH, or with aN, bN or rcN behind it", value)


def _is_number(value: str) -> bool:
    """Tell whether a text is a number in its one spelling, of at most nine digits."""
    digits = value.isascii() and value.isdigit() and len(value) <= 9  # noqa: PLR2004 - fits 32 bits
    return digits and (value == "0" or value[0] != "0")


def token(value: str) -> str | None:
    """Accept a short name without spaces."""
    fine = 0 < len(value) <= 100 and _TOKEN.issuperset(value) and _LETTERS.issuperset((value[0], value[-1]))  # noqa: PLR2004 - as long as a name
    return None if fine else expected("letters, digits and '.', '_', '+', '-' between them", value)


def dtype(value: str) -> str | None:
    """Accept the name of an element type."""
    fine = 0 < len(value) <= 31 and _DTYPE.issuperset(value) and value[0] in _LOWER  # noqa: PLR2004 - longer than any
    return None if fine else expected("an element type such as 'float32'", value)


def sha256(value: str) -> str | None:
    """Accept a sha256 digest."""
    return None if is_sha256(value) else expected("64 lower-case hexadecimal digits", value)


def date(value: str) -> str | None:
    """Accept a day of the calendar."""
    from datetime import date as day  # noqa: PLC0415 - few manifests have one

    try:
        fine = value.isascii() and day.fromisoformat(value).isoformat() == value
    except ValueError:
        fine = False
    return None if fine else expected("a day, YYYY-MM-DD", value)


def specifier(value: str) -> str | None:
    """Accept a PEP 440 specifier set of plain comparisons."""
    if len(value) > MAX_LINE:
        return f"expected at most {MAX_LINE} characters, found {len(value)}"
    if plain_clauses(value):
        return None
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - at first use

    try:
        SpecifierSet(value)
    except InvalidSpecifier:
        return expected("a specifier such as '>=1.20'", value)
    return None


def url(value: str) -> str | None:
    """Accept an absolute URL of a remote place, without credentials."""
    import re  # noqa: PLC0415 - compiled where a URL is given

    found = re.fullmatch(_URL, value, re.ASCII) if len(value) <= MAX_URL else None
    if found is None or found[1] == "file":
        return expected("an absolute URL of a remote place", value)
    if "@" in found[2]:
        return "expected a URL without a user name or password"
    return None


def web_url(value: str) -> str | None:
    """Accept an http or https URL, without credentials."""
    if not value.startswith(("https://", "http://")):
        return expected("an http or https URL", value)
    return url(value)


def path(value: str) -> str | None:
    """Accept a relative path that means the same, harmless place on every system."""
    if not value or len(value.encode("utf-8", "surrogatepass")) > MAX_PATH:
        return expected(f"a path of 1 to {MAX_PATH} bytes", value)
    if unicodedata.normalize("NFC", value) != value:
        return expected("a path in Unicode's composed form (NFC)", value)
    for part in value.split("/"):
        if reason := _part(part):
            return f"{expected('a relative path', value)}: {reason}"
    return None


def _part(part: str) -> str | None:
    """Say why a path may not contain this part."""
    if part in ("", ".", ".."):
        return f"{part!r} is not allowed in it"
    if _FORBIDDEN & set(part) or _text(part, MAX_PATH, allowed=""):
        return "a character in it is not allowed on every system"
    if part[-1] in ". " or part[0] == " ":
        return "a part of it begins or ends with a space, or ends with a dot"
    return f"{part!r} is a device on Windows" if part.split(".", maxsplit=1)[0].lower() in _DEVICES else None


class Places:
    """Paths below one folder, and below those of `around`: no two may be one place, on any system."""

    def __init__(self, around: Places | None = None) -> None:
        self._around = around
        self._files: dict[str, str] = {}
        self._folders: dict[str, str] = {}

    def clash(self, paths: Iterable[str]) -> str | None:
        """Add paths; say which two would be one where case is folded, or a file and a folder at once."""
        return next(filter(None, map(self._add, paths)), None)

    def _add(self, path: str) -> str | None:
        folded = unicodedata.normalize("NFC", path.casefold())
        if other := self.file(folded):
            return f"{other!r} and {path!r} are one file where case does not count"
        if below := self.below(folded):
            return f"{path!r} is a file, and a folder of {below!r}"
        self._files[folded] = path
        while folded := folded.rpartition("/")[0]:
            if above := self.file(folded):
                return f"{above!r} is a file, and a folder of {path!r}"
            self._folders.setdefault(folded, path)
        return None

    def file(self, folded: str) -> str | None:
        """Return the path of a file, as it was written."""
        return self._files.get(folded) or (self._around.file(folded) if self._around else None)

    def below(self, folded: str) -> str | None:
        """Return a path below a folder."""
        return self._folders.get(folded) or (self._around.below(folded) if self._around else None)
