"""Models are added and removed in the form that works, and all else in the file stays as it was."""

from __future__ import annotations

import re
import stat
from typing import TYPE_CHECKING

import pytest

from modeldeps.cli import main
from modeldeps.errors import (
    NoStaticDependenciesError,
    ProjectEditError,
    ProjectError,
    ScriptError,
    UndeclaredModelError,
)
from modeldeps.project import (
    Declaration,
    Place,
    Pyproject,
    add,
    add_to_script,
    parse,
    remove,
    static_conflicts,
)
from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    from pathlib import Path

DIGITS = [ModelRequirement.parse("digits>=2.1")]

SETUPTOOLS = """\
# the whole of it
[build-system]
requires = ["setuptools>=77"]  # new enough
build-backend = "setuptools.build_meta"

[project]
name = "app"    # a name
version = "1"
dependencies = [
    # arrays
    "numpy>=2",  # not 1
    "rich",
]

[tool.ruff]
line-length = 110
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_bytes(text.encode())
    return file


def _text(file: Path) -> str:
    return file.read_bytes().decode()


def _is_right(file: Path) -> bool:
    pyproject = Pyproject.read(file)
    declaration = parse(pyproject)
    return (
        declaration is not None
        and not static_conflicts(pyproject, declaration)
        and pyproject.build_requires_modeldeps()
    )


def _models(file: Path) -> list[str]:
    declaration = parse(Pyproject.read(file))
    return [str(model) for model in declaration.models] if declaration else []


def test_adding_to_a_setuptools_project_keeps_every_comment(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    edited = add(file, DIGITS)
    assert (edited.form, edited.entries, edited.changed, edited.moved) == (
        "plugin",
        ("digits>=2.1",),
        True,
        True,
    )
    assert (
        _text(file)
        == """\
# the whole of it
[build-system]
requires = ["setuptools>=77", "modeldeps"]  # new enough
build-backend = "setuptools.build_meta"

[project]
name = "app"    # a name
version = "1"
dynamic = ["dependencies"]

[tool.ruff]
line-length = 110

[tool.modeldeps]
dependencies = [
    # arrays
    "numpy>=2",  # not 1
    "rich",
]
models = ["digits>=2.1"]
"""
    )


def test_adding_the_same_again_changes_nothing(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    add(file, DIGITS)
    before = _text(file)
    assert not add(file, DIGITS).changed
    assert _text(file) == before


def test_adding_a_model_again_changes_what_is_asked_of_it(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    add(file, DIGITS)
    add(file, [ModelRequirement.parse("modeldeps-Digits~=3.0"), ModelRequirement.parse("wakeword")])
    assert 'models = ["digits~=3.0", "wakeword"]' in _text(file)


def test_hatchling_gets_the_table_without_which_it_runs_no_hook(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS.replace("setuptools.build_meta", "hatchling.build"))
    add(file, DIGITS)
    assert Pyproject.read(file).table("tool", "hatch", "metadata", "hooks").get("modeldeps") == {}
    assert _is_right(file)
    assert _models(file) == ["digits>=2.1"]
    assert (parse(Pyproject.read(file)) or Declaration()).dependencies == ("numpy>=2", "rich")


def test_an_optional_model_makes_the_extras_dynamic_and_moves_those_that_were_there(tmp_path: Path) -> None:
    extras = "[project.optional-dependencies]\ndocs = [\n  'sphinx', # pages\n]\n\n[tool.ruff]"
    file = _write(tmp_path, SETUPTOOLS.replace("[tool.ruff]", extras))
    add(file, DIGITS, place=Place(extra="gpu"))
    assert _is_right(file)
    declaration = parse(Pyproject.read(file))
    assert declaration
    assert declaration.optional_dependencies == {"docs": ("sphinx",)}
    assert declaration.optional_models == {"gpu": tuple(DIGITS)}
    assert "'sphinx', # pages" in _text(file)
    assert declaration.dependencies == ()
    assert Pyproject.read(file).texts("project", "dependencies") == ("numpy>=2", "rich")


def test_a_project_of_setup_cfg_gets_the_table_and_no_project_table(tmp_path: Path) -> None:
    file = _write(tmp_path, "[build-system]\nrequires = ['setuptools']\n")
    add(file, DIGITS)
    assert _text(file) == (
        "[build-system]\nrequires = ['setuptools', \"modeldeps\"]\n"
        '\n[tool.modeldeps]\nmodels = ["digits>=2.1"]\n'
    )


@pytest.mark.parametrize("backend", ["flit_core.buildapi", "poetry.core.masonry.api", "uv_build", "maturin"])
def test_a_backend_without_a_plugin_gets_plain_requirements(backend: str, tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS.replace("setuptools.build_meta", backend))
    edited = add(file, DIGITS)
    assert (edited.form, edited.entries) == ("static", ("modeldeps-digits[cpu]>=2.1",))
    assert _text(file) == SETUPTOOLS.replace("setuptools.build_meta", backend).replace(
        '    "rich",\n', '    "rich",\n    "modeldeps-digits[cpu]>=2.1",\n'
    )


def test_a_project_that_is_never_built_gets_plain_requirements(tmp_path: Path) -> None:
    file = _write(tmp_path, '[project]\nname = "app"\nversion = "1"\n')
    assert add(file, DIGITS).form == "static"
    assert 'dependencies = ["modeldeps-digits[cpu]>=2.1"]' in _text(file)


@pytest.mark.parametrize("lock", ["poetry.lock", "pdm.lock"])
def test_a_project_locked_by_a_tool_that_drops_dynamic_dependencies_gets_plain_ones(
    lock: str, tmp_path: Path
) -> None:
    (tmp_path / lock).touch()
    file = _write(tmp_path, SETUPTOOLS)
    assert add(file, DIGITS).form == "static"


@pytest.mark.parametrize(
    ("runtime", "own"), [("cuda", "modeldeps-digits[cuda]>=2.1"), ("none", "modeldeps-digits>=2.1")]
)
def test_plain_requirements_name_the_runtime(runtime: str, own: str, tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS.replace("setuptools.build_meta", "uv_build"))
    assert add(file, DIGITS, runtime=runtime).entries == (own,)
    assert parse(Pyproject.read(file)) is not None


def test_plain_requirements_with_both_runtimes_are_extras(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS.replace("setuptools.build_meta", "uv_build"))
    add(file, DIGITS, runtime="extras")
    assert Pyproject.read(file).table("project", "optional-dependencies") == {
        "cpu": ["modeldeps-digits[cpu]>=2.1"],
        "cuda": ["modeldeps-digits[cuda]>=2.1"],
    }


def test_a_dependency_group_gets_plain_requirements_whatever_the_backend(tmp_path: Path) -> None:
    groups = '[dependency-groups]\ndev = [{include-group = "test"}, "pytest"]\n\n[tool.ruff]'
    file = _write(tmp_path, SETUPTOOLS.replace("[tool.ruff]", groups))
    add(file, DIGITS, place=Place(group="dev"))
    add(file, DIGITS, place=Place(group="new"))
    assert 'dev = [{include-group = "test"}, "pytest", "modeldeps-digits[cpu]>=2.1"]' in _text(file)
    assert 'new = ["modeldeps-digits[cpu]>=2.1"]' in _text(file)
    assert "[tool.modeldeps]" not in _text(file)


def test_channels_are_added_once(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    add(file, DIGITS, channels=["https://models.example.com/"])
    add(file, DIGITS, channels=["https://models.example.com/", "../channel"])
    assert 'channels = ["https://models.example.com/", "../channel"]' in _text(file)


def test_line_ends_of_windows_and_the_mode_of_the_file_stay(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS.replace("\n", "\r\n"))
    file.chmod(0o640)
    add(file, DIGITS)
    assert not re.search(r"(?<!\r)\n", _text(file))
    assert stat.S_IMODE(file.stat().st_mode) == 0o640


def test_a_file_that_is_a_link_stays_one(tmp_path: Path) -> None:
    real = _write(tmp_path, SETUPTOOLS).rename(tmp_path / "real.toml")
    link = tmp_path / "pyproject.toml"
    link.symlink_to(real)
    add(link, DIGITS)
    assert link.is_symlink()
    assert "digits" in _text(real)


@pytest.mark.parametrize(
    "text",
    [
        SETUPTOOLS.replace("[project]", "[tool.black]\na = 1\n\n[project]") + "\n[tool.zuban]\nb = 2\n",
        SETUPTOOLS + "\n[tool]\nx = 1\n",
        SETUPTOOLS.replace("dependencies = [\n", 'dependencies = ["a", \n'),
        SETUPTOOLS.rstrip("\n"),
        SETUPTOOLS.replace("[tool.ruff]", "[project.urls]\na = 'b'\n\n[tool.ruff]"),
        SETUPTOOLS.replace("[tool.ruff]", "[tool.setuptools]\npackages = []\n[build-system.x]\n[tool.ruff]"),
        'project = { name = "a", version = "1" }\nbuild-system = { requires = ["setuptools"] }\n',
    ],
)
@pytest.mark.parametrize("backend", ["setuptools.build_meta", "hatchling.build", "pdm.backend"])
def test_files_in_other_orders_are_edited_too(text: str, backend: str, tmp_path: Path) -> None:
    file = _write(tmp_path, text.replace("setuptools.build_meta", backend))
    add(file, DIGITS)
    assert _is_right(file)
    declaration = parse(Pyproject.read(file))
    assert declaration
    assert declaration.models == tuple(DIGITS)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("[project", ProjectError),
        ("[tool.modeldeps]\nmodels = 3", ProjectError),
        ("[build-system]\nrequires = 'setuptools'\n", ProjectEditError),
        ("tool = { ruff = {} }\n[build-system]\nrequires = []\n", ProjectEditError),
        (SETUPTOOLS + "\n[tool.modeldeps]\ndependencies = ['x']\n", ProjectEditError),
        ("[build-system]\nrequires=[]\nbuild-backend='uv_build'\n", NoStaticDependenciesError),
        (
            "[build-system]\nrequires=[]\nbuild-backend='maturin'\n[project]\ndynamic=['dependencies']",
            NoStaticDependenciesError,
        ),
    ],
)
def test_a_file_that_cannot_be_edited_is_left_as_it_is(
    text: str, error: type[Exception], tmp_path: Path
) -> None:
    file = _write(tmp_path, text)
    with pytest.raises(error):
        add(file, DIGITS)
    assert _text(file) == text


def test_a_project_of_poetry_alone_is_told_poetrys_own_command(tmp_path: Path) -> None:
    file = _write(tmp_path, "[tool.poetry]\nname = 'a'\n")
    with pytest.raises(NoStaticDependenciesError, match=r'hint: poetry add "modeldeps-digits\[cpu\]>=2.1"'):
        add(file, DIGITS)


def test_removing_takes_a_model_out_of_every_list(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    add(file, [*DIGITS, ModelRequirement.parse("other")])
    add(file, DIGITS, place=Place(extra="gpu"))
    add(file, DIGITS, place=Place(group="dev"))
    (edited,) = remove(file, ["digits"])
    assert edited.form == "plugin and static"
    assert sorted(edited.entries) == ["digits>=2.1", "digits>=2.1", "modeldeps-digits[cpu]>=2.1"]
    assert "digits" not in _text(file)
    assert 'models = ["other"]' in _text(file)
    assert _is_right(file)


def test_adding_and_removing_the_only_model_leaves_a_project_that_builds(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    add(file, DIGITS)
    remove(file, ["digits"])
    assert "models = []" in _text(file)
    assert '"numpy>=2",  # not 1' in _text(file)
    assert _is_right(file)


@pytest.mark.parametrize(
    "text",
    [
        "[tool]\nmodeldeps = 1\n",
        "[tool.modeldeps]\nmodels = 1\n",
        '[tool.modeldeps]\nmodels = ["digits"]\noptional-models = ["digits"]\n',
        '[tool.modeldeps]\nmodels = ["digits"]\noptional-models = { gpu = 1 }\n',
    ],
)
def test_removing_from_a_broken_table_names_what_is_wrong_and_writes_nothing(
    text: str, tmp_path: Path
) -> None:
    file = _write(tmp_path, text)
    with pytest.raises(ProjectError, match=r"tool\.modeldeps"):
        remove(file, ["digits"])
    assert _text(file) == text


def test_a_tool_key_that_is_no_table_declares_nothing(tmp_path: Path) -> None:
    with pytest.raises(UndeclaredModelError, match="declared: no models"):
        remove(_write(tmp_path, "tool = 1\n"), ["digits"])


def test_removing_what_is_not_declared_guesses_the_typo_and_writes_nothing(tmp_path: Path) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    add(file, DIGITS)
    before = _text(file)
    with pytest.raises(UndeclaredModelError, match="hint: did you mean `modeldeps remove digits`"):
        remove(file, ["digits", "digist"])
    assert _text(file) == before


SCRIPT = '#!/usr/bin/env python\n# coding: utf-8\n"""A script."""\nprint(1)\n'


def test_a_script_without_a_block_gets_one_after_the_lines_that_must_be_first(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text(SCRIPT, encoding="utf-8")
    file.chmod(0o755)
    assert add_to_script(file, DIGITS, runtime="cpu") == ("modeldeps-digits[cpu]>=2.1",)
    assert file.read_text(encoding="utf-8") == (
        "#!/usr/bin/env python\n# coding: utf-8\n"
        '# /// script\n# dependencies = ["modeldeps-digits[cpu]>=2.1"]\n# ///\n"""A script."""\nprint(1)\n'
    )
    assert stat.S_IMODE(file.stat().st_mode) == 0o755


def test_a_script_with_a_block_keeps_what_is_in_it(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    block = '# /// script\n# requires-python = ">=3.10"\n#\n'
    block += '# dependencies = [\n#   "rich", # colour\n# ]\n# ///\n'
    file.write_text(block + "print(1)\n", encoding="utf-8")
    add_to_script(file, DIGITS, runtime="none")
    assert (
        file.read_text(encoding="utf-8")
        == block.replace("colour\n", 'colour\n#   "modeldeps-digits>=2.1",\n') + "print(1)\n"
    )


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"# /// script\n# ///\n\n# /// script\n# ///\n", ScriptError),
        (b"\xff\n", ScriptError),
        (b"# /// script\n# dependencies = [\n# ///\n", ProjectError),
    ],
)
def test_a_script_that_cannot_be_edited_is_left_as_it_is(
    data: bytes, error: type[Exception], tmp_path: Path
) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(data)
    with pytest.raises(error):
        add_to_script(file, DIGITS, runtime="cpu")
    assert file.read_bytes() == data


def test_the_commands_say_what_they_wrote_and_where(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _write(tmp_path, SETUPTOOLS)
    assert main(["add", "digits>=2.1", "wakeword", "--project", str(tmp_path)]) == 0
    said = capsys.readouterr()
    assert said.out.splitlines() == ["digits>=2.1", "wakeword"]
    assert said.err.splitlines()[0] == f"models of {file}"
    assert "moved to [tool.modeldeps]" in said.err
    assert main(["remove", "Digits", "--project", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines() == ["digits>=2.1"]


def test_a_channel_in_a_folder_is_written_from_where_the_file_lies(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "app").mkdir()
    file = _write(tmp_path / "app", SETUPTOOLS)
    monkeypatch.chdir(tmp_path)
    channels = ["--channel", "channel", "--channel", "https://models.example.com/"]
    assert main(["add", "digits", "--project", "app", *channels]) == 0
    assert "--extra-index-url https://models.example.com/simple/" in capsys.readouterr().err
    assert 'channels = ["../channel", "https://models.example.com/"]' in _text(file)
    declaration = parse(Pyproject.read(file))
    assert declaration
    assert declaration.channels[0] == f"{(tmp_path / 'channel').as_uri()}/"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (["add", "digits=>2"], 2, "that is not a model requirement"),
        (["add", "all"], 2, "it is reserved"),
        (["add", "digits", "--script", "nothing.py"], 3, "No such file"),
        (["remove", "nothing"], 2, "does not declare the model 'nothing'"),
    ],
)
def test_wrong_words_have_an_error_and_a_status(
    words: list[str], status: int, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write(tmp_path, SETUPTOOLS)
    assert main([*words, "--project", str(tmp_path)]) == status
    assert said in capsys.readouterr().err


def test_outside_of_a_project_the_commands_say_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["add", "digits", "--project", str(tmp_path)]) == 2
    assert "there is no pyproject.toml" in capsys.readouterr().err
