"""What `conda models`, `conda doctor` and environment files do, as far as it goes without conda."""

from __future__ import annotations

import hashlib
import io
import json
import os
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from environments import Environment
from releases import Release

from modeldeps import environment
from modeldeps.cli._output import say, worded, write, write_json
from modeldeps.conda._commands import COMMANDS, _note, _parser, in_conda
from modeldeps.conda._examine import examine
from modeldeps.conda._exporter import export
from modeldeps.conda._mend import restore_manifest
from modeldeps.conda._prefix import PointerPackage, looking_in, pointer_packages, site_folders
from modeldeps.conda._project import CUDA, asked, is_project
from modeldeps.errors import ManifestLostError, ProjectError
from modeldeps.publish.conda import conda_package
from modeldeps.runtime import installed
from modeldeps.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from modeldeps.config import Settings
    from modeldeps.manifest import Manifest, Variant

SITE = "Lib/site-packages" if os.name == "nt" else "lib/python3.12/site-packages"
CHANNEL = "https://models.example.com/channel"


@dataclass(frozen=True)
class Prefix:
    """A conda environment, as far as its files tell; conda's cache lies beside it."""

    folder: Path

    @classmethod
    def make(cls, folder: Path, python: str = "3.12.1") -> Prefix:
        (folder / "conda-meta").mkdir(parents=True)
        (folder / SITE).mkdir(parents=True)
        found = cls(folder)
        found.record(name="python", version=python, files=["bin/python"])
        return found

    def record(self, **values: object) -> Path:
        file = self.folder / "conda-meta" / f"{values['name']}-{values['version']}-0.json"
        file.write_text(json.dumps(values))
        return file

    def install(self, release: Release) -> Prefix:
        """Unpack a release's package, link it and record it, as conda does."""
        cache = self.folder.with_name("pkgs")
        cache.mkdir(exist_ok=True)
        made = conda_package(release.wheel(), release.filename, timestamp=1_700_000_000_000)
        archive = cache / made.filename
        archive.write_bytes(made.data)
        extracted = cache / made.filename.removesuffix(".conda")
        with zipfile.ZipFile(io.BytesIO(release.wheel())) as wheel:
            wheel.extractall(extracted / "site-packages")
            names = wheel.namelist()
        for name in names:
            target = self.folder / SITE / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(extracted / "site-packages" / name, target)
        contents = release.contents()
        paths = [
            {"_path": f"site-packages/{one}", "sha256_in_prefix": hashlib.sha256(contents[one]).hexdigest()}
            for one in names
        ]
        self.record(
            name=made.record["name"],
            version=made.record["version"],
            url=f"{CHANNEL}/noarch/{made.filename}",
            sha256=made.record["sha256"],
            files=[f"{SITE}/{one}" for one in names],
            paths_data={"paths_version": 1, "paths": paths},
            package_tarball_full_path=str(archive),
            extracted_package_dir=str(extracted),
        )
        return self

    def package(self) -> PointerPackage:
        (found,) = pointer_packages(self.folder)
        return found


@pytest.fixture
def prefix(tmp_path: Path) -> Prefix:
    return Prefix.make(tmp_path / "env").install(Release())


@pytest.fixture
def store(store_settings: Settings) -> Store:
    return Store.open(store_settings)


def every(manifest: Manifest) -> tuple[Variant, ...]:
    return manifest.variants


def bring(prefix: Prefix, store: Store, tmp_path: Path) -> None:
    """Fetch what the environment's model needs from a channel of wheels."""
    Release().build(tmp_path / "channel")
    Environment(prefix.folder / SITE, store, tmp_path / "channel").use()


def test_a_package_with_a_manifest_is_known_by_its_record_and_not_by_its_name(prefix: Prefix) -> None:
    prefix.record(name="modeldeps-fake", version="1", files=["share/nothing"])
    found = prefix.package()
    assert (found.name, found.version, found.channel) == ("modeldeps-digits", "2.1.0", f"{CHANNEL}/")
    assert found.member == "site-packages/modeldeps_digits-2.1.0.dist-info/model.json"
    assert found.file.is_file()


@pytest.mark.parametrize(
    "record",
    ["{", "[]", '"model.json"', '{"files": "x.dist-info/model.json"}', '{"files": [1, null]}'],
)
def test_records_that_are_none_are_left_out(prefix: Prefix, record: str) -> None:
    (prefix.folder / "conda-meta" / "model.json.json").write_text(record + " " * 5)
    (prefix.folder / "conda-meta" / "deep.json").write_text("[" * 100_000 + "model.json")
    assert prefix.package().name == "modeldeps-digits"


@pytest.mark.parametrize(
    "path", ["/etc/x.dist-info/model.json", "../x.dist-info/model.json", "C:x.dist-info/model.json"]
)
def test_a_record_never_leads_out_of_its_environment(prefix: Prefix, path: str) -> None:
    prefix.record(name="bad", version="1", files=[path])
    assert prefix.package().name == "modeldeps-digits"


def test_site_folders_are_those_of_the_recorded_python(tmp_path: Path) -> None:
    found = Prefix.make(tmp_path / "env", "3.13.0")
    named = "Lib/site-packages" if os.name == "nt" else "lib/python3.13/site-packages"
    assert site_folders(found.folder) == (str(found.folder / named),)
    found.record(name="python", version="3.13.0", python_site_packages_path="lib/python3.13t/site-packages")
    assert site_folders(found.folder) == (str(found.folder / "lib/python3.13t/site-packages"),)
    found.record(name="python", version="3.13.0", python_site_packages_path="../elsewhere")
    assert site_folders(found.folder) == ()


def test_an_environment_without_python_has_no_site_folders(tmp_path: Path) -> None:
    (tmp_path / "conda-meta").mkdir()
    assert site_folders(tmp_path) == ()
    with looking_in(tmp_path):
        assert environment.pointers() == ()


def test_all_of_modeldeps_looks_at_the_environment_and_then_at_its_own_again(prefix: Prefix) -> None:
    runtime = prefix.folder / SITE / "onnxruntime"
    (runtime / "capi").mkdir(parents=True)
    (runtime / "__init__.py").write_text('__version__ = "1.2.3"\n')
    here = installed()
    with looking_in(prefix.folder):
        assert [one.name for one in environment.pointers()] == ["digits"]
        assert getattr(installed(), "version", "") == "1.2.3"
    assert environment.find("digits") is None
    assert installed() == here


def test_what_was_never_fetched_is_missing(prefix: Prefix, store: Store) -> None:
    faults = examine(prefix.folder, store, every).faults
    assert sorted(one.text.split(",")[0] for one in faults) == [
        "labels.txt is missing",
        "model.onnx is missing",
    ]
    assert {one.model for one in faults} == {"digits 2.1.0"}


def test_altered_bytes_are_found_by_hashing_and_used_by_nobody_afterwards(
    prefix: Prefix, store: Store, tmp_path: Path
) -> None:
    bring(prefix, store, tmp_path)
    assert examine(prefix.folder, store, every).faults == ()
    (blob,) = (one for one in store.root.glob("blobs/sha256/*/*") if one.read_bytes() == Release().payload)
    times = blob.stat()
    blob.chmod(0o644)
    with blob.open("r+b") as stream:
        stream.write(b"W")
    blob.chmod(0o444)
    os.utime(blob, ns=(times.st_atime_ns, times.st_mtime_ns))
    (fault,) = examine(prefix.folder, store, every).faults
    assert fault.text.startswith("model.onnx was altered (its sha256 is ")
    (file,) = (one for one in _pointer(prefix).manifest().all_files() if one.path == "model.onnx")
    assert store.find(file) is None


def _pointer(prefix: Prefix) -> environment.Pointer:
    found = environment.find("digits", [str(prefix.folder / SITE)])
    assert found is not None
    return found


def test_an_altered_and_a_missing_manifest_are_found_and_restored(
    prefix: Prefix, store: Store, tmp_path: Path
) -> None:
    bring(prefix, store, tmp_path)
    file = prefix.package().file
    right = file.read_bytes()
    cached = prefix.folder.with_name("pkgs") / "modeldeps-digits-2.1.0-pointer_1" / prefix.package().member
    with file.open("r+b") as stream:
        stream.write(b" ")
    assert cached.read_bytes() == file.read_bytes() != right  # one file, as hard links
    (fault,) = examine(prefix.folder, store, every).faults
    assert fault.text.endswith("model.json was altered")
    assert fault.package is not None
    restore_manifest(fault.package)
    assert cached.read_bytes() == file.read_bytes() == right
    file.unlink()
    (fault,) = examine(prefix.folder, store, every).faults
    assert fault.text.endswith("model.json is missing")
    assert fault.package is not None
    restore_manifest(fault.package)
    assert examine(prefix.folder, store, every).faults == ()


def test_a_manifest_is_never_restored_out_of_a_package_that_is_another(prefix: Prefix) -> None:
    file = prefix.folder / "conda-meta" / "modeldeps-digits-2.1.0-0.json"
    record = json.loads(file.read_text())
    for one in record["paths_data"]["paths"]:
        one["sha256_in_prefix"] = "0" * 64
    file.write_text(json.dumps({**record, "url": ""}))
    before = prefix.package().file.read_bytes()
    with pytest.raises(ManifestLostError, match="does not hold the manifest") as caught:
        restore_manifest(prefix.package())
    assert caught.value.hint == "conda install --force-reinstall modeldeps-digits"
    assert prefix.package().file.read_bytes() == before


def test_a_broken_manifest_that_pip_installed_is_told(prefix: Prefix, store: Store, tmp_path: Path) -> None:
    bring(prefix, store, tmp_path)
    info = prefix.folder / SITE / "modeldeps_other-1.0.dist-info"
    info.mkdir()
    (info / "model.json").write_text("{}")
    (fault,) = examine(prefix.folder, store, every).faults
    assert fault.model == "other 1.0"
    assert "model.json" in fault.text


def test_an_environment_that_noted_nothing_keeps_its_bytes(
    prefix: Prefix, store: Store, tmp_path: Path
) -> None:
    bring(prefix, store, tmp_path)
    for note in store.notes():
        note.file.unlink()
    assert not list(store.notes())
    _note(prefix.folder)
    (note,) = store.notes()
    assert (note.use.kind, note.use.place) == ("conda", str(prefix.folder))


def test_the_export_is_what_a_project_declares(prefix: Prefix, tmp_path: Path) -> None:
    written = tmp_path / "modeldeps.toml"
    written.write_text(export(prefix_as_conda_has_it(prefix)))
    found = asked(written, "linux-64")
    assert found.specs == ("python", "modeldeps-digits ==2.1.0")
    assert found.channels == (f"{CHANNEL}/",)


def prefix_as_conda_has_it(prefix: Prefix) -> object:
    @dataclass
    class CondaEnvironment:
        prefix: str

    return CondaEnvironment(str(prefix.folder))


def project(folder: Path, text: str) -> Path:
    file = folder / "pyproject.toml"
    file.write_text(text)
    return file


PROJECT = """
[project]
name = "Demo_App"
requires-python = ">=3.10,<3.13"
dynamic = ["dependencies"]
[tool.modeldeps]
dependencies = [
  "numpy~=2.1", "tomli>=2; python_version < '3.11'", "old; python_version < '3.9'",
  "pywin32; sys_platform == 'win32'", "torch>=2",
]
models = ["digits>=2.1,!=2.2", "wakeword~=0.5"]
channels = ["https://models.example.com"]
"""


def test_a_project_is_translated_for_its_platform(tmp_path: Path) -> None:
    found = asked(project(tmp_path, PROJECT), "linux-64")
    assert found.name == "demo_app"
    assert found.channels == ("https://models.example.com/",)
    names = [one.split(" ")[0] for one in found.specs]
    assert names == ["python", "numpy", "tomli", "pytorch", "modeldeps-digits", "modeldeps-wakeword"]
    assert found.specs[0].startswith("python >=3.10,<3.13")
    assert "pywin32" in asked(project(tmp_path, PROJECT), "win-64").specs


def test_a_project_of_static_dependencies_counts_too(tmp_path: Path) -> None:
    file = project(tmp_path, '[project]\nname = "a"\ndependencies = ["modeldeps-digits[cpu]>=2.1"]\n')
    assert is_project(file)
    assert asked(file, "osx-arm64").specs == ("python", "modeldeps-digits >=2.1")


def test_the_cuda_runtime_is_asked_for_by_its_build(tmp_path: Path) -> None:
    file = project(tmp_path, '[tool.modeldeps]\nmodels = ["digits"]\nruntime = "cuda"\n')
    assert asked(file, "linux-64").specs == ("python", "modeldeps-digits", CUDA)


def test_everything_that_is_wrong_in_a_project_is_told_at_once(tmp_path: Path) -> None:
    text = '[project]\nrequires-python = "three"\ndependencies = ["a @ https://x.example/a.whl", "b >>"]\n'
    file = project(tmp_path, text + '[tool.modeldeps]\nmodels = ["digits"]\n')
    with pytest.raises(ProjectError) as caught:
        asked(file, "linux-64")
    assert len(caught.value.problems) == 3


def test_only_a_project_with_models_is_an_environment_file(tmp_path: Path) -> None:
    assert not is_project(tmp_path / "pyproject.toml")
    assert not is_project(project(tmp_path, '[project]\nname = "a"\n'))
    assert not is_project(project(tmp_path, "[tool.modeldeps.model]\nname = 'a'\n"))
    other = tmp_path / "environment.yml"
    other.write_text("[tool.modeldeps]\nmodels = []\n")
    assert not is_project(other)
    with pytest.raises(ProjectError):
        is_project(project(tmp_path, "dependencies:\n"))


def test_commands_are_named_as_conda_has_them() -> None:
    assert in_conda("hint: modeldeps sync digits") == "hint: conda models sync digits"
    assert in_conda("pip install modeldeps") == "pip install modeldeps"
    runtime = 'hint: pip install "modeldeps-digits[cpu]"  # [cuda] for NVIDIA devices'
    assert in_conda(runtime) == "hint: conda install onnxruntime"
    again = 'pip install --force-reinstall --no-deps "modeldeps-digits==2.1.0"'
    assert in_conda(again) == "conda install --force-reinstall modeldeps-digits"
    assert in_conda("modeldeps build DIR") == "modeldeps build DIR"


def test_talk_and_tables_are_worded_and_json_is_not(capsys: pytest.CaptureFixture[str]) -> None:
    text = "modeldeps sync digits"
    with worded(in_conda):
        write(text)
        say(text)
        write_json([text])
    write(text)
    said = capsys.readouterr()
    assert said.out.split("\n")[:4] == ["conda models sync digits", "[", f'  "{text}"', "]"]
    assert said.out.endswith(f"{text}\n")
    assert said.err == "conda models sync digits\n"


def test_the_help_says_what_to_type_under_conda(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        _parser(["list", "--help"]).parse_args(["list", "--help"])
    assert caught.value.code == 0
    said = capsys.readouterr().out
    assert "conda models list --json" in said
    assert "modeldeps list" not in said.replace("conda models list", "")


def test_an_environment_may_be_named_beside_a_model_and_none_for_the_store() -> None:
    parsed = _parser(["show"]).parse_args(["show", "-n", "app", "digits"])
    assert (parsed.environment_name, parsed.name) == ("app", "digits")
    with pytest.raises(SystemExit):
        _parser(["cache"]).parse_args(["cache", "info", "-n", "app"])


def test_only_commands_about_environments_and_the_store_are_offered(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as caught:
        _parser(["publish"]).parse_args(["publish", "x"])
    assert caught.value.code == 2
    assert "invalid choice: 'publish'" in capsys.readouterr().err
    assert "sync" in COMMANDS
