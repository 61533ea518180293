"""The frozen dataclasses of this project are told from the standard library's by their cost alone."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from modeldeps._frozen import dataclass, field, record

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class Ours:
    """A value."""

    name: str
    size: int = 0
    extra: Mapping[str, int] = field(default_factory=dict, hash=False)
    quiet: int = field(default=1, repr=False, compare=False)
    KIND: ClassVar[str] = "value"

    @property
    def double(self) -> int:
        return self.size * 2


@dataclasses.dataclass(frozen=True)
class Theirs:
    """A value."""

    name: str
    size: int = 0
    extra: Mapping[str, int] = dataclasses.field(default_factory=dict, hash=False)
    quiet: int = dataclasses.field(default=1, repr=False, compare=False)
    KIND: ClassVar[str] = "value"

    @property
    def double(self) -> int:
        return self.size * 2


def pair(*values: Any, **named: Any) -> tuple[Ours, Theirs]:
    return Ours(*values, **named), Theirs(*values, **named)


@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a",), {}),
        (("a", 2), {}),
        (("a", 2, {"x": 1}, 7), {}),
        ((), {"name": "a"}),
        (("a",), {"quiet": 3, "size": 4}),
    ],
)
def test_values_are_taken_and_shown_alike(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = pair(*values, **named)
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert dataclasses.astuple(ours) == dataclasses.astuple(theirs)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert hash(ours) == hash(theirs)
    assert ours.double == theirs.double
    assert vars(ours) == vars(theirs)


def test_the_fields_are_described_alike() -> None:
    for ours, theirs in zip(dataclasses.fields(Ours), dataclasses.fields(Theirs), strict=True):
        for about in ("name", "type", "default", "default_factory", "init", "repr", "compare", "hash"):
            assert getattr(ours, about) == getattr(theirs, about)
    assert Ours.__match_args__ == Theirs.__match_args__
    assert (Ours.size, Ours.quiet, Ours.KIND) == (Theirs.size, Theirs.quiet, Theirs.KIND)
    assert hasattr(Ours, "extra") is hasattr(Theirs, "extra") is False
    assert dataclasses.is_dataclass(Ours)


@pytest.mark.parametrize(
    ("values", "named"), [((), {}), (("a", 1, {}, 2, 3), {}), (("a",), {"name": "b"}), (("a",), {"wrong": 1})]
)
def test_wrong_arguments_are_refused_alike(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_values_compare_alike() -> None:
    assert Ours("a", 1) == Ours("a", 1, quiet=9)
    assert Ours("a", 1) != Ours("a", 2)
    assert Ours("a", extra={"x": 1}) != Ours("a")
    others: tuple[object, ...] = (Theirs("a"), "a", None)
    assert all(Ours("a") != one for one in others)
    assert len({Ours("a"), Ours("a"), Ours("b")}) == 2


def test_nothing_can_be_changed() -> None:
    value = Ours("a")
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.name = "b"  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        del value.name
    with pytest.raises(dataclasses.FrozenInstanceError):
        value.other = "b"  # type: ignore[attr-defined]
    assert value == Ours("a")


def test_values_are_replaced_copied_pickled_and_matched() -> None:
    value = Ours("a", 1, {"x": 1})
    assert dataclasses.replace(value, size=2) == Ours("a", 2, {"x": 1})
    assert copy.deepcopy(value) == pickle.loads(pickle.dumps(value)) == value  # noqa: S301 - its own bytes
    match value:
        case Ours("a", size):
            assert size == 1
        case _:
            pytest.fail("no match")


def test_each_value_has_a_default_of_its_own() -> None:
    assert Ours("a").extra is not Ours("b").extra


def test_a_check_after_the_values_are_set_is_made() -> None:
    @dataclass(frozen=True)
    class Positive:
        value: int

        def __post_init__(self) -> None:
            if self.value < 1:
                raise ValueError(self.value)

    assert Positive(1).value == 1
    with pytest.raises(ValueError, match="0"):
        Positive(0)


def test_only_frozen_ones_are_made() -> None:
    with pytest.raises(TypeError):
        dataclass(frozen=False)


def test_a_record_may_change_and_is_equal_to_itself_alone() -> None:
    @record
    class Counter:
        name: str
        count: int = 0
        parts: list[str] = field(default_factory=list)

        def __repr__(self) -> str:
            return f"<{self.name}>"

    one, other = Counter("a", 2), Counter("a", count=2)
    one.parts.append("x")
    one.count += 1
    assert (one.count, one.parts, other.parts) == (3, ["x"], [])
    assert one == one  # noqa: PLR0124 - that is what is shown
    assert one != Counter("a", 3, ["x"])
    assert len({one, other}) == 2
    assert repr(one) == "<a>"
    with pytest.raises(TypeError, match="misses 'name'"):
        Counter()  # type: ignore[call-arg]
