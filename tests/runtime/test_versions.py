"""The quick comparison of versions agrees with packaging, which it spares the import of."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from modeldeps.errors import RequirementError
from modeldeps.requirement import ModelRequirement
from modeldeps.runtime._versions import read_requirement, satisfies

numbers = st.lists(st.integers(0, 12), min_size=1, max_size=4).map(lambda parts: ".".join(map(str, parts)))
signs = st.sampled_from([">=", "<=", "==", "!=", ">", "<", "~=", "==="])
clauses = st.tuples(signs, numbers).map("".join)
specifiers = st.lists(clauses, min_size=1, max_size=3).map(", ".join)


@given(version=numbers, specifier=specifiers)
def test_plain_versions_compare_as_packaging_says(version: str, specifier: str) -> None:
    try:
        expected = SpecifierSet(specifier).contains(version)
    except ValueError:  # ~= with one number
        return
    assert satisfies(version, specifier) is expected


@pytest.mark.parametrize(
    ("version", "specifier", "fits"),
    [
        ("2.1.0", "", True),
        ("2.1.0rc1", ">=2.0", True),
        ("2.1.0rc1", ">=2.1", False),
        ("2.1.0rc1", ">=2.1.0rc1", True),
        ("2.1.0", "==2.*", True),
        ("2.1", "==2.1.0", True),
        ("1.31.1+cu13", ">=1.31.1", True),
    ],
)
def test_other_versions_go_to_packaging(version: str, specifier: str, fits: bool) -> None:  # noqa: FBT001 - a table
    assert satisfies(version, specifier) is fits


@pytest.mark.parametrize(
    "text",
    [
        "digits",
        "digits>=2.1",
        "digits >= 2.1",
        "digits>=2.1, <3",
        "wake-word==1.0.0",
        "Digits>=2",
        "digits~=2.1",
        "modeldeps-digits>=2",
        "wake_word",
        "digits==2.*",
    ],
)
def test_a_requirement_means_what_packaging_reads(text: str) -> None:
    found, expected = read_requirement(text), ModelRequirement.parse(text)
    assert found.name == expected.name
    assert found.specifiers() == expected.specifiers()


@pytest.mark.parametrize(
    "text", ["", "digits>=", "../digits", "digits @ https://models.example.com/", 3, "-a"]
)
def test_what_is_no_requirement_is_refused(text: str) -> None:
    with pytest.raises(RequirementError):
        read_requirement(text)
