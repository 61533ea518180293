"""Look at a channel's folder as a stranger: is everything that its indexes name there, whole and right?"""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urldefrag

from modeldeps.publish.conda import read_package

if TYPE_CHECKING:
    from pathlib import Path


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.links.append(dict(attrs))


def links(page: Path) -> list[dict[str, str | None]]:
    """Return the attributes of every link of a page."""
    parser = _Links()
    parser.feed(page.read_text("utf-8"))
    return parser.links


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def check_channel(root: Path) -> dict[str, dict[str, str]]:
    """Assert that all that an index names is there and right; return wheel digests by project and version."""
    simple = root / "simple"
    if not (simple / "index.html").exists():
        return {}
    listed = [str(one["href"]).rstrip("/") for one in links(simple / "index.html")]
    found = {project: _check_project(root, simple / project) for project in listed}
    check_conda(root)
    projects = json.loads((simple / "index.json").read_bytes())["projects"]
    for one in projects:
        assert one["name"] in found or _check_project(root, simple / one["name"])
    return found


def _check_project(root: Path, folder: Path) -> dict[str, str]:
    page = json.loads((folder / "index.json").read_bytes()) if (folder / "index.json").exists() else None
    for entry in page["files"] if page else ():
        _check_file(
            root, folder, entry["filename"], entry["hashes"]["sha256"], entry["core-metadata"]["sha256"]
        )
    found = {}
    for link in links(folder / "index.html"):
        url, fragment = urldefrag(str(link["href"]))
        metadata = str(link["data-core-metadata"]).removeprefix("sha256=")
        digest = fragment.removeprefix("sha256=")
        _check_file(root, folder, unquote(url), digest, metadata)
        found[url.split("-")[1]] = digest
    return found


def _check_file(root: Path, folder: Path, filename: str, digest: str, metadata: str) -> None:
    wheel = (folder / filename).read_bytes()
    assert sha256(wheel) == digest, filename
    beside = (folder / f"{filename}.metadata").read_bytes()
    assert sha256(beside) == metadata, filename
    with zipfile.ZipFile(io.BytesIO(wheel)) as archive:
        info = next(one for one in archive.namelist() if one.endswith("/METADATA"))
        assert archive.read(info) == beside
        raw = archive.read(info.replace("METADATA", "model.json"))
    manifest = json.loads(raw)
    assert (root / "models" / manifest["name"] / manifest["version"] / "model.json").read_bytes() == raw
    _check_files(root, raw)


def _check_files(root: Path, raw: bytes) -> None:
    """Assert that the blobs of a manifest are there."""
    manifest = json.loads(raw)
    files = [file for one in manifest["variants"] for file in one["files"]] + manifest.get("files", [])
    for file in files:
        blob = root / "blobs" / "sha256" / file["sha256"][:2] / file["sha256"]
        assert sha256(blob.read_bytes()) == file["sha256"], blob


def check_conda(root: Path) -> dict[str, dict[str, Any]]:
    """Assert that all that the index of conda packages names is there and right; return the packages."""
    noarch = root / "noarch"
    if not (noarch / "repodata.json").exists():
        return {}
    data = json.loads((noarch / "repodata.json").read_bytes())
    found: dict[str, dict[str, Any]] = data["packages.conda"]
    for filename, record in found.items():
        package = read_package((noarch / filename).read_bytes(), filename)
        assert package.record == {key: one for key, one in record.items() if key != "track_features"}, (
            filename
        )
        if package.manifest is not None:
            _check_files(root, package.manifest)
    for one in data.get("v3", {}).get("whl", {}).values():
        assert sha256((noarch / one["url"]).read_bytes()) == one["sha256"]
        assert any(
            (have["name"], have["version"]) == (one["name"], one["version"]) for have in found.values()
        )
    return found


def snapshot(root: Path) -> dict[str, str]:
    """Return the digest of every file of a channel, without what publishers keep for themselves."""
    return {
        str(one.relative_to(root)): sha256(one.read_bytes())
        for one in sorted(root.rglob("*"))
        if one.is_file() and ".incoming" not in one.parts
    }
