from __future__ import annotations

import pickle

import pytest

from modeldeps import errors
from modeldeps.errors import InvalidNameError, ManifestError, ModelDepsError, Problem, RequirementError


def test_an_error_shows_its_sentence_its_aligned_facts_and_its_hint() -> None:
    error = ModelDepsError("it broke", ("expected", 1), ("found", "two\nlines"), hint="mend it")
    assert str(error) == "it broke\n  expected: 1\n  found:    two\n            lines\nhint: mend it"


def test_an_error_without_facts_is_one_line() -> None:
    assert str(ModelDepsError("it broke")) == "it broke"


def test_a_file_with_problems_lists_each_with_its_key() -> None:
    error = ManifestError("model.json", [Problem("name", "is missing"), Problem("", "is odd")], hint="look")
    assert str(error) == "model.json has 2 problems\n  name: is missing\n  is odd\nhint: look"


@pytest.mark.parametrize(
    "error",
    [
        InvalidNameError("-", "odd"),
        RequirementError("=", "odd"),
        ManifestError("model.json", [Problem("name", "is missing")]),
    ],
)
def test_an_error_survives_the_way_to_another_process(error: ModelDepsError) -> None:
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - these bytes were made one call ago
    assert str(again) == str(error)
    assert type(again) is type(error)


def test_every_error_class_is_exported_has_a_status_and_stands_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, BaseException):
            assert issubclass(value, ModelDepsError)
            assert value.exit_status in {1, 2, 3}
            assert f" {name}" in f" {tree}".replace("\n", " "), name


def test_all_is_sorted() -> None:
    assert list(errors.__all__) == sorted(errors.__all__, key=lambda name: (not name.isupper(), name))
