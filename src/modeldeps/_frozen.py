"""
Frozen dataclasses that cost almost nothing to define.

`dataclasses.dataclass(frozen=True)` compiles six methods for each class, 0.3 ms every time a process
starts, and forty classes stand on the way to `load()`. Here the methods are shared functions that
walk through the fields, and the standard library is asked only when somebody wants its description
of them. All else is as it has it: `fields`, `replace`, `asdict`, patterns, pickles, and what a type
checker knows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

__all__ = ["dataclass", "field", "record"]

if TYPE_CHECKING:
    import dataclasses as standard
    from collections.abc import Callable
    from dataclasses import dataclass as dataclass  # noqa: PLC0414 - what a type checker sees
    from dataclasses import dataclass as record
    from dataclasses import field as field  # noqa: PLC0414 - likewise
else:
    T = TypeVar("T")
    MISSING = object()

    def dataclass(*, frozen: bool) -> Callable[[type[T]], type[T]]:
        """Make a class a frozen dataclass; `frozen` must be true, and fields are not inherited."""
        if not frozen:
            raise TypeError("only frozen dataclasses are made here")
        return _freeze

    def record(cls: type[T]) -> type[T]:
        """Make a class of named values that may change; each is equal to itself alone."""
        cls.__frozen_fields__ = _fields(cls)
        for name in ("__init__", "__repr__"):
            if name not in cls.__dict__:
                setattr(cls, name, METHODS[name])
        return cls

    def field(**about: object) -> Field:
        """Describe a field: `default`, `default_factory`, `repr`, `compare`, `hash`."""
        return Field(about)

    class Field:
        """What the methods need to know of a field."""

        def __init__(self, about: dict[str, object]) -> None:
            self.about = about
            self.default = about.get("default", MISSING)
            self.default_factory = about.get("default_factory")
            self.repr = about.get("repr", True)
            self.compare = about.get("compare", True)
            self.hash = self.compare if about.get("hash") is None else about["hash"]

    class Description:
        """The standard library's description of the fields, made when it is first asked for."""

        def __init__(self, cls: type) -> None:
            self._cls = cls

        def __get__(self, instance: object, owner: type) -> dict[str, standard.Field[Any]]:
            import dataclasses  # noqa: PLC0415 - load() never asks

            described = {}
            for name, one in self._cls.__frozen_fields__.items():
                found = described[name] = dataclasses.field(**one.about)
                found.name, found.type = name, self._cls.__annotations__[name]
                found._field_type = dataclasses._FIELD  # noqa: SLF001 - by which `fields` knows it
            self._cls.__dataclass_fields__ = described
            return described

    def _freeze(cls: type[T]) -> type[T]:
        cls.__frozen_fields__ = fields = _fields(cls)
        cls.__dataclass_fields__ = Description(cls)
        cls.__match_args__ = tuple(fields)
        for name, method in METHODS.items():
            if name == "__hash__" or name not in cls.__dict__:  # Python itself sets __hash__ beside an __eq__
                setattr(cls, name, method)
        return cls

    def _fields(cls: type) -> dict[str, Field]:
        """Return the fields of a class, in order."""
        kinds = cls.__annotations__.items()
        return {name: _field(cls, name) for name, kind in kinds if "ClassVar" not in str(kind)}

    def _field(cls: type, name: str) -> Field:
        """Return a field; its default stays on the class, as with the standard library."""
        found = cls.__dict__.get(name, MISSING)
        if not isinstance(found, Field):
            return Field({} if found is MISSING else {"default": found})
        if found.default is MISSING:
            delattr(cls, name)
        else:
            setattr(cls, name, found.default)
        return found

    def _init(self: object, /, *values: object, **named: object) -> None:
        """Take the values in the order of the fields, or by name."""
        fields, state = self.__frozen_fields__, self.__dict__
        state.update(zip(fields, values, strict=False))
        if named or len(values) != len(fields):
            _complete(self, values, named)
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    def _complete(self: object, values: tuple[object, ...], named: dict[str, object]) -> None:
        """Take the values that were given by name, and the defaults of the others."""
        fields, state = self.__frozen_fields__, self.__dict__
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

    def _fill(self: object, fields: dict[str, Field], state: dict[str, object]) -> None:
        """Put in the defaults of the fields that were not given."""
        for name, one in fields.items():
            if name in state:
                continue
            if one.default is not MISSING:
                state[name] = one.default
            elif one.default_factory is not None:
                state[name] = one.default_factory()
            else:
                raise TypeError(f"{type(self).__name__} misses {name!r}")

    def _eq(self: object, other: object) -> bool:
        if other.__class__ is not self.__class__:
            return NotImplemented
        names = [name for name, one in self.__frozen_fields__.items() if one.compare]
        return all(getattr(self, name) == getattr(other, name) for name in names)

    def _hash(self: object) -> int:
        return hash(tuple(getattr(self, name) for name, one in self.__frozen_fields__.items() if one.hash))

    def _repr(self: object) -> str:
        fields = self.__frozen_fields__.items()
        shown = ", ".join(f"{name}={getattr(self, name)!r}" for name, one in fields if one.repr)
        return f"{type(self).__qualname__}({shown})"

    def _setattr(self: object, name: str, value: object) -> None:  # noqa: ARG001 - the language's signature
        raise _frozen_error(f"cannot assign to field {name!r}")

    def _delattr(self: object, name: str) -> None:  # noqa: ARG001 - the language's signature
        raise _frozen_error(f"cannot delete field {name!r}")

    def _frozen_error(text: str) -> AttributeError:
        from dataclasses import FrozenInstanceError  # noqa: PLC0415 - only for an error

        return FrozenInstanceError(text)

    METHODS = {
        "__init__": _init,
        "__eq__": _eq,
        "__hash__": _hash,
        "__repr__": _repr,
        "__setattr__": _setattr,
        "__delattr__": _delattr,
    }
