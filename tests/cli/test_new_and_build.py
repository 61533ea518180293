from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import onnx  # noqa: TID253 - a test module may be heavy
import pytest
from onnx import helper  # noqa: TID253 - likewise
from release_models import layers, scaled, write

from modeldeps.cli import main
from modeldeps.publish._project import read_project

if TYPE_CHECKING:
    from collections.abc import Callable


def _new(model: Path, output: Path, *words: str, name: str = "tiny", version: str = "1.2.3") -> int:
    return main(["new", str(model), "--name", name, "--version", version, "--output", str(output), *words])


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return write(tmp_path / "model.onnx", scaled())


def test_a_new_project_builds_at_once(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, dist = tmp_path / "project", tmp_path / "dist"
    assert _new(model, folder) == 0
    assert capsys.readouterr().out == f"{folder}\n"
    assert main(["build", str(folder), "--output", str(dist)]) == 0
    shown = capsys.readouterr().out
    assert "model     tiny 1.2.3" in shown
    assert "runtime   onnxruntime>=1.12" in shown
    assert (dist / "modeldeps_tiny-1.2.3-py3-none-any.whl").is_file()


def test_a_new_project_has_the_interface_filled_in(model: Path, tmp_path: Path) -> None:
    _new(model, tmp_path / "p", "--license", "MIT", "--summary", 'Doubles "x"')
    found = read_project(tmp_path / "p")
    assert list(found.inputs) == ["x"]
    assert list(found.outputs) == ["y"]
    assert (found.license, found.summary, found.variants[0].name) == ("MIT", 'Doubles "x"', "fp32")
    text = (tmp_path / "p" / "pyproject.toml").read_text()
    assert "[tool.modeldeps.model.inputs.x]  # float32 [n, 3]" in text
    assert "# IR version 8, ai.onnx opset 17: it needs onnxruntime>=1.12" in text


def test_the_comments_of_a_new_project_work_once_they_are_no_comments(model: Path, tmp_path: Path) -> None:
    import numpy as np

    folder = tmp_path / "p"
    _new(model, folder)
    np.savez(folder / "example.npz", x=np.ones((2, 3), np.float32))
    (folder / "labels.txt").write_text("a\n")
    lines = (folder / "pyproject.toml").read_text().splitlines()
    opened = [
        line[2:] if line.startswith("# ") and ("=" in line or "[[" in line or "[tool" in line) else line
        for line in lines
    ]
    text = "\n".join(line for line in opened if not line.startswith(("IR version", "A golden", "  numpy")))
    (folder / "pyproject.toml").write_text(text)
    assert main(["build", str(folder), "--output", str(tmp_path / "dist")]) == 0
    found = read_project(folder)
    assert found.variants[0].providers == ("cpu", "cuda")
    assert found.metrics
    assert found.lineage.commit
    assert found.sources
    assert found.task


def test_names_that_toml_and_markdown_must_quote_survive(tmp_path: Path) -> None:
    odd = scaled()
    odd.graph.input[0].name = odd.graph.node[0].input[0] = 'serving "default".x:0 é'
    assert _new(write(tmp_path / "m.onnx", odd), tmp_path / "p") == 0
    assert list(read_project(tmp_path / "p").inputs) == ['serving "default".x:0 é']
    assert main(["build", str(tmp_path / "p"), "--output", str(tmp_path / "dist")]) == 0


def test_external_data_are_copied_too(tmp_path: Path) -> None:
    onnx.save_model(
        layers(500), tmp_path / "m.onnx", save_as_external_data=True, location="w.bin", size_threshold=0
    )
    assert _new(tmp_path / "m.onnx", tmp_path / "p") == 0
    assert (tmp_path / "p" / "w.bin").stat().st_size == 2000
    assert main(["build", str(tmp_path / "p"), "--output", str(tmp_path / "dist")]) == 0


def test_any_spelling_of_a_name_is_taken(model: Path, tmp_path: Path) -> None:
    assert _new(model, tmp_path / "p", name="My_Model") == 0
    assert read_project(tmp_path / "p").name == "my-model"


def test_a_file_whose_name_no_release_may_have_is_renamed(tmp_path: Path) -> None:
    assert _new(write(tmp_path / "a:b?.onnx", scaled()), tmp_path / "p") == 0
    assert (tmp_path / "p" / "model.onnx").is_file()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ({"name": "bad name"}, "that is not a model name"),
        ({"name": "store"}, "it is reserved"),
        ({"version": "1"}, "--version: expected MAJOR.MINOR.PATCH"),
    ],
)
def test_wrong_words_are_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: dict[str, str], said: str
) -> None:
    assert _new(model, tmp_path / "p", **words) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "p").exists()


def test_a_licence_that_is_none_is_refused(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _new(model, tmp_path / "p", "--license", "do what you want") == 2
    assert "--license: expected an SPDX expression" in capsys.readouterr().err


def test_nothing_is_written_over_other_files(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "p").mkdir()
    (tmp_path / "p" / "precious").write_text("mine")
    assert _new(model, tmp_path / "p") == 3
    assert "found:    precious" in capsys.readouterr().err
    assert [one.name for one in (tmp_path / "p").iterdir()] == ["precious"]


def test_an_empty_folder_may_be_there_already(model: Path, tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    assert _new(model, tmp_path / "p") == 0


def test_the_empty_folder_may_be_the_one_that_the_user_is_in(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "p").mkdir()
    monkeypatch.chdir(tmp_path / "p")
    assert _new(model, Path()) == 0
    assert sorted(one.name for one in Path().iterdir()) == ["README.md", model.name, "pyproject.toml"]


def test_a_corrupt_file_leaves_no_project_behind(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model.write_bytes(model.read_bytes()[:-20])
    assert _new(model, tmp_path / "p") == 1
    shown = capsys.readouterr().err
    assert "can't be read as a model" in shown
    assert "hint: " in shown
    assert sorted(one.name for one in tmp_path.iterdir()) == ["model.onnx"]


def test_a_pickle_is_refused_with_the_conversion(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model.pt").write_bytes(b"PK")
    assert _new(tmp_path / "model.pt", tmp_path / "p") == 1
    assert "torch.onnx.export" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _new(tmp_path / "absent.onnx", tmp_path / "p") == 3
    assert "absent.onnx" in capsys.readouterr().err


def test_building_outside_a_model_project_names_the_command_that_makes_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["build", str(tmp_path), "--output", str(tmp_path / "dist")]) == 3
    assert "hint: modeldeps new MODEL.onnx" in capsys.readouterr().err


def test_build_says_where_an_operator_is_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    custom = scaled()
    custom.graph.node[0].domain = "my.ops"
    custom.opset_import.append(helper.make_opsetid("my.ops", 1))
    assert _new(write(tmp_path / "m.onnx", custom), tmp_path / "p") == 0
    assert main(["build", str(tmp_path / "p"), "--output", str(tmp_path / "dist")]) == 0
    assert "ONNX Runtime has no operators of 'my.ops'" in capsys.readouterr().err


def test_the_digits_projects_build_from_the_command_line(
    digits_project: Callable[[str], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for version in ("2.0.0", "2.1.0", "3.0.0"):
        assert main(["build", str(digits_project(version)), "--output", str(tmp_path / "dist")]) == 0
    assert len(list((tmp_path / "dist").glob("*.whl"))) == 3
    assert "variants  fp32 (39.2 kB), int8 (12.0 kB)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("ending", "way"), [("h5", "model.export"), ("keras", "model.export"), ("pb", "tf2onnx")]
)
def test_another_format_is_refused_with_the_conversion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, way: str
) -> None:
    (tmp_path / f"model.{ending}").write_bytes(b"some bytes of another format")
    assert _new(tmp_path / f"model.{ending}", tmp_path / "p") == 1
    assert way in capsys.readouterr().err


def _without(package: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a Python that can't import a package."""
    code = f"import sys; sys.modules[{package!r}] = None; from modeldeps.cli import main; sys.exit(main())"
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)


def test_without_the_onnx_package_the_extra_is_named(model: Path, tmp_path: Path) -> None:
    done = _without("onnx", "new", str(model), "--name", "a", "--output", str(tmp_path / "p"))
    assert done.returncode == 3
    assert 'hint: pip install "modeldeps[build]"' in done.stderr


def test_without_onnxruntime_given_outputs_are_taken_with_a_note(
    digits_project: Callable[[str], Path], tmp_path: Path
) -> None:
    done = _without("onnxruntime", "build", str(digits_project("2.1.0")), "--output", str(tmp_path / "dist"))
    assert done.returncode == 0
    assert "golden outputs were not checked" in done.stderr


def test_without_onnxruntime_missing_outputs_are_an_error(
    digits_project: Callable[[str], Path], tmp_path: Path
) -> None:
    folder = digits_project("2.1.0")
    file = folder / "pyproject.toml"
    file.write_text(file.read_text().replace('outputs = "examples/outputs.npz"\n', ""))
    done = _without("onnxruntime", "build", str(folder), "--output", str(tmp_path / "dist"))
    assert done.returncode == 3
    assert "onnxruntime isn't installed" in done.stderr


def test_the_commands_import_nothing_heavy_before_they_work() -> None:
    code = (
        "import sys, modeldeps.cli.build, modeldeps.cli.new, modeldeps.backend; "
        "print(sorted({'numpy', 'onnx', 'onnxruntime', 'tomlkit', 'ssl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
