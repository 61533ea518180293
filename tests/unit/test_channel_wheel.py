"""A pointer wheel is hostile input."""

from __future__ import annotations

import io
import json
import struct
import zipfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases import DATE, Release, pack, record_of

from modeldeps.errors import ManifestError, ModelDepsError, PointerWheelError
from modeldeps.fetch.index import MAX_WHEEL, read_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping

GOOD = Release()
INFO = "modeldeps_digits-2.1.0.dist-info/"


def problems(data: bytes, filename: str = GOOD.filename) -> str:
    with pytest.raises(PointerWheelError) as caught:
        read_wheel(data, filename)
    return str(caught.value)


def changed(members: Mapping[str, bytes | None]) -> bytes:
    return GOOD.with_members(members).wheel()


def test_a_good_wheel_says_what_it_is() -> None:
    wheel = read_wheel(GOOD.wheel(), GOOD.filename)
    assert (wheel.manifest.name, wheel.manifest.version) == ("digits", "2.1.0")
    assert wheel.metadata.name == "modeldeps-digits"
    assert wheel.metadata.requires_python == ">=3.9"
    assert wheel.metadata.extras == ("cpu", "cuda")
    assert json.loads(wheel.raw_manifest)["name"] == "digits"
    assert wheel.raw_metadata.startswith(b"Metadata-Version: ")


def test_a_stored_wheel_is_as_good_as_a_deflated_one() -> None:
    data = pack(GOOD.contents(), method=zipfile.ZIP_STORED)
    assert read_wheel(data, GOOD.filename).manifest.version == "2.1.0"


@pytest.mark.parametrize(
    "data", [b"", b"PK", b"not a zip archive at all, but long enough to be one", bytes(22)]
)
def test_bytes_that_are_no_archive_are_refused(data: bytes) -> None:
    assert "expected a zip archive" in problems(data)


def test_a_truncated_wheel_is_refused_wherever_it_ends() -> None:
    data = GOOD.wheel()
    for length in range(0, len(data), 7):
        problems(data[:length])


def test_a_wheel_past_the_bound_is_not_even_opened() -> None:
    assert f"at most {MAX_WHEEL} bytes" in problems(bytes(MAX_WHEEL + 1))


def test_a_bomb_is_refused_by_what_it_says_of_itself_and_never_unpacked() -> None:
    bomb = changed({"INFO/licenses/bomb": bytes(MAX_WHEEL + 1)})
    assert len(bomb) < 100_000
    assert "bytes unpacked" in problems(bomb)


def test_a_bomb_that_lies_about_its_size_is_refused() -> None:
    data = pack(GOOD.contents() | {f"{INFO}licenses/bomb": bytes(1 << 20)})
    lie = data.replace(struct.pack("<I", 1 << 20), struct.pack("<I", 10))
    assert lie != data
    problems(lie)


def test_too_many_files_are_refused() -> None:
    assert "at most 1000 files" in problems(changed({f"INFO/licenses/{one}": b"" for one in range(1000)}))


def test_a_directory_past_the_bound_is_refused_before_it_is_read() -> None:
    names = {f"INFO/licenses/{'x' * 200}{one}": b"" for one in range(5000)}
    assert "its directory is not where" in problems(changed(names))


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("../evil.py", "expected a relative path"),
        ("/etc/passwd", "expected a relative path"),
        ("C:/evil", "expected a relative path"),
        ("INFO/licenses/../../x", "expected a relative path"),
        ("INFO/licenses/a//b", "expected a relative path"),
        ("INFO/licenses/a\\b", "expected a relative path"),
        ("INFO/licenses/", "expected a relative path"),
        ("INFO/licenses/a\nb", "expected a name of plain characters"),
        ("INFO/licenses/ä", "expected a name of plain characters"),
        ("digits/__init__.py", "a pointer package holds no such file"),
        ("evil.pth", "a pointer package holds no such file"),
        ("modeldeps_digits-2.1.0.data/scripts/evil", "a pointer package holds no such file"),
        ("INFO/entry_points.txt", "a pointer package holds no such file"),
        ("INFO/direct_url.json", "a pointer package holds no such file"),
    ],
)
def test_files_that_a_pointer_package_may_not_hold_are_named(name: str, reason: str) -> None:
    assert reason in problems(changed({name: b"import os"}))


def test_names_that_are_one_file_where_case_does_not_count_are_refused() -> None:
    assert "stands twice" in problems(changed({"INFO/licenses/A": b"1", "INFO/licenses/a": b"2"}))


def test_a_name_that_stands_twice_is_refused() -> None:
    buffer = io.BytesIO(GOOD.wheel())
    with zipfile.ZipFile(buffer, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr(zipfile.ZipInfo(f"{INFO}model.json", DATE), b"{}")
    assert "stands twice" in problems(buffer.getvalue())


def test_a_link_is_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in GOOD.contents().items():
            info = zipfile.ZipInfo(name, DATE)
            info.external_attr = (0o120777 if name.endswith("LICENSE") else 0o100644) << 16
            archive.writestr(info, data)
    assert "expected a plain file" in problems(buffer.getvalue())


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compression_is_refused(method: int) -> None:
    assert "expected it stored or deflated" in problems(pack(GOOD.contents(), method=method))


def test_bytes_before_between_and_behind_the_files_are_refused() -> None:
    data = GOOD.wheel()
    directory = data.index(b"PK\x01\x02")
    problems(b"#!/bin/sh\n" + data)
    problems(data + b"more")
    between = bytearray(data[:directory] + b"hidden" + data[directory:])
    struct.pack_into("<I", between, len(between) - 6, directory + 6)
    assert "expected nothing between the files and the directory" in problems(bytes(between))


def test_a_comment_behind_the_directory_is_refused() -> None:
    buffer = io.BytesIO(GOOD.wheel())
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.comment = b"PK\x05\x06"
    assert "has something behind its end" in problems(buffer.getvalue())


def test_two_headers_that_disagree_are_refused_because_installers_read_either() -> None:
    data = GOOD.wheel()
    name = f"{INFO}METADATA".encode()
    assert data.index(name) < data.index(b"PK\x01\x02")
    assert "disagree" in problems(data.replace(name, name.replace(b"METADATA", b"metadata"), 1))


def test_a_streamed_archive_with_sizes_behind_the_files_is_refused() -> None:
    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.parts = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.parts += bytes(memoryview(data))  # type: ignore[arg-type]
            return len(memoryview(data))  # type: ignore[arg-type]

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w") as archive:
        for name, content in GOOD.contents().items():
            archive.writestr(zipfile.ZipInfo(name, DATE), content)
    assert "disagree" in problems(bytes(pipe.parts))


def test_an_ordinary_wheel_is_told_in_one_line() -> None:
    said = problems(
        pack({"app/__init__.py": b"", "app-1.0.dist-info/METADATA": b"Name: app\n"}), "app-1.0.whl"
    )
    assert "expected a pointer package, found no model.json" in said
    assert "has 1 problem" in said
    assert "hint: `modeldeps build DIR --output DIST` makes pointer wheels" in said


def test_a_hostile_wheel_can_not_make_an_error_endless() -> None:
    said = problems(changed({f"evil{one}.py": b"" for one in range(500)}))
    assert said.count("a pointer package holds no such file") == 20


@pytest.mark.parametrize("name", ["METADATA", "WHEEL"])
def test_a_missing_file_is_named(name: str) -> None:
    assert f"{INFO}{name}: is missing" in problems(changed({f"INFO/{name}": None}))


def test_a_missing_record_is_named() -> None:
    contents = GOOD.contents()
    del contents[f"{INFO}RECORD"]
    assert f"{INFO}RECORD: is missing" in problems(pack(contents))


def test_a_second_dist_info_is_refused() -> None:
    assert "one .dist-info folder, found 2" in problems(changed({"other-1.0.dist-info/METADATA": b""}))


def test_every_line_of_record_is_checked() -> None:
    contents = GOOD.contents()
    record = contents[f"{INFO}RECORD"].decode()
    license_line = next(line for line in record.splitlines() if "LICENSE" in line)
    for wrong, reason in [
        (record.replace(license_line + "\n", ""), "stands in the archive only"),
        (record + "ghost.txt,sha256=x,1\n", "RECORD: ghost.txt: stands in RECORD only"),
        (record.replace(",4\n", ",5\n"), "its digest or size is not that of the file"),
        (record.replace(license_line, license_line.split(",")[0] + ",,"), "its digest or size"),
        (record + license_line + "\n", "a path stands twice"),
        (record + "one,two\n", "expected path, digest and size on every line"),
        ('"', "expected comma-separated values"),
    ]:
        assert reason in problems(changed({"INFO/RECORD": wrong.encode()})), wrong
    assert "expected comma-separated values" in problems(changed({"INFO/RECORD": b"\xff\xfe"}))


def test_a_changed_file_is_found_by_record() -> None:
    contents = GOOD.contents()
    contents[f"{INFO}licenses/LICENSE"] = b"EVIL"
    assert "licenses/LICENSE: its digest or size" in problems(pack(contents))


@pytest.mark.parametrize(
    ("wheel", "key"),
    [
        (b"Wheel-Version: 2.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n", "Wheel-Version"),
        (b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: py3-none-any\n", "Root-Is-Purelib"),
        (b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: cp311-cp311-linux_x86_64\n", "Tag"),
        (b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\nTag: py2-none-any\n", "Tag"),
        (b"\xff\x00", "Wheel-Version"),
    ],
)
def test_the_wheel_file_must_say_pure_and_any(wheel: bytes, key: str) -> None:
    assert f"WHEEL: {key}: expected" in problems(changed({"INFO/WHEEL": wheel}))


@pytest.mark.parametrize(
    ("metadata", "reason"),
    [
        ("Name: other\nVersion: 2.1.0\n", "METADATA: Name: expected 'modeldeps-digits', found 'other'"),
        ("Name: modeldeps-digits\nVersion: 2.2.0\n", "METADATA: Version: expected '2.1.0', found '2.2.0'"),
        ("Name: modeldeps-digits\n", "METADATA: Version"),
        ("Name: modeldeps-digits\nName: other\nVersion: 2.1.0\n", "METADATA: name: expected it once"),
        ("Name: modeldeps-digits\nVersion: 2.1.0\nRequires-Python: soon\n", "METADATA: Requires-Python"),
        ("Name: modeldeps-digits\nVersion: 2.1.0\nRequires-Dist: ???\n", "METADATA: Requires-Dist"),
        (
            "Name: modeldeps-digits\nVersion: 2.1.0\nRequires-Dist: a @ https://evil.example/a.whl\n",
            "METADATA: Requires-Dist: expected a name and a specifier",
        ),
        (
            f"Name: modeldeps-digits\nVersion: 2.1.0\nRequires-Dist: a; {'(' * 900}os_name == 'a'\n",
            "METADATA: Requires-Dist: expected a name and a specifier",
        ),
    ],
)
def test_metadata_must_agree_with_the_manifest(metadata: str, reason: str) -> None:
    assert reason in problems(replace(GOOD, metadata=f"Metadata-Version: 2.1\n{metadata}\n").wheel())


def test_the_file_name_must_be_that_of_the_manifest() -> None:
    for name in (
        "modeldeps_digits-2.2.0-py3-none-any.whl",
        "modeldeps_other-2.1.0-py3-none-any.whl",
        "modeldeps_digits-2.1.0-1-py3-none-any.whl",
        "x.whl",
    ):
        assert f"expected 'modeldeps_digits-2.1.0-py3-none-any.whl', found '{name}'" in problems(
            GOOD.wheel(), name
        )


def test_a_reserved_name_is_refused() -> None:
    release = Release(name="cuda")
    assert "model.json: name: 'cuda': it is reserved" in problems(release.wheel(), release.filename)


def test_a_manifest_of_another_release_is_refused() -> None:
    other = Release(version="9.9.9").make_manifest()
    assert "modeldeps_digits-9.9.9" in problems(replace(GOOD, manifest=other).wheel())


def test_a_broken_manifest_says_in_which_wheel_it_is() -> None:
    with pytest.raises(ManifestError) as caught:
        read_wheel(changed({"INFO/model.json": b'{"schema": 1}'}), GOOD.filename)
    assert f"model.json in {GOOD.filename}" in str(caught.value)
    assert "variants: is missing" in str(caught.value)


def test_several_problems_are_told_at_once() -> None:
    contents = GOOD.with_members({"INFO/WHEEL": b"", "INFO/METADATA": b"Name: other\n"}).contents()
    contents[f"{INFO}RECORD"] = record_of({}, f"{INFO}RECORD")
    found = problems(pack(contents))
    assert all(part in found for part in ("WHEEL: Tag", "METADATA: Name", "RECORD:"))


@given(st.data())
def test_no_change_of_a_byte_goes_unnoticed_or_raises_anything_else(data: st.DataObject) -> None:
    wheel = bytearray(GOOD.wheel())
    for _ in range(data.draw(st.integers(1, 3))):
        wheel[data.draw(st.integers(0, len(wheel) - 1))] ^= data.draw(st.integers(1, 255))
    try:
        found = read_wheel(bytes(wheel), GOOD.filename)
    except ModelDepsError:
        return
    assert found.raw_manifest == read_wheel(GOOD.wheel(), GOOD.filename).raw_manifest


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything_but_the_projects_own_error(data: bytes) -> None:
    with pytest.raises(ModelDepsError):
        read_wheel(data, GOOD.filename)
