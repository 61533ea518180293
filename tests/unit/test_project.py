"""What a project declares is read in full, and every problem of it is told with its key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldeps.errors import ProjectError
from modeldeps.project import (
    KEYS,
    Declaration,
    Pyproject,
    additions,
    find,
    load,
    parse,
    read,
    requirements,
    static_conflicts,
    static_models,
)
from modeldeps.requirement import ModelRequirement

FULL = """
[tool.modeldeps]
models = ["digits>=2.1", "modeldeps-WakeWord ~= 0.5 ; sys_platform == 'linux'"]
optional-models = { GPU_x = ["segment>=1"] }
dependencies = ["numpy>=2"]
optional-dependencies = { docs = ["sphinx"] }
channels = ["https://models.example.com/a", "here"]
runtime = "cuda"
"""


def _write(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(ProjectError) as caught:
        read(_write(folder, text))
    return [str(problem) for problem in caught.value.problems]


def test_every_key_of_the_table_is_read(tmp_path: Path) -> None:
    found = read(_write(tmp_path, FULL))
    assert found == Declaration(
        models=(
            ModelRequirement("digits", ">=2.1"),
            ModelRequirement("wakeword", "~=0.5", (), 'sys_platform == "linux"'),
        ),
        optional_models={"gpu-x": (ModelRequirement("segment", ">=1"),)},
        dependencies=("numpy>=2",),
        optional_dependencies={"docs": ("sphinx",)},
        channels=("https://models.example.com/a/", f"{(tmp_path / 'here').as_uri()}/"),
        runtime="cuda",
        adds=True,
    )


@pytest.mark.parametrize(
    "text", ["", "[tool]\n", "[tool.other]\n", "[tool.modeldeps.model]\nname = 'x'\n", "tool = 3\n"]
)
def test_a_file_without_a_declaration_declares_none(text: str, tmp_path: Path) -> None:
    assert read(_write(tmp_path, text)) is None


def test_an_empty_table_adds_nothing(tmp_path: Path) -> None:
    assert read(_write(tmp_path, "[tool.modeldeps]\n")) == Declaration()


def test_the_nearest_file_above_a_folder_is_the_project(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    file = _write(tmp_path, FULL)
    assert find(deep) == file
    assert load(deep) == read(file)


def test_every_problem_is_told_at_once_with_its_full_key(tmp_path: Path) -> None:
    assert _problems(
        tmp_path,
        """
        [tool.modeldeps]
        models = ["digits>2,", "digits[tpu]", 7, "a @ https://x.example/a.whl"]
        optional-models = { "no way" = ["x"], gpu = "segment" }
        dependencies = ["numpy=>2"]
        channels = ["https://user:secret@models.example.com/", ""]
        runtime = "gpu"
        model = {}
        modles = []
        """,
    ) == [
        (
            "tool.modeldeps.models[1]: expected a model requirement, found 'digits[tpu]': "
            "no extra 'tpu'; a model has cpu, cuda"
        ),
        "tool.modeldeps.models[2]: expected text, found 7",
        (
            "tool.modeldeps.models[3]: expected a model requirement, found 'a @ https://x.example/a.whl': "
            "a model is named by its version, not by a URL"
        ),
        "tool.modeldeps.optional-models['no way']: expected the name of an extra, found 'no way'",
        "tool.modeldeps.optional-models.gpu: expected an array, found 'segment'",
        (
            "tool.modeldeps.dependencies[0]: expected a requirement (PEP 508), found 'numpy=>2': "
            "Expected semicolon (after name with no version specifier) or end"
        ),
        "tool.modeldeps.channels[0]: expected a URL without a user name or password; this file is shared",
        "tool.modeldeps.channels[1]: expected a URL or a folder, found ''",
        "tool.modeldeps.runtime: expected one of 'cpu', 'cuda', 'extras', 'none', found 'gpu'",
        "tool.modeldeps.modles: is not a key; did you mean 'models'?",
    ]


_TEXTS = st.sampled_from(
    ["digits>=2.1", "cpu", "a[cuda]", "x @ y", "https://u@h/", "; os_name", "", "\x00", "\ud800", "~x/y"]
)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | _TEXTS
    | st.datetimes()
    | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_TEXTS | st.text(), inner, max_size=3),
    max_leaves=8,
)
_KEYS = st.sampled_from([*KEYS, "other", "Models", ""])


@given(table=_VALUES | st.dictionaries(_KEYS, _VALUES | st.lists(_TEXTS, max_size=3)))
def test_no_table_makes_the_reader_raise_anything_but_the_projects_error(table: object) -> None:
    try:
        declaration = parse(Pyproject(Path("pyproject.toml"), {"tool": {"modeldeps": table}}))
    except ProjectError as error:
        assert error.problems
        assert all(problem.key.startswith("tool.modeldeps") for problem in error.problems)
        str(error).encode("utf-8")
    else:
        assert declaration is None or requirements(declaration)


def test_a_secret_in_a_channel_is_not_repeated(tmp_path: Path) -> None:
    text = "\n".join(_problems(tmp_path, '[tool.modeldeps]\nchannels = ["https://u:hunter2@x.example/"]'))
    assert "hunter2" not in text


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("[tool.modeldeps", ": expected TOML in UTF-8: "),
        ("tool.modeldeps = 3", "tool.modeldeps: expected an object, found 3"),
        ("a = " + "[" * 5000, ": expected TOML in UTF-8: "),
    ],
)
def test_a_file_that_is_not_what_it_should_be_is_named(text: str, problem: str, tmp_path: Path) -> None:
    assert problem.removeprefix(": ") in _problems(tmp_path, text)[0]


def test_bytes_that_are_not_text_and_absent_files_are_errors_of_the_project(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    with pytest.raises(ProjectError, match="expected a readable file: No such file"):
        read(file)
    file.write_bytes(b"\xff\xfe")
    with pytest.raises(ProjectError, match="expected TOML in UTF-8"):
        read(file)


def test_one_model_stands_once_in_a_list_unless_markers_tell_apart(tmp_path: Path) -> None:
    twice = '[tool.modeldeps]\nmodels = ["digits>=2", "Digits<3"]'
    assert _problems(tmp_path, twice) == ["tool.modeldeps.models: 'digits' stands here twice"]
    apart = "[tool.modeldeps]\nmodels = [\"digits>=2; os_name=='nt'\", \"digits; os_name!='nt'\"]"
    assert len((read(_write(tmp_path, apart)) or Declaration()).models) == 2


def test_an_extra_may_not_be_called_like_one_that_the_runtime_makes(tmp_path: Path) -> None:
    text = '[tool.modeldeps]\nruntime = "extras"\nmodels = ["a"]\noptional-models = { cuda = ["b"] }'
    assert _problems(tmp_path, text) == [
        "tool.modeldeps.optional-models.cuda: runtime = 'extras' makes an extra 'cuda' itself"
    ]


@pytest.mark.parametrize(
    ("runtime", "own", "extras"),
    [
        ("cpu", ["modeldeps-digits[cpu]>=2"], {"gpu": ["modeldeps-segment[cpu]"]}),
        ("cuda", ["modeldeps-digits[cuda]>=2"], {"gpu": ["modeldeps-segment[cuda]"]}),
        ("none", ["modeldeps-digits>=2"], {"gpu": ["modeldeps-segment"]}),
        (
            "extras",
            ["modeldeps-digits>=2"],
            {
                "gpu": ["modeldeps-segment"],
                "cpu": ["modeldeps-digits[cpu]>=2"],
                "cuda": ["modeldeps-digits[cuda]>=2"],
            },
        ),
    ],
)
def test_the_runtime_says_which_extra_of_a_pointer_is_asked_for(
    runtime: str, own: list[str], extras: dict[str, list[str]]
) -> None:
    declaration = Declaration(
        models=(ModelRequirement.parse("digits>=2"),),
        optional_models={"gpu": (ModelRequirement.parse("segment"),)},
        dependencies=("numpy",),
        runtime=runtime,
    )
    assert requirements(declaration) == (["numpy", *own], extras)


def test_a_model_that_names_its_runtime_itself_keeps_it() -> None:
    declaration = Declaration(models=(ModelRequirement.parse("digits[cuda]>=2; os_name=='nt'"),))
    assert requirements(declaration)[0] == ['modeldeps-digits[cuda]>=2; os_name == "nt"']


def test_extras_of_models_join_extras_of_plain_requirements() -> None:
    declaration = Declaration(
        optional_models={"x": (ModelRequirement.parse("digits"),)}, optional_dependencies={"x": ("numpy",)}
    )
    assert requirements(declaration) == ([], {"x": ["numpy", "modeldeps-digits[cpu]"]})


@pytest.mark.parametrize(
    ("project", "keys"),
    [
        ("dynamic = ['dependencies', 'optional-dependencies']", []),
        ("dependencies = []\ndynamic = ['optional-dependencies']", ["project.dependencies"]),
        ("dependencies = []\ndynamic = ['dependencies']", ["project.dependencies", "project.dynamic"]),
        ("", ["project.dynamic", "project.dynamic"]),
        (
            "dynamic = ['dependencies']\n[project.optional-dependencies]\na = []",
            ["project.optional-dependencies"],
        ),
    ],
)
def test_fields_that_are_not_dynamic_stand_in_the_way(project: str, keys: list[str], tmp_path: Path) -> None:
    table = '[tool.modeldeps]\nmodels = ["digits"]\noptional-models = { gpu = ["segment"] }'
    pyproject = Pyproject.read(_write(tmp_path, f"[project]\nname = 'a'\n{project}\n{table}"))
    declaration = read(pyproject.file)
    assert declaration
    assert [problem.key for problem in static_conflicts(pyproject, declaration)] == keys


def test_a_static_list_that_holds_the_models_already_is_no_conflict(tmp_path: Path) -> None:
    text = """
    [project]
    name = "a"
    dependencies = ["Modeldeps_Digits [cpu] >= 2", "numpy"]
    [tool.modeldeps]
    models = ["digits>=2"]
    """
    pyproject = Pyproject.read(_write(tmp_path, text))
    declaration = read(pyproject.file)
    assert declaration
    assert static_conflicts(pyproject, declaration) == []
    assert additions(pyproject, declaration) == ([], {})


def test_models_in_plain_lists_are_found_with_their_keys(tmp_path: Path) -> None:
    text = """
    [project]
    dependencies = ["numpy", "modeldeps-digits[cpu]>=2", "modeldeps", "modeldeps-conda", "modeldeps-x @ https://x"]
    [project.optional-dependencies]
    gpu = ["ModelDeps.Segment"]
    [dependency-groups]
    dev = [{include-group = "test"}, "modeldeps-wakeword~=0.5"]
    [tool.modeldeps]
    dependencies = ["modeldeps-other"]
    """
    found = static_models(Pyproject.read(_write(tmp_path, text)))
    assert [(model.key, str(model.requirement)) for model in found] == [
        ("project.dependencies", "digits[cpu]>=2"),
        ("project.optional-dependencies.gpu", "segment"),
        ("tool.modeldeps.dependencies", "other"),
        ("dependency-groups.dev", "wakeword~=0.5"),
    ]


@pytest.mark.parametrize(
    ("build", "name", "plugin"),
    [
        ('requires = ["setuptools"]', "setuptools", True),
        ('build-backend = "setuptools.build_meta"', "setuptools", True),
        ('build-backend = "setuptools.build_meta:__legacy__"', "setuptools", True),
        ('build-backend = "hatchling.build"', "hatchling", True),
        ('build-backend = "pdm.backend"', "pdm-backend", True),
        ('build-backend = "flit_core.buildapi"', "flit-core", False),
        ('build-backend = "poetry.core.masonry.api"', "poetry-core", False),
        ('build-backend = "uv_build"', "uv_build", False),
        ('build-backend = "mesonpy"', "meson-python", False),
        ('build-backend = "maturin"', "maturin", False),
        ('build-backend = "scikit_build_core.build"', "scikit-build-core", False),
        (
            'build-backend = "_own"\nbackend-path = ["."]\nrequires = ["x", "SetupTools>=70"]',
            "setuptools",
            True,
        ),
        ('build-backend = "_own"\nrequires = []', "_own", False),
        ("build-backend = 3", "3", False),
    ],
)
def test_the_build_backend_is_known_by_its_words(build: str, name: str, plugin: bool, tmp_path: Path) -> None:  # noqa: FBT001 - a parameter of the test
    backend = Pyproject.read(_write(tmp_path, f"[build-system]\n{build}")).backend
    assert backend
    assert (backend.name, backend.plugin) == (name, plugin)


def test_a_file_without_a_build_system_has_no_backend(tmp_path: Path) -> None:
    assert Pyproject.read(_write(tmp_path, "[project]\nname = 'a'")).backend is None


def test_channels_that_are_no_urls_are_problems_of_the_file_that_hold_no_secret(tmp_path: Path) -> None:
    channels = '["htp://models.example.com/", "https://x.example/?key=hunter2", "http://host:port/"]'
    found = _problems(tmp_path, f"[tool.modeldeps]\nchannels = {channels}")
    assert [one.partition(", ")[0].partition(" and %")[0].partition(" written %2F")[0] for one in found] == [
        "tool.modeldeps.channels[0]: expected a URL of http",
        "tool.modeldeps.channels[1]: expected a URL without ? and #; in a password they are written %3F",
        "tool.modeldeps.channels[2]: expected a number as the port of the URL; a slash in a password is",
    ]
