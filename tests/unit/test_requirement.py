from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldeps.errors import RequirementError
from modeldeps.requirement import ModelRequirement, is_pointer


@pytest.mark.parametrize(
    ("text", "dependency"),
    [
        ("digits", "modeldeps-digits[cpu]"),
        ("digits>=2.1", "modeldeps-digits[cpu]>=2.1"),
        ("Wake_Word ~= 0.5", "modeldeps-wake-word[cpu]~=0.5"),
        ("modeldeps-digits>=2.1", "modeldeps-digits[cpu]>=2.1"),
        ("digits[cuda]>=2.1", "modeldeps-digits[cuda]>=2.1"),
        ("digits>=2; python_version<'3.12'", 'modeldeps-digits[cpu]>=2; python_version < "3.12"'),
    ],
)
def test_a_model_requirement_becomes_one_on_its_pointer(text: str, dependency: str) -> None:
    assert ModelRequirement.parse(text).dependency(["cpu"]) == dependency


@pytest.mark.parametrize(
    "text",
    ["", "digits>", "digits @ https://x.example/d.whl", "digits[gpu]", "-", "a b", "x" * 2000],
)
def test_what_is_no_requirement_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(RequirementError, match=r"digits>=2\.1|at most"):
        ModelRequirement.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        found = ModelRequirement.parse(text)
    except RequirementError:
        return
    assert ModelRequirement.parse(str(found)) == found


def test_a_prerelease_is_allowed_only_where_it_is_named() -> None:
    assert not ModelRequirement.parse("digits>=2.0").allows("2.1.0rc1")
    assert ModelRequirement.parse("digits>=2.1rc1").allows("2.1.0rc1")
    assert ModelRequirement.parse("digits").allows("0.0.1")


def test_a_prerelease_that_is_installed_counts() -> None:
    assert ModelRequirement.parse("digits>=2.0").allows("2.1.0rc1", installed=True)
    assert not ModelRequirement.parse("digits>=2.1").allows("2.1.0rc1", installed=True)


@pytest.mark.parametrize(
    ("name", "is_one"), [("Modeldeps_Digits", True), ("modeldeps", False), ("numpy", False)]
)
def test_pointers_are_told_by_their_prefix(name: str, is_one: bool) -> None:  # noqa: FBT001 - a parameter set
    assert is_pointer(name) is is_one
