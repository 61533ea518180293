"""`load()` finds, decides, fetches, opens; whatever keeps it from doing so is said with what helps."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from machines import install_digits

import modeldeps
from modeldeps.errors import (
    ManifestError,
    ModelDepsError,
    ModelNotInstalledError,
    ModelVersionError,
    OpenError,
    OptionError,
    ProviderUnavailableError,
    RequirementError,
    RuntimeMissingError,
    RuntimeVersionError,
    UnknownProviderError,
    UnknownVariantError,
)
from modeldeps.runtime import Rejected, obstacle, select

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from machines import Installed, LayWheel
    from numpy.typing import NDArray


def run_python(program: str, *paths: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, these folders first on its path."""
    lines = [f"import sys; sys.path[:0] = {[str(one) for one in paths]}", program]
    return subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], env=environ, capture_output=True, text=True, check=False
    )


def test_a_model_is_fetched_opened_and_right(
    digits: Installed, held_out: tuple[NDArray[np.float32], NDArray[np.int64]]
) -> None:
    images, labels = held_out
    model = modeldeps.load("digits>=2.1")
    found = model.run(image=images)["probabilities"].argmax(axis=1)
    assert (found == labels).mean() >= 0.9
    assert (model.name, model.version, model.variant, model.provider) == ("digits", "2.1.0", "fp32", "cpu")
    assert (model.path / "labels.txt").read_text().split()[:3] == ["0", "1", "2"]
    assert model.inputs == digits.manifest.inputs
    assert model.outputs == digits.manifest.outputs
    assert repr(model) == "<Model digits 2.1.0, fp32 on cpu>"


def test_the_second_load_needs_no_channel(digits: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    modeldeps.load("digits")
    shutil.rmtree(digits.channel)
    monkeypatch.setenv("MODELDEPS_OFFLINE", "1")
    assert modeldeps.load("digits").version == "2.1.0"


def test_offline_with_nothing_in_the_store_names_sync(
    digits: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_OFFLINE", "1")
    monkeypatch.setenv("MODELDEPS_CHANNELS", "https://models.example.com/")
    with pytest.raises(ModelDepsError, match="modeldeps sync"):
        modeldeps.load("digits")


def test_a_variant_can_be_named(digits: Installed) -> None:
    model = modeldeps.load("digits", variant="int8")
    assert (model.variant, model.decision.variant) == ("int8", "int8")
    assert not (model.path / "digits-fp32.onnx").exists()


def test_the_decision_of_a_model_says_why(digits: Installed) -> None:
    rejected = modeldeps.load("digits").decision.rejected
    assert [one for one in rejected if one.variant == "fp32"] == [
        Rejected("fp32", "cuda", "provider", rejected[0].reason, rejected[0].hint)
    ]


def test_path_gives_the_folder_that_load_would_open(digits: Installed) -> None:
    folder = modeldeps.path("digits")
    assert folder == modeldeps.load("digits").path
    assert sorted(one.name for one in folder.iterdir()) == ["digits-fp32.onnx", "labels.txt"]
    assert (modeldeps.path("digits", variant="int8") / "digits-int8.onnx").is_file()


def test_path_refuses_a_variant_that_is_none(digits: Installed) -> None:
    with pytest.raises(UnknownVariantError, match="fp32, int8"):
        modeldeps.path("digits", variant="fp64")


def test_an_installed_release_that_is_too_old_is_told_with_both_versions(digits: Installed) -> None:
    with pytest.raises(ModelVersionError) as caught:
        modeldeps.load("digits>=2.2")
    assert dict(caught.value.facts)["expected"] == "digits>=2.2"
    assert dict(caught.value.facts)["found"] == "digits 2.1.0"
    assert str(caught.value.hint).endswith('/channel/simple/ "modeldeps-digits>=2.2"')


def test_a_model_that_is_not_installed_names_what_is_and_the_typo(digits: Installed) -> None:
    with pytest.raises(ModelNotInstalledError) as caught:
        modeldeps.load("digit")
    assert caught.value.hint == "did you mean 'digits'?"
    with pytest.raises(ModelNotInstalledError) as caught:
        modeldeps.load("segment>=1")
    assert str(caught.value.hint).endswith('/channel/simple/ "modeldeps-segment>=1"')


def test_the_command_that_installs_a_model_names_the_channel_of_the_user(
    digits: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_CHANNELS", "https://models.example.com/ https://b.example/")
    index = "--extra-index-url https://models.example.com/simple/"
    with pytest.raises(ModelNotInstalledError) as missing:
        modeldeps.load("segment")
    assert missing.value.hint == f"pip install {index} modeldeps-segment"
    with pytest.raises(ModelVersionError) as older:
        modeldeps.load("digits>=2.2")
    assert older.value.hint == f'pip install {index} "modeldeps-digits>=2.2"'
    monkeypatch.setenv("MODELDEPS_CHANNELS", "https://user:secret@models.example.com/")
    with pytest.raises(ModelNotInstalledError) as private:
        modeldeps.load("segment")
    assert private.value.hint == "pip install modeldeps-segment"


@pytest.mark.parametrize("text", ["digits[cuda]", "digits; python_version > '3'", "", "digits @ file:///x"])
def test_what_load_does_not_take_is_refused(digits: Installed, text: str) -> None:
    with pytest.raises(RequirementError):
        modeldeps.load(text)


def test_an_unknown_provider_is_refused_with_those_that_there_are(digits: Installed) -> None:
    with pytest.raises(UnknownProviderError, match="auto, cuda, cpu"):
        modeldeps.load("digits", provider="npu")


def test_the_user_s_provider_counts_where_the_caller_names_none(
    digits: Installed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODELDEPS_PROVIDER", "npu")
    with pytest.raises(UnknownProviderError, match=r"hint: .*MODELDEPS_PROVIDER"):
        modeldeps.load("digits")
    assert modeldeps.load("digits", provider="cpu").provider == "cpu"


def test_a_runtime_below_the_floor_is_told_before_anything_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = install_digits(tmp_path, "3.0.0", runtime=">=99")
    monkeypatch.syspath_prepend(str(found.site))
    with pytest.raises(RuntimeVersionError) as caught:
        modeldeps.load("digits")
    assert dict(caught.value.facts)["expected"] == "onnxruntime>=99"
    assert caught.value.hint == 'pip install --upgrade "modeldeps-digits[cpu]"'
    assert isinstance(obstacle(found.manifest), RuntimeVersionError)
    assert not (tmp_path / "store").exists()


def test_a_broken_manifest_is_told_by_its_file(digits: Installed) -> None:
    file = digits.site / "modeldeps_digits-2.1.0.dist-info" / "model.json"
    file.write_text('{"schema": 1}')
    with pytest.raises(ManifestError, match="is missing"):
        modeldeps.load("digits")


def test_a_model_that_was_broken_as_published_says_which_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = install_digits(tmp_path, damage=b"\x08\x07not a graph")
    monkeypatch.syspath_prepend(str(found.site))
    monkeypatch.setenv("MODELDEPS_CHANNELS", str(found.channel))
    with pytest.raises(OpenError) as caught:
        modeldeps.load("digits")
    assert dict(caught.value.facts)["file"].endswith("digits-fp32.onnx")
    assert "tell the publisher" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"intra_op_threads": 2}, "intra_op_num_threads"),
        ({"intra_op_num_threads": "two"}, "int"),
        ({"graph_optimization_level": "most"}, "ORT_ENABLE_ALL"),
        ({"provider": 1}, "device_id"),
        ({3: 1}, "names of options"),
        (3, "a mapping"),
    ],
)
def test_options_that_are_none_are_refused(digits: Installed, options: object, expected: str) -> None:
    with pytest.raises(OptionError, match=expected):
        modeldeps.load("digits", options=options)


def test_options_reach_onnxruntime(digits: Installed) -> None:
    options = {"intra_op_num_threads": 3, "graph_optimization_level": "ORT_DISABLE_ALL"}
    found = modeldeps.load("digits", options=options).session.get_session_options()
    assert found.intra_op_num_threads == 3
    assert found.graph_optimization_level.name == "ORT_DISABLE_ALL"
    assert found.get_session_config_entry("session.intra_op.allow_spinning") == "0"


def test_the_user_s_own_session_options_are_taken_as_they_are(digits: Installed) -> None:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    assert modeldeps.load("digits", options=options).session.get_session_options().intra_op_num_threads == 2


def test_a_configuration_key_may_be_set_over_the_default(digits: Installed) -> None:
    options = {"session.intra_op.allow_spinning": True}
    found = modeldeps.load("digits", options=options).session.get_session_options()
    assert found.get_session_config_entry("session.intra_op.allow_spinning") == "1"


def test_sync_selects_what_load_would_take(digits: Installed) -> None:
    assert [one.name for one in select(digits.manifest)] == ["fp32"]
    assert [one.name for one in select(digits.manifest, runtime="cuda")] == ["fp32"]
    assert obstacle(digits.manifest) is None


def test_load_writes_nothing_into_the_home_folder(digits: Installed, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    program = "import modeldeps; print(modeldeps.load('digits').provider)"
    environ = {"MODELDEPS_CACHE": str(tmp_path / "store"), "MODELDEPS_CHANNELS": str(digits.channel)}
    ran = run_python(program, digits.site, HOME=str(home), XDG_CACHE_HOME=str(home / "cache"), **environ)
    assert ran.stdout == "cpu\n"
    assert ran.stderr == ""
    assert list(home.rglob("*")) == []


NO_RUNTIME = """
class Hide:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("onnxruntime", "numpy"):
            raise ModuleNotFoundError(name)

sys.meta_path.insert(0, Hide())
"""


def load_in(folder: Path, *paths: Path, provider: str = "auto", before: str = "") -> str:
    """Return what `load` raises in a process of its own."""
    program = f"""{before}
import modeldeps
try:
    print(modeldeps.load("digits", provider={provider!r}))
except modeldeps.ModelDepsError as error:
    print(type(error).__name__, error)
"""
    environ = {"MODELDEPS_CACHE": str(folder / "store"), "MODELDEPS_OFFLINE": "1", "HOME": str(folder)}
    ran = run_python(program, *paths, **environ)
    assert ran.stderr == ""
    return ran.stdout


def test_no_onnxruntime_names_the_extra(digits: Installed, tmp_path: Path) -> None:
    said = load_in(tmp_path, digits.site, before=NO_RUNTIME)
    assert said.startswith(RuntimeMissingError.__name__)
    assert 'hint: pip install "modeldeps-digits[cpu]"  # [cuda] for NVIDIA devices' in said


def test_no_onnxruntime_names_the_cuda_extra_where_cuda_was_asked_for(
    digits: Installed, tmp_path: Path
) -> None:
    said = load_in(tmp_path, digits.site, provider="cuda", before=NO_RUNTIME)
    assert 'hint: pip install "modeldeps-digits[cuda]"\n' in said


def test_the_remains_of_a_runtime_are_told_with_the_cure(
    digits: Installed, tmp_path: Path, lay_wheel: LayWheel
) -> None:
    """A folder without `__init__.py` is an importable namespace; nothing else on the path has one."""
    site = lay_wheel("onnxruntime")
    (site / "onnxruntime" / "__init__.py").unlink()
    hide = f"""
from importlib.machinery import PathFinder

class Only:
    def find_spec(self, name, path=None, target=None):
        return PathFinder.find_spec(name, [{str(site)!r}]) if name == "onnxruntime" else None

sys.meta_path.insert(0, Only())
"""
    said = load_in(tmp_path, digits.site, site, before=hide)
    assert "only the remains of an uninstalled onnxruntime" in said
    assert "hint: pip uninstall -y onnxruntime onnxruntime-gpu &&" in said


def test_cuda_that_does_not_work_is_an_error_and_never_the_cpu(
    digits: Installed, tmp_path: Path, lay_wheel: LayWheel
) -> None:
    said = load_in(tmp_path, lay_wheel("onnxruntime"), digits.site, provider="cuda")
    assert said.startswith(ProviderUnavailableError.__name__)
    assert "fp32 on cuda: onnxruntime 1.31.1 is the CPU build" in said


def test_both_wheels_are_explained_with_the_cure(
    digits: Installed, tmp_path: Path, lay_wheel: LayWheel
) -> None:
    lay_wheel("onnxruntime-gpu")
    said = load_in(tmp_path, lay_wheel("onnxruntime"), digits.site, provider="cuda")
    assert "onnxruntime and onnxruntime-gpu were installed over each other" in said
    assert (
        'hint: pip uninstall -y onnxruntime onnxruntime-gpu && pip install "onnxruntime-gpu[cuda,cudnn]"'
        in said
    )
