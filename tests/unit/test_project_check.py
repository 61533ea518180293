"""Every combination that loses a model without a word is found, and the command that helps is named."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from digits_channel import digits_channel
from static_site import static_site

from modeldeps.check import Finding, check
from modeldeps.cli import main
from modeldeps.errors import ProjectError
from modeldeps.project import add
from modeldeps.publish.channel import yank
from modeldeps.requirement import ModelRequirement

if TYPE_CHECKING:
    from collections.abc import Callable

BUILD = '[build-system]\nrequires = ["{backend}", "modeldeps"]\nbuild-backend = "{module}"\n'
SETUPTOOLS = BUILD.format(backend="setuptools", module="setuptools.build_meta")
HATCHLING = BUILD.format(backend="hatchling", module="hatchling.build")
DYNAMIC = '[project]\nname = "app"\nversion = "1"\ndynamic = ["dependencies"]\n'
STATIC = '[project]\nname = "app"\nversion = "1"\ndependencies = []\n'
HOOK = "[tool.hatch.metadata.hooks.modeldeps]\n"
TABLE = '[tool.modeldeps]\nmodels = ["digits>=2.1"]\n'


@pytest.fixture(scope="session")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return digits_channel(tmp_path_factory)


def _file(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text, encoding="utf-8")
    return file


def _errors(folder: Path, text: str) -> list[Finding]:
    found = check(_file(folder, text)).findings
    return [finding for finding in found if finding.level == "error"]


def _notes(folder: Path, text: str) -> list[str]:
    found = check(_file(folder, text)).findings
    return [finding.key for finding in found if finding.level == "note"]


@pytest.mark.parametrize(
    "text",
    [
        SETUPTOOLS + DYNAMIC + TABLE,
        HATCHLING + DYNAMIC + HOOK + TABLE,
        BUILD.format(backend="pdm-backend", module="pdm.backend") + DYNAMIC + TABLE,
        SETUPTOOLS + TABLE,
        STATIC.replace("[]", '["modeldeps-digits[cpu]>=2.1"]'),
        "[project]\nname = 'app'\n",
        "[tool.modeldeps.model]\nname = 'digits'\n",
    ],
)
def test_a_project_that_loses_nothing_has_no_errors(text: str, tmp_path: Path) -> None:
    assert _errors(tmp_path, text) == []


@pytest.mark.parametrize(
    ("text", "key", "words", "hint"),
    [
        (DYNAMIC + TABLE, "build-system", "the models are lost", 'write "modeldeps-digits[cpu]>=2.1"'),
        (
            SETUPTOOLS.replace(', "modeldeps"', "") + DYNAMIC + TABLE,
            "build-system.requires",
            "lacks 'modeldeps'",
            "modeldeps add 'digits>=2.1'",
        ),
        (
            SETUPTOOLS + STATIC + TABLE,
            "project.dependencies",
            "is a static list",
            "`modeldeps add 'digits>=2.1'`",
        ),
        (HATCHLING + STATIC + HOOK + TABLE, "project.dependencies", "is a static list", "`modeldeps add"),
        (
            SETUPTOOLS + STATIC + 'dynamic = ["dependencies"]\n' + TABLE,
            "project.dependencies",
            "build backends refuse both",
            "`modeldeps add",
        ),
        (
            SETUPTOOLS + '[project]\nname = "app"\n' + TABLE,
            "project.dynamic",
            "expected 'dependencies'",
            "`modeldeps add",
        ),
        (
            SETUPTOOLS + DYNAMIC + '[tool.modeldeps]\noptional-models = { gpu = ["segment"] }\n',
            "project.dynamic",
            "expected 'optional-dependencies'",
            "`modeldeps add --optional gpu 'segment'`",
        ),
        (
            SETUPTOOLS + DYNAMIC + TABLE + 'runtime = "extras"\n',
            "project.dynamic",
            "expected 'optional-dependencies'",
            "`modeldeps add",
        ),
        (
            HATCHLING + DYNAMIC + TABLE,
            "tool.hatch.metadata.hooks.modeldeps",
            "hatchling runs only the hooks that are named",
            "modeldeps add 'digits>=2.1'",
        ),
        (
            SETUPTOOLS + DYNAMIC + TABLE.replace("modeldeps", "model-deps"),
            "tool.model-deps",
            "nobody reads",
            "did",
        ),
        (
            SETUPTOOLS + DYNAMIC + TABLE.replace("modeldeps", "modeldep"),
            "tool.modeldep",
            "nobody reads",
            "did",
        ),
    ],
)
def test_what_loses_a_model_without_a_word_is_an_error_with_a_cure(
    text: str, key: str, words: str, hint: str, tmp_path: Path
) -> None:
    (finding,) = _errors(tmp_path, text)
    assert finding.key == key
    assert words in finding.message
    assert hint in finding.hint


@pytest.mark.parametrize(
    "module",
    [
        "flit_core.buildapi",
        "poetry.core.masonry.api",
        "uv_build",
        "mesonpy",
        "maturin",
        "scikit_build_core.build",
    ],
)
def test_a_backend_without_a_plugin_is_told_the_plain_form(module: str, tmp_path: Path) -> None:
    (finding,) = _errors(tmp_path, BUILD.format(backend="x", module=module) + DYNAMIC + TABLE)
    assert finding.key == "build-system.build-backend"
    assert 'write "modeldeps-digits[cpu]>=2.1" in project.dependencies' in finding.hint


@pytest.mark.parametrize("lock", ["poetry.lock", "pdm.lock"])
def test_a_lock_that_drops_dynamic_dependencies_is_an_error(lock: str, tmp_path: Path) -> None:
    (tmp_path / lock).touch()
    (finding,) = _errors(tmp_path, SETUPTOOLS + DYNAMIC + TABLE)
    assert "leaves dynamic dependencies out of its lock" in finding.message


@pytest.mark.parametrize(
    "text",
    [
        SETUPTOOLS + STATIC + TABLE,
        HATCHLING + STATIC + TABLE,
        SETUPTOOLS.replace(', "modeldeps"', "") + DYNAMIC + TABLE,
        HATCHLING + DYNAMIC + TABLE,
        SETUPTOOLS + '[project]\nname = "app"\nversion = "1"\n' + TABLE,
        SETUPTOOLS + DYNAMIC + TABLE + 'runtime = "extras"\n',
    ],
)
def test_the_command_that_a_hint_names_does_help(text: str, tmp_path: Path) -> None:
    assert _errors(tmp_path, text)
    add(tmp_path / "pyproject.toml", [ModelRequirement.parse("digits>=2.1")])
    assert not check(tmp_path / "pyproject.toml").errors


def test_every_problem_of_a_broken_table_is_told(tmp_path: Path) -> None:
    text = '[tool.modeldeps]\nmodels = ["a b", 3]\nruntime = "x"\n[tool.modeldps]\n'
    assert [finding.key for finding in _errors(tmp_path, text)] == [
        "tool.modeldeps.models[0]",
        "tool.modeldeps.models[1]",
        "tool.modeldeps.runtime",
        "tool.modeldps",
    ]


def test_a_file_that_is_no_toml_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="expected TOML"):
        check(_file(tmp_path, "[tool"))


@pytest.mark.parametrize(
    "table",
    [
        'models = ["digits"]\ndependencies = ["onnxruntime-gpu>=1.20"]',
        'models = ["digits"]\nruntime = "cuda"\ndependencies = ["onnxruntime"]',
        'models = ["digits", "segment[cuda]"]',
        'models = ["digits"]\ndependencies = ["modeldeps[cuda]"]',
        'models = ["digits"]\ndependencies = ["onnxruntime-openvino"]',
        'models = ["digits"]\ndependencies = ["modeldeps-segment[cuda]"]',
    ],
)
def test_both_wheels_of_onnx_runtime_in_one_environment_are_an_error(table: str, tmp_path: Path) -> None:
    (finding,) = _errors(tmp_path, f"{SETUPTOOLS}{DYNAMIC}[tool.modeldeps]\n{table}\n")
    assert "overwrite each other" in finding.message
    assert "runtime = 'extras'" in finding.hint


@pytest.mark.parametrize(
    "table",
    [
        "models = [\"digits[cpu]; sys_platform == 'darwin'\", \"digits[cuda]; sys_platform != 'darwin'\"]",
        'models = ["digits"]\ndependencies = ["onnxruntime>=1.20", "onnxruntime-extensions"]',
        'models = ["digits"]\nruntime = "none"\ndependencies = ["onnxruntime-gpu"]',
    ],
)
def test_one_wheel_for_each_system_is_fine(table: str, tmp_path: Path) -> None:
    assert _errors(tmp_path, f"{SETUPTOOLS}{DYNAMIC}[tool.modeldeps]\n{table}\n") == []


def test_an_extra_that_brings_the_other_wheel_is_an_error(tmp_path: Path) -> None:
    dynamic = DYNAMIC.replace('"dependencies"', '"dependencies", "optional-dependencies"')
    text = f"{SETUPTOOLS}{dynamic}{TABLE}optional-models = {{ gpu = ['segment[cuda]'] }}\n"
    (finding,) = _errors(tmp_path, text)
    assert finding.message.startswith("with the extra 'gpu', the project brings onnxruntime (")


def test_what_is_only_worth_knowing_is_a_note(tmp_path: Path) -> None:
    channel = "tool.modeldeps.channels"
    plain = STATIC.replace("[]", '["modeldeps-digits"]')
    assert _notes(tmp_path, plain) == ["project.dependencies", channel]
    assert _notes(tmp_path, "") == [""]
    assert _notes(tmp_path, "[tool.modeldeps.model]\nname = 'x'\n") == ["tool.modeldeps.model"]
    twice = f'{SETUPTOOLS}{DYNAMIC}{TABLE}dependencies = ["modeldeps-digits[cpu]"]\n'
    assert _notes(tmp_path, twice) == ["tool.modeldeps.dependencies", channel]
    extras = DYNAMIC.replace('s"]', 's", "optional-dependencies"]')
    uv = f"{SETUPTOOLS}{extras}{TABLE}runtime = 'extras'\n[tool.uv]\n"
    assert _notes(tmp_path, uv) == ["tool.uv.conflicts", channel]
    told = uv + 'conflicts = [[{ extra = "cpu" }, { extra = "cuda" }]]\n'
    assert _notes(tmp_path, told) == [channel]
    explicit = (
        f"{SETUPTOOLS}{DYNAMIC}{TABLE}[[tool.uv.index]]\nname = 'c'\n"
        "url = 'https://x.example'\nexplicit = true\n"
        "[tool.uv.sources]\nmodeldeps-digits = { index = 'c' }\n"
    )
    assert _notes(tmp_path, explicit) == ["tool.uv.sources.modeldeps-digits", channel]


def _with(channel: str, *models: str) -> str:
    return f'{SETUPTOOLS}{DYNAMIC}[tool.modeldeps]\nmodels = {json.dumps(models)}\nchannels = ["{channel}"]\n'


def test_a_model_that_a_channel_has_is_fine(channel: Path, tmp_path: Path) -> None:
    found = check(_file(tmp_path, _with(channel.as_uri(), "digits>=2.1")))
    assert found.findings == ()
    assert [str(model) for _, model in found.models] == ["digits>=2.1"]


@pytest.mark.parametrize(
    ("model", "message", "hint"),
    [
        ("digist", "no channel has a model 'digist'", "did you mean 'digits'?"),
        ("wakeword", "no channel has a model 'wakeword'", "there are digits"),
        ("digits>=4", "no release of digits fits digits>=4", "there are 3.0.0, 2.1.0, 2.0.0"),
    ],
)
def test_what_nobody_publishes_is_an_error_that_guesses(
    model: str, message: str, hint: str, channel: Path, tmp_path: Path
) -> None:
    (finding,) = _errors(tmp_path, _with(channel.as_uri(), model))
    assert (finding.message, finding.hint) == (message, hint)


def test_over_http_the_same_is_found_and_offline_nothing_is_asked(channel: Path, tmp_path: Path) -> None:
    asked: list[str] = []
    with static_site(channel, asked) as url:
        file = _file(tmp_path, _with(url, "digist"))
        assert check(file).errors == 1
        asked.clear()
        assert check(file, offline=True).errors == 0
        assert asked == []


def test_a_release_that_was_withdrawn_is_told_with_the_reason(channel: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(channel, tmp_path / "channel"))
    yank(copy, "digits", "2.1.0", reason="wrong labels")
    (finding,) = _errors(tmp_path, _with(copy.as_uri(), "digits~=2.1"))
    assert finding.message == "every release that fits digits~=2.1 was withdrawn: wrong labels"
    assert _errors(tmp_path, _with(copy.as_uri(), "digits==2.1.0")) == []


def test_a_channel_that_is_down_is_told_and_names_are_not_judged(tmp_path: Path) -> None:
    (finding,) = _errors(tmp_path, _with("http://127.0.0.1:9/", "digist"))
    assert finding.key == "tool.modeldeps.channels"
    assert finding.message.startswith("http://127.0.0.1:9/: could not fetch")
    assert finding.message.endswith("connection refused")


@pytest.fixture
def install(channel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return a function that puts the pointer package of a digits release on the import path."""

    def unpack(version: str) -> None:
        wheel = channel / "simple" / "modeldeps-digits" / f"modeldeps_digits-{version}-py3-none-any.whl"
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(tmp_path / "site")
        monkeypatch.syspath_prepend(str(tmp_path / "site"))

    return unpack


def test_an_installed_model_that_fits_is_fine(install: Callable[[str], None], tmp_path: Path) -> None:
    install("2.1.0")
    assert _errors(tmp_path, SETUPTOOLS + DYNAMIC + TABLE) == []


def test_an_installed_model_of_another_version_is_an_error(
    install: Callable[[str], None], tmp_path: Path
) -> None:
    install("2.0.0")
    (finding,) = _errors(tmp_path, SETUPTOOLS + DYNAMIC + TABLE)
    assert finding.message == "digits 2.0.0 is installed, and digits>=2.1 is asked for"
    assert finding.hint == 'pip install "modeldeps-digits>=2.1"'


def test_an_installed_model_whose_runtime_is_too_old_is_an_error(
    install: Callable[[str], None], tmp_path: Path
) -> None:
    install("3.0.0")
    (finding,) = _errors(tmp_path, SETUPTOOLS + DYNAMIC + TABLE)
    assert finding.message.startswith("digits 3.0.0: ")
    assert ">=99" in finding.message


def test_the_command_tells_findings_on_stdout_and_returns_1(
    channel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = _file(tmp_path, _with(channel.as_uri(), "digist"))
    assert main(["check", "--project", str(tmp_path)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines() == [
        "error: tool.modeldeps.models: no channel has a model 'digist'",
        "hint: did you mean 'digits'?",
    ]
    assert said.err.splitlines() == [f"{file}: digist: 1 problem"]


def test_the_command_writes_json(channel: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _file(tmp_path, _with(channel.as_uri(), "digits>=2"))
    assert main(["check", "--json", "--project", str(tmp_path)]) == 0
    assert json.loads(capsys.readouterr().out) == {
        "file": str(file),
        "models": [{"name": "digits", "requirement": "digits>=2", "key": "tool.modeldeps.models"}],
        "findings": [],
    }


def test_a_marker_that_compares_what_cannot_be_compared_is_left_to_the_installer(tmp_path: Path) -> None:
    listed = '["onnxruntime-gpu; sys_platform ~= \'x\'", "modeldeps-digits[cpu]"]'
    assert _errors(tmp_path, STATIC.replace("[]", listed)) == []


@pytest.mark.parametrize("key", ["build-system", "project", "tool"])
def test_a_value_where_a_table_belongs_is_found(tmp_path: Path, key: str) -> None:
    (found,) = _errors(tmp_path, f"{key} = 3\n")
    assert (found.key, found.message) == (key, "expected a table, found int")
    assert found.hint == f"write [{key}] on a line of its own"
