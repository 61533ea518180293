"""
Frozen dataclasses that cost almost nothing to define.

`dataclasses.dataclass(frozen=True)` compiles six methods for each class, 0.3 ms every time a process
starts, and forty classes stand on the way to `load()`. Here the methods are shared functions that
walk through the fields. All else is as the standard library has it: `fields`, `replace`, `asdict`,
patterns, pickles, and what a type checker knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - what a type checker sees
else:
    import dataclasses as standard
    from inspect import get_annotations

    T = TypeVar("T")

    def dataclass(*, frozen: bool) -> Callable[[type[T]], type[T]]:
        """Make a class a frozen dataclass; `frozen` must be true, and fields are not inherited."""
        if not frozen:
            raise TypeError("only frozen dataclasses are made here")
        return _freeze

    def _freeze(cls: type[T]) -> type[T]:
        annotations = get_annotations(cls).items()
        fields = {name: _field(cls, name, kind) for name, kind in annotations if "ClassVar" not in str(kind)}
        cls.__dataclass_fields__ = fields
        cls.__match_args__ = tuple(fields)
        for name, method in METHODS.items():
            if name == "__hash__" or name not in cls.__dict__:  # Python itself sets __hash__ beside an __eq__
                setattr(cls, name, method)
        return cls

    def _field(cls: type, name: str, kind: object) -> standard.Field[Any]:
        """Return the field as the standard library describes it; its default stays on the class."""
        found = cls.__dict__.get(name, standard.MISSING)
        if not isinstance(found, standard.Field):
            found = standard.field(default=found)
        elif found.default is standard.MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, found.default)
        found.name, found.type = name, kind
        found._field_type = standard._FIELD  # noqa: SLF001 - by which `fields` knows it
        return found

    def _init(self: object, /, *values: object, **named: object) -> None:
        """Take the values in the order of the fields, or by name."""
        fields, state = self.__dataclass_fields__, self.__dict__
        state.update(zip(fields, values, strict=False))
        if (
            len(values) > len(fields)
            or not named.keys() <= fields.keys()
            or not state.keys().isdisjoint(named)
        ):
            known = ", ".join(fields)
            raise TypeError(
                f"{type(self).__name__} takes {known}, each once; found {len(values)} and {[*named]}"
            )
        state.update(named)
        if len(state) < len(fields):
            _fill(self, fields, state)
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    def _fill(self: object, fields: dict[str, standard.Field[Any]], state: dict[str, object]) -> None:
        """Put in the defaults of the fields that were not given."""
        for name, field in fields.items():
            if name in state:
                continue
            if field.default is not standard.MISSING:
                state[name] = field.default
            elif field.default_factory is not standard.MISSING:
                state[name] = field.default_factory()
            else:
                raise TypeError(f"{type(self).__name__} misses {name!r}")

    def _eq(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        names = [name for name, field in self.__dataclass_fields__.items() if field.compare]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def _hash(self: object) -> int:
        fields = self.__dataclass_fields__.items()
        counts = [name for name, one in fields if (one.compare if one.hash is None else one.hash)]
        return hash(tuple(getattr(self, name) for name in counts))

    def _repr(self: object) -> str:
        fields = self.__dataclass_fields__.items()
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name, field in fields if field.repr)
        return f"{type(self).__qualname__}({shown})"

    def _setattr(self: object, name: str, value: object) -> None:  # noqa: ARG001 - the language's signature
        raise standard.FrozenInstanceError(f"cannot assign to field {name!r}")

    def _delattr(self: object, name: str) -> None:  # noqa: ARG001 - the language's signature
        raise standard.FrozenInstanceError(f"cannot delete field {name!r}")

    METHODS = {
        "__init__": _init,
        "__eq__": _eq,
        "__hash__": _hash,
        "__repr__": _repr,
        "__setattr__": _setattr,
        "__delattr__": _delattr,
    }
