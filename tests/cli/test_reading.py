"""`list`, `show` and `doctor` say what is here, and what is wrong with it."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from machines import install_digits
from scripted import scripted

import modeldeps
from modeldeps.cli import main
from modeldeps.manifest import Dataset, Lineage, Metric, dump

if TYPE_CHECKING:
    from pathlib import Path

    from machines import Installed

    from modeldeps.manifest import Manifest


@pytest.fixture
def digits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installed:
    found = install_digits(tmp_path)
    channel = found.channel / "simple"
    channel.mkdir()
    page = {"meta": {"api-version": "1.1"}, "projects": [{"name": "modeldeps-digits"}]}
    (channel / "index.json").write_text(json.dumps(page))
    monkeypatch.setattr(sys, "path", [str(found.site), *sys.path])
    monkeypatch.setenv("MODELDEPS_CHANNELS", str(found.channel))
    monkeypatch.chdir(tmp_path)
    return found


def rewrite(found: Installed, manifest: Manifest) -> None:
    (found.site / "modeldeps_digits-2.1.0.dist-info" / "model.json").write_bytes(dump(manifest))


def break_manifest(found: Installed) -> None:
    (found.site / "modeldeps_digits-2.1.0.dist-info" / "model.json").write_text('{"schema": 1}')


def said(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> str:
    assert main(words) == status
    return capsys.readouterr().out


def read_json(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> Any:
    return json.loads(said(capsys, *words, "--json", status=status))


def findings(capsys: pytest.CaptureFixture[str], *words: str, status: int = 0) -> dict[str, dict[str, str]]:
    found = read_json(capsys, "doctor", *words, status=status)
    assert isinstance(found, list)
    return {one["subject"]: one for one in found}


def test_list_tells_what_would_be_taken_and_whether_it_is_here(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    header, row = said(capsys, "list").splitlines()
    assert header.split() == ["MODEL", "VERSION", "VARIANT", "PROVIDER", "SIZE", "CACHED", "SUMMARY"]
    assert row.split() == ["digits", "2.1.0", "fp32", "cpu", "39.2", "kB", "no", "Digits"]
    modeldeps.load("digits")
    assert said(capsys, "list").splitlines()[1].split()[6] == "yes"


def test_list_as_json_has_the_same(digits: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    found = read_json(capsys, "list")["models"]
    assert isinstance(found, list)
    (one,) = found
    assert {key: one[key] for key in ("name", "variant", "provider", "cached", "problem")} == {
        "name": "digits",
        "variant": "fp32",
        "provider": "cpu",
        "cached": False,
        "problem": None,
    }


def test_list_of_nothing_says_so_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    assert main(["list"]) == 0
    assert capsys.readouterr() == ("", "no model is installed in this environment\n")


def test_list_goes_on_past_a_broken_manifest_and_returns_1(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    break_manifest(digits)
    assert main(["list"]) == 1
    output = capsys.readouterr()
    assert "its manifest is broken" in output.out
    assert "name: is missing" in output.err


def test_show_is_a_card(digits: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    lineage = Lineage(
        data=(Dataset("digits", "https://example.com/digits"),),
        parent="digits==2.0.0",
        repository="https://example.com/train",
        commit="abc",
        parameters={"seed": 1},
    )
    classes = {"seven": 0.91, "one": 1.0}
    metric = Metric("digits", "accuracy", 0.98, "held out", "fp32", classes)
    rewrite(
        digits, replace(digits.manifest, lineage=lineage, metrics=(metric,), changes="Better at sevens.\n")
    )
    card = said(capsys, "show", "digits")
    lines = [" ".join(line.split()) for line in card.splitlines()]
    for expected in (
        "digits 2.1.0",
        "license MIT",
        "size 39.2 kB (fp32), 51.2 kB in all",
        "cached no",
        "required by nothing in this environment",
        "image float32 [batch, 8, 8] 0..16 Grey images",
        "probabilities float32 [batch, 10]",
        "fp32 onnx fp32 39.2 kB cpu, cuda >=1.17 no",
        "taken fp32 on cpu onnxruntime " + str(modeldeps.load("digits").decision.chosen).split("'")[-2][12:],
        "digits held out accuracy 0.98 fp32",
        "seven 0.91",
        "parent digits==2.0.0",
        "code https://example.com/train at abc",
        "parameters seed = 1",
        "Better at sevens.",
    ):
        assert expected in lines, card
    assert lines.index("seven 0.91") < lines.index("one 1")


def test_show_tells_who_asks_for_it(digits: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    app = digits.site / "reader-1.0.dist-info"
    app.mkdir()
    text = "Metadata-Version: 2.1\nName: reader\nVersion: 1.0\nRequires-Dist: modeldeps-digits[cpu]>=2.1\n"
    (app / "METADATA").write_text(text)
    assert "reader (modeldeps-digits[cpu]>=2.1)" in said(capsys, "show", "digits")
    found = read_json(capsys, "show", "digits")
    assert isinstance(found, dict)
    expected = [{"distribution": "reader", "requirement": "modeldeps-digits[cpu]>=2.1"}]
    assert found["here"]["required_by"] == expected


def test_show_as_json_is_the_manifest_and_this_machine(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = modeldeps.path("digits")
    found = read_json(capsys, "show", "digits")
    assert isinstance(found, dict)
    assert found["name"] == "digits"
    assert found["here"]["path"] == str(folder)
    assert found["here"]["cached"] == {"fp32": True, "int8": False}
    assert [one["accepted"] for one in found["here"]["candidates"]] == [False, False, True, True]


def test_show_of_a_model_that_is_not_here_guesses(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["show", "digit"]) == 3
    assert "hint: did you mean 'digits'?" in capsys.readouterr().err


def test_show_says_what_keeps_a_model_from_running(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    variants = tuple(
        replace(one, requires=replace(one.requires, runtime=">=99")) for one in digits.manifest.variants
    )
    rewrite(digits, replace(digits.manifest, variants=variants))
    card = said(capsys, "show", "digits")
    assert "digits 2.1.0 does not run with the installed ONNX Runtime" in card
    assert 'hint: pip install --upgrade "modeldeps-digits[cpu]"' in card
    assert "does not run" in findings(capsys, status=1)["digits 2.1.0"]["text"]


def test_doctor_finds_nothing_wrong_where_nothing_is(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    modeldeps.load("digits")
    found = findings(capsys)
    assert {found[one]["state"] for one in ("python", "onnxruntime", "cpu", "store", "channel")} == {"ok"}
    assert found["channel"]["text"] == f"{digits.channel.as_uri()}/ has 1 model"
    assert found["digits 2.1.0"]["text"].startswith("fp32 on cpu: onnxruntime")
    assert "not fp32 on cuda: " in found["digits 2.1.0"]["text"]


def test_doctor_notes_bytes_that_are_missing(digits: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    found = findings(capsys)["digits 2.1.0"]
    assert (found["state"], found["hint"]) == ("note", "modeldeps sync digits")


def test_doctor_finds_a_broken_pointer(digits: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    break_manifest(digits)
    found = findings(capsys, status=1)["digits 2.1.0"]
    assert found["state"] == "wrong"
    assert "name: is missing" in found["text"]


def test_doctor_finds_a_pointer_that_lost_its_manifest(
    digits: Installed, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = digits.site / "modeldeps_digits-2.1.0.dist-info"
    (folder / "model.json").unlink()
    (folder / "RECORD").write_text(f"{folder.name}/model.json,sha256=x,1\n")
    found = findings(capsys, status=1)["model"]
    assert found["text"] == f"{folder} has lost its model.json"
    assert found["hint"] == "pip install --force-reinstall --no-deps modeldeps-digits"


@pytest.mark.parametrize(
    ("channel", "text"),
    [("http://127.0.0.1:1/", "http://127.0.0.1:1/"), ("nothing", "file://")],
)
def test_doctor_finds_a_channel_that_is_none(
    digits: Installed,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    channel: str,
    text: str,
) -> None:
    monkeypatch.setenv("MODELDEPS_CHANNELS", channel)
    found = findings(capsys, status=1)["channel"]
    assert found["state"] == "wrong"
    assert text in found["text"]
    assert "modeldeps doctor" not in str(found["hint"])


def test_doctor_says_what_helps_where_a_channel_wants_to_know_who_asks(
    digits: Installed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with scripted(lambda line: line.send(b"HTTP/1.1 401 No\r\nContent-Length: 0\r\n\r\n")) as server:
        monkeypatch.setenv("MODELDEPS_CHANNELS", server.url)
        found = findings(capsys, status=1)["channel"]
    assert "401 Unauthorized; it was sent no credentials" in found["text"]
    assert "MODELDEPS_TOKENS" in found["hint"]


def test_doctor_asks_no_network_offline(
    digits: Installed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELDEPS_CHANNELS", "https://user:secret@models.example.com/")
    found = findings(capsys, "--offline")["channel"]
    assert found["text"] == "https://models.example.com/ was not asked, offline"


def test_doctor_holds_the_user_to_the_provider_that_was_set(
    digits: Installed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MODELDEPS_PROVIDER", "gpu")
    assert "auto, cuda, cpu" in findings(capsys, status=1)["MODELDEPS_PROVIDER"]["text"]


def test_doctor_tells_of_both_wheels_with_the_cure(
    digits: Installed, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The layout that pip leaves: the files of one, the `.dist-info` of both."""
    capi = digits.site / "onnxruntime" / "capi"
    capi.mkdir(parents=True)
    (capi.parent / "__init__.py").write_text("")
    (capi / "build_and_package_info.py").write_text("package_name = 'onnxruntime'\n__version__ = '1.31.1'\n")
    for one in ("onnxruntime", "onnxruntime_gpu"):
        (digits.site / f"{one}-1.31.1.dist-info").mkdir()
    monkeypatch.delitem(sys.modules, "onnxruntime", raising=False)
    found = findings(capsys, status=1)["onnxruntime"]
    assert found["state"] == "wrong"
    assert "onnxruntime, onnxruntime-gpu" in found["text"]
    assert found["hint"].startswith("pip uninstall -y onnxruntime onnxruntime-gpu && ")


def test_doctor_is_readable_without_json(digits: Installed, capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "doctor")
    assert "note  digits 2.1.0  fp32 on cpu: onnxruntime" in text
    assert "hint: modeldeps sync digits" in text
