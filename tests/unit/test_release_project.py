from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from release_models import project, scaled, write

from modeldeps.errors import InvalidFileError, NotAModelProjectError, ProjectError
from modeldeps.publish import build_release
from modeldeps.publish._project import read_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _keys(error: InvalidFileError) -> dict[str, str]:
    return {one.key.removeprefix("tool.modeldeps.model."): one.message for one in error.problems}


def test_the_digits_projects_are_read(digits_project: Callable[[str], Path]) -> None:
    found = read_project(digits_project("2.1.0"))
    assert (found.name, found.version, found.default) == ("digits", "2.1.0", ("fp32", "int8"))
    assert found.variants[0].providers == ("cpu", "cuda")
    assert found.inputs["image"].unit == "0..16"
    assert found.examples[0].overrides["int8"]["probabilities"].top_1
    assert {one.variant for one in found.metrics} == {"fp32", "int8"}
    assert found.lineage.parent == "digits==2.0.0"


def test_a_runtime_for_all_variants_is_given_once(digits_project: Callable[[str], Path]) -> None:
    assert [one.runtime for one in read_project(digits_project("3.0.0")).variants] == [">=99", ">=99"]


def test_a_date_may_be_written_as_tomls_own(tmp_path: Path) -> None:
    folder = project(tmp_path, "[tool.modeldeps.model.lineage]\ndate = 2026-11-22")
    assert read_project(folder).lineage.date == "2026-11-22"


def test_a_folder_without_a_pyproject_is_no_model_project(tmp_path: Path) -> None:
    with pytest.raises(NotAModelProjectError, match="modeldeps new"):
        read_project(tmp_path)


def test_a_pyproject_without_the_table_is_no_model_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\n')
    with pytest.raises(NotAModelProjectError, match="without that table"):
        read_project(tmp_path)


@pytest.mark.parametrize("text", ["tool = 1\n", "[tool]\nmodeldeps = 1\n"])
def test_a_pyproject_with_something_else_in_its_place_is_no_model_project(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(NotAModelProjectError, match="without that table"):
        read_project(tmp_path)


@pytest.mark.parametrize("pattern", ["../LICENSE*", "/etc/host*", "LICENSES/../../*"])
def test_a_licence_outside_of_the_project_is_refused(tmp_path: Path, pattern: str) -> None:
    folder = project(tmp_path / "p", f'license-files = ["{pattern}"]')
    with pytest.raises(ProjectError, match="expected a pattern of files in this project") as caught:
        read_project(folder)
    assert [one.key for one in caught.value.problems] == ["tool.modeldeps.model.license-files[0]"]


def test_all_problems_are_reported_at_once_with_their_full_keys(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        """
        [tool.modeldeps.model.inputs.x]
        discription = "a typo"
        [[tool.modeldeps.model.metrics]]
        dataset = "d"
        metric = "accuracy"
        value = "high"
        variant = "fp64"
        [tool.modeldeps.model.lineage]
        date = "yesterday"
        """,
        variants='variants = [{ name = "fp32", entry = "../m.onnx", provider = ["cpu"] }]\nsumary = "typo"',
        name='"Digits"',
        version='"2.1"',
        license='"mit"',
        summary="3",
    )
    with pytest.raises(ProjectError) as caught:
        read_project(folder)
    found = _keys(caught.value)
    assert set(found) >= {
        "name", "version", "license", "summary", "sumary", "variants[0].entry", "variants[0].provider",
        "inputs.x.discription", "metrics[0].value", "lineage.date", "metrics[0].variant",
    }  # fmt: skip
    assert found["sumary"] == "is not a key; did you mean 'summary'?"
    assert found["variants[0].provider"] == "is not a key; did you mean 'providers'?"
    assert found["license"] == "expected the spelling 'MIT', found 'mit'"
    assert str(caught.value).startswith(f"{folder / 'pyproject.toml'} has ")


@pytest.mark.parametrize(
    ("variants", "key"),
    [
        ("variants = []", "variants"),
        ("", "variants"),
        ('variants = [{ name = "a", entry = "m.bin" }]', "variants[0].format"),
        ('variants = [{ name = "a", entry = "m.onnx" }]\ndefault = ["b"]', "default"),
        ('variants = [{ name = "a", entry = "m.onnx", runtime = "new" }]', "variants[0].runtime"),
        ('variants = [{ name = "a", entry = "m.onnx" }]\nsources = ["file:///x"]', "sources[0]"),
        ('variants = [{ name = "a", entry = "m.onnx" }]\nsources = ["https://u:p@h/"]', "sources[0]"),
        ('variants = [{ name = "a", entry = "m.onnx" }]\nreadme = "absent.md"', "readme"),
        (
            'variants = [{ name = "a", entry = "m.onnx" }]\nlineage = { data = [{ name = "d", url = "u" }] }',
            "lineage.data[0].url",
        ),
    ],
)
def test_each_key_is_checked(tmp_path: Path, variants: str, key: str) -> None:
    with pytest.raises(ProjectError) as caught:
        read_project(project(tmp_path, variants=variants))
    assert key in _keys(caught.value)


def test_a_reserved_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="it is reserved"):
        read_project(project(tmp_path, name='"store"'))


def test_a_project_table_beside_it_is_refused(tmp_path: Path) -> None:
    folder = project(tmp_path, '[project]\nname = "x"')
    with pytest.raises(ProjectError, match="is not used in a model project"):
        read_project(folder)


def test_broken_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.modeldeps.model\n")
    with pytest.raises(ProjectError, match="TOML"):
        read_project(tmp_path)


def test_every_file_that_is_absent_is_named(tmp_path: Path) -> None:
    folder = project(
        tmp_path,
        'examples = [{ name = "e", inputs = "in.npz", outputs = "out.npz" }]\nfiles = ["labels.txt"]',
    )
    with pytest.raises(ProjectError) as caught:
        build_release(folder, tmp_path / "dist")
    assert set(_keys(caught.value)) == {
        "files[0]", "variants[0].entry", "examples[0].inputs", "examples[0].outputs"
    }  # fmt: skip


def test_the_table_may_name_free_dimensions_and_describe_tensors(tmp_path: Path) -> None:
    folder = project(
        tmp_path, '[tool.modeldeps.model.inputs.x]\nshape = ["rows", 3]\ndescription = "d"\nunit = "m"'
    )
    write(folder / "model.onnx", scaled())
    [tensor] = build_release(folder, tmp_path / "dist").manifest.inputs
    assert (tensor.shape, tensor.description, tensor.unit) == (("rows", 3), "d", "m")


@pytest.mark.parametrize(
    ("notes", "key"),
    [
        ("inputs = { x = { shape = [1, 3] } }", "inputs.x.shape"),
        ('inputs = { x = { dtype = "float64" } }', "inputs.x.dtype"),
        ('outputs = { z = { unit = "m" } }', "outputs.z"),
    ],
)
def test_a_table_that_contradicts_the_file_is_refused(tmp_path: Path, notes: str, key: str) -> None:
    folder = project(tmp_path, notes)
    write(folder / "model.onnx", scaled())
    with pytest.raises(ProjectError) as caught:
        build_release(folder, tmp_path / "dist")
    assert list(_keys(caught.value)) == [key]


def test_variants_must_have_one_interface(tmp_path: Path) -> None:
    variants = 'variants = [{ name = "a", entry = "a.onnx" }, { name = "b", entry = "b.onnx" }]'
    folder = project(tmp_path, variants=variants)
    write(folder / "a.onnx", scaled())
    write(folder / "b.onnx", scaled(dtype=11))
    with pytest.raises(ProjectError) as caught:
        build_release(folder, tmp_path / "dist")
    found = _keys(caught.value)
    assert list(found) == ["variants[1]"]
    assert "found x float64" in str(caught.value)
