from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.utils import canonicalize_name

from modeldeps import names
from modeldeps.errors import InvalidNameError


@given(st.from_regex(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,20}[A-Za-z0-9])?", fullmatch=True))
def test_names_are_normalised_as_packaging_does_it(name: str) -> None:
    assert names.normalize(name) == canonicalize_name(name)


@pytest.mark.parametrize("name", ["", "-", "a b", "../x", "a\n", "ä", "x" * 101, "a_", ".a", "a/b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(InvalidNameError, match="not a model name"):
        names.normalize(name)


def test_a_model_and_its_distribution_name_each_other() -> None:
    assert names.distribution_name("Wake_Word") == "modeldeps-wake-word"
    assert names.model_name("modeldeps_wake.word") == "wake-word"
    assert names.model_name("wake-word") == "wake-word"
    assert names.wheel_name("wake-word") == "modeldeps_wake_word"


def test_the_longest_model_name_has_a_distribution_that_leads_back_to_it() -> None:
    longest = "x" * names.MAX_LENGTH
    assert names.model_name(names.distribution_name(longest)) == longest


@pytest.mark.parametrize("name", ["cpu", "Modeldeps", "demo", "modeldeps-digits"])
def test_reserved_names_cannot_be_published(name: str) -> None:
    with pytest.raises(InvalidNameError, match="reserved"):
        names.check_publishable(name)


def test_an_ordinary_name_can_be_published() -> None:
    assert names.check_publishable("Digits") == "digits"
