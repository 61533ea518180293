"""Which paths `file://` URLs mean, on both kinds of systems."""

from __future__ import annotations

from pathlib import PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeldeps.errors import RefusedError
from modeldeps.fetch._file_url import file_path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///srv/models/x", "/srv/models/x"),
        ("file:/srv/models/x", "/srv/models/x"),
        ("file://localhost/srv/x", "/srv/x"),
        ("file://LOCALHOST/srv/x", "/srv/x"),
        ("file:////srv/x", "/srv/x"),
        ("file:///a%20b%3Fc", "/a b?c"),
        ("file:///C:/x", "/C:/x"),
        ("file:///caf%E9", "/caf\udce9"),
    ],
)
def test_a_path_on_posix(url: str, path: str) -> None:
    assert file_path(url, windows=False) == path


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///C:/models/x", r"C:\models\x"),
        ("file:///c|/models/x", r"C:\models\x"),
        ("file:/C:/x", r"C:\x"),
        ("file:///C:", "C:\\"),
        ("file://localhost/C:/a%20b", r"C:\a b"),
        ("file://server/share/x", r"\\server\share\x"),
        ("file:////server/share/x", r"\\server\share\x"),
        ("file://///server/share/x", r"\\server\share\x"),
        ("file://127.0.0.1/c$/x", r"\\127.0.0.1\c$\x"),
        ("file://server/share", "\\\\server\\share\\"),
    ],
)
def test_a_path_on_windows(url: str, path: str) -> None:
    assert file_path(url, windows=True) == path


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file://server/share/x", "names another machine"),
        ("file://C:/x", "names another machine"),
        ("file:///a%00b", "no such path"),
        ("file:///a?b", "no query"),
        ("file://[x/", "no URL"),
    ],
)
def test_no_path_on_posix(url: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        file_path(url, windows=False)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file:///models/x", "no drive and no share"),
        ("file://C:/x", "no drive and no share"),
        ("file://server/", "no drive and no share"),
        ("file:////./pipe/x", "no drive and no share"),
        ("file:////%3F/C:/x", "no drive and no share"),
        ("file://user@server/share/x", "no drive and no share"),
        ("file:///C:/x:stream", "no such path"),
        ("file:///C:/a%5C..%5Cb", "no such path"),
        ("file:///%5C%5Cserver/share/x", "no drive and no share"),
        ("file:///C:/a%00b", "no such path"),
    ],
)
def test_no_path_on_windows(url: str, reason: str) -> None:
    with pytest.raises(RefusedError, match=reason):
        file_path(url, windows=True)


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters='\0\\:|<>"?*/'), min_size=1))
def test_a_url_that_python_makes_of_a_path_on_windows_means_that_path(name: str) -> None:
    for start in ("C:\\", "\\\\server\\share\\"):
        path = PureWindowsPath(start + name)
        assert PureWindowsPath(file_path(path.as_uri(), windows=True)) == path
