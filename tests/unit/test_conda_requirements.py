"""Requirements in conda's words mean what they meant."""

from __future__ import annotations

import pytest
import rattler
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from modeldeps.publish.conda import conda_dependency, conda_name, match_spec

VERSIONS = st.lists(st.integers(0, 3), min_size=2, max_size=3).map(lambda parts: ".".join(map(str, parts)))
PRE = st.sampled_from(["", "", "", "a1", "rc2"])
CLAUSES = st.one_of(
    st.tuples(st.sampled_from([">=", "<=", "<", "==", "!=", "~="]), VERSIONS).map("".join),
    st.tuples(st.sampled_from(["==", "!="]), VERSIONS).map(lambda pair: f"{pair[0]}{pair[1]}.*"),
)


def matches(spec: str, version: str) -> bool:
    """Return what a real solver says."""
    rattler.MatchSpec(spec, strict=True)
    return rattler.VersionSpec(spec.partition(" ")[2], strict=True).matches(rattler.Version(version))


@given(st.lists(CLAUSES, min_size=1, max_size=3), VERSIONS, PRE)
def test_a_solver_takes_the_versions_that_pip_would_take(clauses: list[str], version: str, pre: str) -> None:
    specifier = SpecifierSet(",".join(clauses))
    allowed = specifier.contains(version + pre, prereleases=True)
    assert matches(match_spec("thing", str(specifier)), version + pre) == allowed


@pytest.mark.parametrize(
    ("specifier", "spec"),
    [
        ("", "thing"),
        (">=1.20", "thing >=1.20"),
        ("<2,>=1.20", "thing >=1.20,<2dev0"),
        ("~=1.4.2", "thing >=1.4.2,1.4.*"),
        ("~=2.2.post3", "thing >=2.2.post3,2.*"),
        ("==1.5.*", "thing 1.5.*"),
        ("!=1.5.*,!=2", "thing !=1.5.*,!=2"),
        ("===1.0+cu118", "thing ==1.0+cu118"),
        ("==1!2.0", "thing ==1!2.0"),
        ("~=1!2.1", "thing >=1!2.1,1!2.*"),
        ("<2rc1", "thing <2rc1"),
        ("<=2", "thing <=2"),
    ],
)
def test_each_operator_has_its_words(specifier: str, spec: str) -> None:
    assert match_spec("thing", specifier) == spec
    rattler.MatchSpec(spec, strict=True)


def test_versions_before_the_next_one_don_t_hold_its_release_candidates() -> None:
    assert not matches(match_spec("thing", "<2"), "2.0.0rc1")
    assert not matches(match_spec("thing", "<2"), "2.dev1")
    assert matches(match_spec("thing", "<2"), "1.99")


def test_what_is_no_specifier_and_what_is_no_version_are_refused() -> None:
    with pytest.raises(InvalidSpecifier):
        match_spec("thing", ">=")
    with pytest.raises(ValueError, match="which is no version"):
        match_spec("thing", "===one*two")


@pytest.mark.parametrize(
    ("distribution", "name"),
    [("torch", "pytorch"), ("ONNXRuntime_GPU", "onnxruntime"), ("Foo.Bar", "foo-bar"), ("numpy", "numpy")],
)
def test_packages_have_the_names_that_conda_knows(distribution: str, name: str) -> None:
    assert conda_name(distribution) == name


@pytest.mark.parametrize(
    ("requirement", "depends"),
    [
        ("numpy>=1; extra == 'test'", None),
        ("tomli>=2; python_version < '3.11'", "tomli >=2"),
        ("tomli>=2; python_version < '3.10'", None),
        ("backport; python_version < '3.11'", "backport"),
        ("truststore>=0.10; sys_platform == 'win32'", "truststore >=0.10"),
        ("anything; python_version >= '3.6'", "anything"),
        ("jython-thing; platform_python_implementation == 'Jython'", None),
        ("onnxruntime-gpu[cuda,cudnn]>=1.20", "onnxruntime >=1.20"),
        ("ONNXRuntime_GPU[cuda]", "onnxruntime"),
        ("modeldeps-digits[cpu]>=2", "modeldeps-digits >=2"),
    ],
)
def test_markers_are_judged_for_all_platforms(requirement: str, depends: str | None) -> None:
    assert conda_dependency(requirement, python=">=3.10") == (depends, "")


def test_a_requirement_of_one_platform_only_is_left_out_with_a_note() -> None:
    found = conda_dependency("pywin32>=300; sys_platform == 'win32'")
    assert found.depends is None
    assert "left out of the conda package" in found.note
    assert "pywin32" in found.note


def test_an_extra_that_is_asked_for_counts_and_one_that_is_lost_is_told() -> None:
    assert (
        conda_dependency("onnxruntime>=1.20; extra == 'cpu'", extras=["cpu"]).depends == "onnxruntime >=1.20"
    )
    assert conda_dependency("httpx[http2]") == ("httpx", "conda has no extras: httpx[http2]")


def test_a_requirement_on_a_url_is_refused() -> None:
    with pytest.raises(ValueError, match="can't depend on a URL"):
        conda_dependency("thing @ https://example.com/thing.whl")
