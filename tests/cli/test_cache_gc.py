"""`modeldeps cache gc`, `info`, `pin` and `unpin`, in processes of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from releases import Release

if TYPE_CHECKING:
    from pathlib import Path

DIGITS, VOICE = b"digits" * 1000, b"voice" * 1000
LABELS = len(Release().labels)


@dataclass(frozen=True)
class Machine:
    """Environments that share a store and a channel."""

    root: Path

    def install(self, site: str, release: Release) -> None:
        release.build(self.root / "dist")
        with zipfile.ZipFile(self.root / "dist" / release.filename) as wheel:
            wheel.extractall(self.root / site)

    def run(self, *words: str, site: str = "none", cwd: str = ".") -> subprocess.CompletedProcess[str]:
        found = {**os.environ, "PYTHONPATH": str(self.root / site)}
        found["MODELDEPS_CHANNELS"] = str(self.root / "dist")
        return subprocess.run(
            [sys.executable, "-m", "modeldeps", *words],
            capture_output=True,
            text=True,
            env=found,
            cwd=self.root / cwd,
            check=False,
        )

    def cache(self, *words: str, site: str = "none", cwd: str = ".") -> Any:
        done = self.run("cache", *words, "--json", site=site, cwd=cwd)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Return a machine on which `one` has digits, and `two` has digits and voice."""
    found = Machine(tmp_path)
    found.install("one", Release(payload=DIGITS))
    found.install("two", Release(payload=DIGITS))
    found.install("two", Release(name="voice", version="1.0.0", payload=VOICE))
    for site in ("one", "two"):
        done = found.run("sync", "digits", *(["voice"] if site == "two" else []), site=site)
        assert done.returncode == 0, done.stderr
    return found


def test_info_tells_what_each_costs_what_is_shared_and_what_is_freed_if_it_goes(machine: Machine) -> None:
    found = machine.cache("info")
    costs = {one["path"].rpartition(os.sep)[2]: one for one in found["environments"]}
    assert costs["one"]["models"] == ["digits 2.1.0 fp32"]
    assert costs["two"]["models"] == ["digits 2.1.0 fp32", "voice 1.0.0 fp32"]
    size = {"one": len(DIGITS) + LABELS, "two": len(DIGITS) + len(VOICE) + LABELS}
    assert {name: one["bytes"] for name, one in costs.items()} == size
    assert {name: one["frees"] for name, one in costs.items()} == {"one": 0, "two": len(VOICE)}
    assert {one["state"] for one in costs.values()} == {"in use"}
    variants = {one["name"]: one for one in found["variants"]}
    assert variants["digits"]["frees"] == len(DIGITS)
    assert variants["digits"]["shared"] == variants["voice"]["shared"] == LABELS
    assert len(variants["digits"]["environments"]) == 2
    assert (found["needed"], found["waiting"], found["freeable"]) == (size["two"], 0, 0)


def test_info_is_readable(machine: Machine) -> None:
    lines = machine.run("cache", "info").stdout.splitlines()
    (two,) = [line for line in lines if line.startswith(str(machine.root / "two"))]
    assert two.split()[1:7] == ["2", "11.0", "kB", "6.0", "kB", "5.0"]
    assert two.endswith("in use")
    assert any(line.startswith("digits 2.1.0 fp32") and line.endswith("2") for line in lines)


def test_gc_says_what_would_go_and_who_used_it_last_and_then_frees_it(machine: Machine) -> None:
    shutil.rmtree(machine.root / "two")
    done = machine.run("cache", "gc", "--dry-run", "--keep-days", "0")
    assert done.returncode == 0
    assert done.stdout.splitlines()[1].startswith("voice 1.0.0 fp32  5.0 kB")
    assert f"{machine.root / 'two'}" in done.stdout
    assert done.stdout.rstrip().endswith("the environment is gone")
    assert "would free 5.0 kB; 6.0 kB is needed" in done.stderr
    planned = machine.cache("gc", "--dry-run", "--keep-days", "0")
    freed = machine.cache("gc", "--keep-days", "0")
    assert freed["dry_run"] is False
    assert freed["freed"] == planned["freed"] == len(VOICE)
    assert freed["gone"] == planned["gone"]
    (blob,) = [one for one in freed["gone"] if one["kind"] == "blob"]
    assert blob["last"]["model"] == "voice"
    assert blob["last"]["path"] == str(machine.root / "two")
    assert machine.cache("info")["bytes"] == len(DIGITS) + LABELS
    assert machine.run("sync", "digits", "--offline", site="one").returncode == 0


def test_gc_keeps_what_was_used_lately(machine: Machine) -> None:
    shutil.rmtree(machine.root / "two")
    done = machine.run("cache", "gc")
    assert "freed 0 B; 6.0 kB is needed, 5.0 kB is kept for a while" in done.stderr
    assert done.stdout == ""


def test_gc_never_frees_what_this_environment_names_though_nobody_noted_it(machine: Machine) -> None:
    shutil.rmtree(machine.root / "store" / "roots")
    assert machine.cache("gc", "--dry-run", "--keep-days", "0", site="two")["freed"] == 0
    assert machine.cache("gc", "--dry-run", "--keep-days", "0", site="one")["freed"] == len(VOICE)
    machine.cache("gc", "--keep-days", "0", site="one")
    assert {one.parts[-3] for one in (machine.root / "store" / "models").glob("*/*/*")} == {"digits"}


def test_gc_says_which_note_can_t_be_read_and_keeps_the_models(machine: Machine) -> None:
    shutil.rmtree(machine.root / "two")
    (note,) = [one for one in (machine.root / "store" / "roots").glob("*/*") if "voice" in one.read_text()]
    note.write_bytes(b"")
    done = machine.run("cache", "gc", "--keep-days", "0", site="one")
    assert (done.returncode, done.stdout) == (0, "")
    assert (
        f"kept: all models: a note can't be read, and what it was for is not known: {note}\nhint: "
        in done.stderr
    )
    assert [one["path"] for one in machine.cache("gc", "--dry-run")["damaged"]] == [str(note)]
    assert machine.cache("info")["damaged_notes"] == [str(note)]
    assert f"{note}, a note of who uses what" in machine.run("cache", "info").stdout
    assert machine.cache("gc", "--keep-days", "0", "--unsure-days", "0")["freed"] == len(VOICE)


def test_gc_says_which_environments_are_out_of_sight(machine: Machine) -> None:
    for note in (machine.root / "store" / "roots").glob("*/*"):
        note.write_text(note.read_text().replace('"machine": "', '"machine": "x'))
    shutil.rmtree(machine.root / "two")
    done = machine.run("cache", "gc", "--keep-days", "0")
    assert (
        f"kept: {machine.root / 'two'} (another machine or container): it belongs to another" in done.stderr
    )
    assert "it counts until it was not used for 90 days" in done.stderr
    found = machine.cache("gc", "--keep-days", "0")
    assert {one["model"] for one in found["unsure"]} == {"digits", "voice"}
    assert machine.cache("gc", "--keep-days", "0", "--unsure-days", "0")["freed"] == len(VOICE)


@pytest.mark.parametrize("words", [("--keep-days", "-1"), ("--keep-days", "x"), ("--keep-days", "9" * 400)])
def test_gc_with_other_than_days_is_wrong_usage(machine: Machine, words: tuple[str, ...]) -> None:
    done = machine.run("cache", "gc", *words)
    assert done.returncode == 2
    assert "expected days from 0 to 36500" in done.stderr


def test_gc_of_nothing_makes_nothing(tmp_path: Path) -> None:
    done = Machine(tmp_path).run("cache", "gc")
    assert (done.returncode, done.stdout) == (0, "")
    assert not (tmp_path / "store").exists()


def test_a_pin_keeps_a_model_and_is_listed_and_taken_away(machine: Machine) -> None:
    (machine.root / "app").mkdir()
    (machine.root / "app" / "pyproject.toml").write_text("[project]\nname = 'app'\n")
    done = machine.run("cache", "pin", "voice", site="two", cwd="app")
    assert done.stdout.splitlines()[1].endswith(f"pin of {machine.root / 'app'}  pinned")
    (pin,) = machine.cache("pin")
    assert (pin["name"], pin["project"]) == ("voice", str(machine.root / "app"))
    shutil.rmtree(machine.root / "two")
    assert machine.cache("gc", "--keep-days", "0")["freed"] == 0
    assert machine.run("cache", "unpin", "voice").returncode == 3
    done = machine.run("cache", "unpin", "voice", "--project", "app")
    assert done.stderr == "unpinned voice 1.0.0 fp32\n"
    assert machine.cache("gc", "--keep-days", "0")["freed"] == len(VOICE)


def test_a_pin_whose_project_is_gone_is_shown_as_ended_and_is_freed_or_taken_away(machine: Machine) -> None:
    (machine.root / "app").mkdir()
    (machine.root / "app" / "pyproject.toml").write_text("[project]\nname = 'app'\n")
    machine.run("cache", "pin", "voice", "digits", site="two", cwd="app")
    assert {one["state"] for one in machine.cache("pin")} == {"pinned"}
    (machine.root / "app" / "pyproject.toml").unlink()
    done = machine.run("cache", "pin")
    assert [line.rpartition("  ")[2] for line in done.stdout.splitlines()[1:]] == [
        "its pyproject.toml is gone"
    ] * 2
    assert "hint: `modeldeps cache gc` takes such pins away in time; at once:" in done.stderr
    assert done.stderr.endswith(f" --project {machine.root / 'app'}\n")
    assert machine.run("cache", "unpin", "digits", cwd="app").returncode == 0
    shutil.rmtree(machine.root / "two")
    assert machine.cache("gc", "--keep-days", "0")["freed"] == len(VOICE)
    assert machine.cache("pin") == []


def test_any_release_that_somebody_used_can_be_pinned(machine: Machine) -> None:
    shutil.rmtree(machine.root / "two")
    (pin,) = machine.cache("pin", "voice==1.0.0")
    assert (pin["name"], pin["project"]) == ("voice", "")
    machine.cache("gc", "--keep-days", "0")
    assert machine.cache("info")["bytes"] == len(DIGITS) + len(VOICE) + LABELS


def test_where_nothing_is_pinned_that_is_said(machine: Machine) -> None:
    done = machine.run("cache", "pin")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "nothing is pinned\n")
    assert machine.cache("pin") == []


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        ("pin nothing", "pip install modeldeps-nothing && modeldeps sync"),
        ("pin digits==9.9.9", "pip install modeldeps-digits && modeldeps sync"),
        ("unpin digits", "modeldeps cache pin"),
    ],
)
def test_what_the_store_does_not_know_can_be_neither_pinned_nor_unpinned(
    machine: Machine, words: str, hint: str
) -> None:
    done = machine.run("cache", *words.split(), site="one")
    assert done.returncode == 3
    assert done.stderr.startswith("error: the store knows nothing of ")
    assert done.stderr.endswith(f"hint: {hint}\n")


def test_a_name_that_is_none_is_told(machine: Machine) -> None:
    done = machine.run("cache", "pin", "../x")
    assert done.returncode == 2
    assert "found:    '../x'" in done.stderr
