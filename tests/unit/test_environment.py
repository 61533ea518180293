"""Pointer packages are found where the import system would find their distribution."""

from __future__ import annotations

import json
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from modeldeps import environment
from modeldeps.errors import InvalidNameError, ManifestError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

DIGEST = "0" * 64


def model_json(name: str, version: str) -> str:
    file = {"path": "model.onnx", "size": 1, "sha256": DIGEST}
    variant = {"name": "fp32", "format": "onnx", "entry": "model.onnx", "files": [file]}
    release = {
        "name": name,
        "version": version,
        "summary": "A model",
        "license": "MIT",
        "variants": [variant],
    }
    return json.dumps({"schema": 1, **release})


def install(
    site: Path, title: str, version: str, text: str | None = None, requires: Sequence[str] = ()
) -> Path:
    """Lay a distribution into a folder, as an installer does; `text` is its model.json."""
    folder = site / f"{title}-{version}.dist-info"
    folder.mkdir(parents=True)
    lines = ["Metadata-Version: 2.4", f"Name: {title.replace('_', '-')}", f"Version: {version}"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    (folder / "METADATA").write_text("\n".join(lines) + "\n")
    if text is not None:
        (folder / "model.json").write_text(text)
    return folder


def install_model(site: Path, name: str, version: str = "2.1.0") -> Path:
    return install(site, f"modeldeps_{name.replace('-', '_')}", version, model_json(name, version))


def test_a_pointer_is_found_with_its_version_and_folder(tmp_path: Path) -> None:
    folder = install_model(tmp_path, "digits")
    found = environment.find("digits", [str(tmp_path)])
    assert found == environment.Pointer("digits", "2.1.0", folder)
    assert found.manifest().name == "digits"


@pytest.mark.parametrize("spelling", ["Wake_Word", "wake.word", "WAKE-WORD"])
def test_every_spelling_of_a_name_finds_the_same_pointer(tmp_path: Path, spelling: str) -> None:
    install_model(tmp_path, "wake-word")
    found = environment.find(spelling, [str(tmp_path)])
    assert found is not None
    assert found.name == "wake-word"


@pytest.mark.parametrize("title", ["modeldeps-digits", "Modeldeps.Digits", "modeldeps_digits"])
def test_every_spelling_of_the_folder_is_understood(tmp_path: Path, title: str) -> None:
    install(tmp_path, title, "2.1.0", model_json("digits", "2.1.0"))
    assert environment.find("digits", [str(tmp_path)]) is not None


def test_a_distribution_without_a_manifest_is_no_pointer(tmp_path: Path) -> None:
    install(tmp_path, "modeldeps_hub", "1.0")
    install(tmp_path, "modeldeps", "0.1.0")
    assert environment.find("hub", [str(tmp_path)]) is None
    assert environment.pointers([str(tmp_path)]) == ()


def test_a_manifest_in_another_distribution_is_no_pointer(tmp_path: Path) -> None:
    install(tmp_path, "digits", "2.1.0", model_json("digits", "2.1.0"))
    assert environment.find("digits", [str(tmp_path)]) is None


def test_the_first_folder_on_the_path_wins(tmp_path: Path) -> None:
    install_model(tmp_path / "a", "digits", "2.0.0")
    install_model(tmp_path / "b", "digits", "2.1.0")
    paths = [str(tmp_path / "a"), str(tmp_path / "b")]
    first = environment.find("digits", paths)
    assert first is not None
    assert first.version == "2.0.0"
    assert [one.version for one in environment.pointers(paths)] == ["2.0.0"]


def test_the_newest_release_wins_where_a_broken_upgrade_left_two(tmp_path: Path) -> None:
    for version in ("2.9.0", "2.10.0", "2.1.0"):
        install_model(tmp_path, "digits", version)
    found = environment.find("digits", [str(tmp_path)])
    assert found is not None
    assert found.version == "2.10.0"


def test_pointers_are_sorted_and_each_listed_once(tmp_path: Path) -> None:
    for name in ("wakeword", "digits", "ocr"):
        install_model(tmp_path, name)
    paths = [str(tmp_path), str(tmp_path), str(tmp_path / "absent")]
    assert [one.name for one in environment.pointers(paths)] == ["digits", "ocr", "wakeword"]


def test_the_default_paths_are_those_of_the_import_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_model(tmp_path, "digits")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    found = environment.find("digits")
    assert found is not None
    assert found in environment.pointers()


def test_an_empty_path_entry_is_the_current_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_model(tmp_path, "digits")
    monkeypatch.chdir(tmp_path)
    assert environment.find("digits", [""]) is not None


def test_a_pointer_in_a_zip_file_is_found(tmp_path: Path) -> None:
    folder = install_model(tmp_path / "site", "digits")
    archive = tmp_path / "bundle.zip"
    with zipfile.ZipFile(archive, "w") as written:
        for one in folder.iterdir():
            written.write(one, f"{folder.name}/{one.name}")
    found = environment.find("digits", [str(archive)])
    assert found is not None
    assert found.manifest().version == "2.1.0"
    assert [one.name for one in environment.pointers([str(archive)])] == ["digits"]


def test_a_name_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidNameError):
        environment.find("../digits", [str(tmp_path)])


def test_a_broken_manifest_names_its_file_and_the_cure(tmp_path: Path) -> None:
    folder = install(tmp_path, "modeldeps_digits", "2.1.0", "{")
    found = environment.find("digits", [str(tmp_path)])
    assert found is not None
    with pytest.raises(ManifestError) as caught:
        found.manifest()
    assert str(folder / "model.json") in str(caught.value)
    assert caught.value.hint == 'pip install --force-reinstall --no-deps "modeldeps-digits==2.1.0"'


def test_a_manifest_of_another_release_is_refused(tmp_path: Path) -> None:
    install(tmp_path, "modeldeps_digits", "2.1.0", model_json("letters", "3.0.0"))
    found = environment.find("digits", [str(tmp_path)])
    assert found is not None
    with pytest.raises(ManifestError) as caught:
        found.manifest()
    assert [one.key for one in caught.value.problems] == ["name", "version"]
    assert "--force-reinstall" in str(caught.value)


def test_a_manifest_that_went_away_is_a_manifest_error(tmp_path: Path) -> None:
    gone = environment.Pointer("digits", "2.1.0", tmp_path / "modeldeps_digits-2.1.0.dist-info")
    with pytest.raises(ManifestError, match="expected a readable file"):
        gone.manifest()


def test_requirers_are_named_with_what_they_ask_for(tmp_path: Path) -> None:
    install(tmp_path, "app", "1.0", requires=["modeldeps-digits[cpu]>=2.1", "numpy>=2"])
    install(tmp_path, "other_app", "1.0", requires=["Modeldeps_Digits ; extra == 'gpu'"])
    install(tmp_path, "letters_app", "1.0", requires=["modeldeps-digits-letters>=1"])
    assert environment.requirers("digits", [str(tmp_path)]) == (
        environment.Requirer("app", "modeldeps-digits[cpu]>=2.1"),
        environment.Requirer("other-app", "Modeldeps_Digits ; extra == 'gpu'"),
    )


def test_a_pointer_that_lost_its_manifest_is_among_the_remains(tmp_path: Path) -> None:
    whole = install_model(tmp_path, "ocr")
    broken = install_model(tmp_path, "digits")
    for folder in (whole, broken):
        (folder / "RECORD").write_text(f"{folder.name}/model.json,sha256=x,1\n")
    (broken / "model.json").unlink()
    assert environment.remains([str(tmp_path)]) == (broken,)
