"""A model requirement: `digits>=2.1`, as projects write it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps._frozen import dataclass
from modeldeps.errors import InvalidNameError, RequirementError
from modeldeps.names import PREFIX, distribution_name, model_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.specifiers import SpecifierSet

EXTRAS = ("cpu", "cuda")
"""The extras of a pointer package: which ONNX Runtime the model brings."""

MAX_LENGTH = 1000
"""Characters; nobody writes a longer requirement by hand."""
MAX_PLAIN = 100
"""Characters of a version that is read without packaging."""

_SIGNS = (">=", "<=", "==", "!=", ">", "<")


@dataclass(frozen=True)
class ModelRequirement:
    """What a project asks of one model."""

    name: str
    """The model's normalised name."""
    specifier: str = ""
    """A PEP 440 specifier set in its canonical order, or nothing for any version."""
    extras: tuple[str, ...] = ()
    """The pointer's extras that were asked for by name, sorted."""
    marker: str = ""
    """A PEP 508 environment marker, or nothing."""

    @classmethod
    def parse(cls, text: str) -> ModelRequirement:
        """
        Read `NAME[EXTRAS]SPECIFIER; MARKER` (PEP 508); `modeldeps-NAME` is understood too.

        Raises RequirementError on a URL, an extra that pointers don't have, or anything unreadable.
        """
        from packaging.requirements import InvalidRequirement, Requirement  # noqa: PLC0415 - first use

        if not isinstance(text, str) or len(text) > MAX_LENGTH:
            raise RequirementError(str(text)[:80], f"a text of at most {MAX_LENGTH} characters is needed")
        try:
            found = Requirement(text)
            name = model_name(found.name)
        except (InvalidRequirement, RecursionError) as error:
            raise RequirementError(text, str(error).splitlines()[0]) from None
        except InvalidNameError as error:
            raise RequirementError(text, error.sentence) from None
        if found.url:
            raise RequirementError(text, "a model is named by its version, not by a URL")
        if wrong := found.extras - set(EXTRAS):
            raise RequirementError(text, f"no extra {min(wrong)!r}; a model has {', '.join(EXTRAS)}")
        marker = str(found.marker) if found.marker else ""
        return cls(name, str(found.specifier), tuple(sorted(found.extras)), marker)

    def __str__(self) -> str:
        return self._spell(self.name, self.extras)

    def dependency(self, extras: Iterable[str] = ()) -> str:
        """Return the requirement on the pointer package, as core metadata and pyproject.toml spell it."""
        return self._spell(distribution_name(self.name), self.extras or tuple(sorted(extras)))

    def _spell(self, name: str, extras: tuple[str, ...]) -> str:
        bracket = f"[{','.join(extras)}]" if extras else ""
        marker = f"; {self.marker}" if self.marker else ""
        return f"{name}{bracket}{self.specifier}{marker}"

    def specifiers(self) -> SpecifierSet:
        """Return the specifier as packaging's own object."""
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415 - at first use

        return SpecifierSet(self.specifier)

    def allows(self, version: str, *, installed: bool = False) -> bool:
        """
        Tell whether a version is within the specifier.

        A pre-release counts where the specifier names one, or where it is installed already, as in pip.
        """
        specifiers = self.specifiers()
        return specifiers.contains(version, prereleases=installed or bool(specifiers.prereleases))


def plain_clauses(specifier: str) -> list[tuple[str, list[int]]] | None:
    """
    Return the comparisons of a specifier that has only plain ones of plain numbers, such as `>=1.20,<2`.

    None means that packaging must read it. Almost all are plain, and packaging takes 10 ms to import,
    which `load()` would wait for.
    """
    clauses = []
    for clause in specifier.split(","):
        text = clause.strip()
        sign = next((one for one in _SIGNS if text.startswith(one)), "")
        numbers = plain_version(text[len(sign) :].lstrip(" "))
        if not sign or numbers is None:
            return None
        clauses.append((sign, numbers))
    return clauses


def plain_version(text: str) -> list[int] | None:
    """Return the numbers of a version that is only numbers and dots, or None."""
    parts = text.split(".")
    plain = text.isascii() and len(text) <= MAX_PLAIN and all(one.isdigit() for one in parts)
    return [int(one) for one in parts] if plain else None


def is_pointer(distribution: str) -> bool:
    """Tell whether a distribution name belongs to a pointer package."""
    return distribution.lower().replace("_", "-").replace(".", "-").startswith(PREFIX)
