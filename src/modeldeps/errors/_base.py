"""The root of every error that modeldeps raises on purpose."""

from __future__ import annotations

from typing import Any, ClassVar

FOUND_WRONG = 1
"""Exit status: a command ran, and what it looked at is wrong."""
WRONG_USAGE = 2
"""Exit status: the words of the command are wrong."""
COULD_NOT_RUN = 3
"""Exit status: a command could not do its work."""


class ModelDepsError(Exception):
    """
    Say what is wrong, what was expected, what was found, and the command that helps.

    Subclasses take values and build their own sentence; callers never format one.
    The text has the sentence first, then the aligned facts, then a `hint:` line.
    """

    exit_status: ClassVar[int] = COULD_NOT_RUN
    """What the command line returns for this error."""

    def __init__(self, sentence: str, *facts: tuple[str, object], hint: str | None = None) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        """One sentence without a full stop."""
        self.facts = tuple((label, str(value)) for label, value in facts)
        """Labels and values, shown below the sentence with the values aligned."""
        self.hint = hint
        """What to do about it, most often a command."""

    def __str__(self) -> str:
        width = max((len(label) for label, _ in self.facts), default=0)
        lines = [self.sentence]
        for label, value in self.facts:
            first, *rest = value.splitlines() or [""]
            lines.append(f"  {label + ':':<{width + 1}} {first}".rstrip())
            lines += [f"  {'':<{width + 1}} {line}" for line in rest]
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[Any, ...]:
        return _restore, (type(self), self.args, self.__dict__)


def _restore(kind: type[ModelDepsError], args: tuple[Any, ...], state: dict[str, Any]) -> ModelDepsError:
    """Make an error again in another process, whatever its class takes."""
    error = kind.__new__(kind)
    error.args = args
    error.__dict__.update(state)
    return error
