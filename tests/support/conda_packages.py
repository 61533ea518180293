"""Conda packages for tests, made by hand: an interpreter that is this one, runtimes, what modeldeps needs."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import sys
import tarfile
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

STAMP = 1_700_000_000
"""The moment of every package, in seconds."""
PYTHON = ".".join(map(str, sys.version_info[:3]))
MINOR = ".".join(map(str, sys.version_info[:2]))
MACHINES = {
    ("Linux", "x86_64"): "linux-64",
    ("Linux", "aarch64"): "linux-aarch64",
    ("Darwin", "x86_64"): "osx-64",
    ("Darwin", "arm64"): "osx-arm64",
}
SUBDIR = MACHINES.get((platform.system(), platform.machine()), "")
"""conda's name of this platform; empty where the interpreter can't be lent by links."""
BORROWED = ("onnxruntime", "numpy", "numpy.libs", "flatbuffers", "google", "sympy", "mpmath", "humanfriendly")
"""What importing ONNX Runtime takes."""
OLD_RUNTIME, FUTURE_RUNTIME = "1.20.0", "99.0.0"
"""Runtimes that are names alone."""


@dataclass(frozen=True)
class Package:
    """One package to write; the bytes of its files and the targets of its links by their paths."""

    name: str
    version: str
    depends: tuple[str, ...] = ()
    files: Mapping[str, bytes] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    noarch: str = "generic"
    entry_points: tuple[str, ...] = ()

    @property
    def stem(self) -> str:
        return f"{self.name}-{self.version}-0"

    @property
    def subdir(self) -> str:
        return "noarch" if self.noarch else SUBDIR

    def index(self) -> dict[str, Any]:
        """Return `info/index.json`."""
        about = {"name": self.name, "version": self.version, "build": "0", "build_number": 0}
        about |= {"depends": list(self.depends), "license": "MIT", "subdir": self.subdir}
        return {**about, "timestamp": STAMP * 1000, **({"noarch": self.noarch} if self.noarch else {})}

    def info(self) -> dict[str, Any]:
        """Return the files of `info/`."""
        paths = [_path(one, "hardlink", data) for one, data in self.files.items()]
        paths += [_path(one, "softlink", b"") for one in self.links]
        link = {"type": "python", "entry_points": list(self.entry_points)}
        return {
            "info/index.json": self.index(),
            "info/paths.json": {"paths": sorted(paths, key=str), "paths_version": 1},
            "info/about.json": {"license": "MIT"},
            **(
                {"info/link.json": {"noarch": link, "package_metadata_version": 1}}
                if self.noarch == "python"
                else {}
            ),
        }

    def write(self, channel: Path) -> dict[str, Any]:
        """Write the package into a channel and return its record."""
        from conda_package_streaming.create import conda_builder  # noqa: PLC0415 - not on every platform

        folder = channel / self.subdir
        folder.mkdir(parents=True, exist_ok=True)
        with conda_builder(self.stem, folder, compression_level=1) as tar:
            for path, value in self.info().items():
                _put(tar, path, json.dumps(value).encode())
            for path, data in self.files.items():
                _put(tar, path, data)
            for path, target in self.links.items():
                entry = tarfile.TarInfo(path)
                entry.type, entry.linkname, entry.mtime = tarfile.SYMTYPE, target, STAMP
                tar.addfile(entry)
        data = (folder / f"{self.stem}.conda").read_bytes()
        digests = {"md5": hashlib.md5(data, usedforsecurity=False), "sha256": hashlib.sha256(data)}
        return {**self.index(), **{key: one.hexdigest() for key, one in digests.items()}, "size": len(data)}


def _path(path: str, kind: str, data: bytes) -> dict[str, object]:
    digest = hashlib.sha256(data).hexdigest()
    return {"_path": path, "path_type": kind, "sha256": digest, "size_in_bytes": len(data)}


def _put(tar: tarfile.TarFile, path: str, data: bytes) -> None:
    entry = tarfile.TarInfo(path)
    entry.size, entry.mode, entry.mtime = len(data), 0o644, STAMP
    tar.addfile(entry, io.BytesIO(data))


def write_channel(folder: Path, packages: Iterable[Package]) -> Path:
    """Write packages and their repodata, and return the channel's folder."""
    found: dict[str, dict[str, Any]] = {"noarch": {}, SUBDIR: {}}
    for one in packages:
        found[one.subdir][f"{one.stem}.conda"] = one.write(folder)
    for subdir, records in found.items():
        (folder / subdir).mkdir(parents=True, exist_ok=True)
        data = {"info": {"subdir": subdir}, "packages": {}, "packages.conda": records, "repodata_version": 1}
        (folder / subdir / "repodata.json").write_text(json.dumps(data))
    return folder


def standard_packages(borrowed: Path) -> list[Package]:
    """Return what a channel of other people's packages has; `borrowed` is a new folder of links."""
    real = metadata.version("onnxruntime")
    return [
        python_package(),
        Package("onnxruntime", OLD_RUNTIME),
        runtime_package(borrowed, real),
        Package("onnxruntime", FUTURE_RUNTIME),
        *(installed_package(one) for one in needed()),
        Package(
            "demo-app",
            "1.0",
            ("python", "modeldeps-digits >=2"),
            {"site-packages/demo_app.py": b"def main():\n    print('the demo runs')\n"},
            noarch="python",
            entry_points=("demo-app = demo_app:main",),
        ),
    ]


def needed() -> list[str]:
    """Return what modeldeps requires, on one system or another."""
    from packaging.requirements import Requirement  # noqa: PLC0415 - tests of conda only

    found = (Requirement(one) for one in metadata.requires("modeldeps") or ())
    return sorted({one.name for one in found if "extra" not in str(one.marker or "")})


def python_package() -> Package:
    """Return a `python` that links this interpreter and has a `site-packages` of its own."""
    home = Path(sys.base_prefix) / "bin"
    config = f"home = {home}\ninclude-system-site-packages = false\nversion = {PYTHON}\n".encode()
    links = {f"bin/python{MINOR}": f"{home}/python{MINOR}"}
    links |= {f"bin/{one}": f"python{MINOR}" for one in ("python", "python3")}
    return Package("python", PYTHON, files={"pyvenv.cfg": config}, links=links, noarch="")


def runtime_package(borrowed: Path, version: str) -> Package:
    """Return an `onnxruntime` that lends the one that runs these tests, through a folder of links."""
    installed = Path(str(metadata.distribution("onnxruntime").locate_file("")))
    borrowed.mkdir(parents=True)
    for name in BORROWED:
        if (installed / name).exists():
            (borrowed / name).symlink_to(installed / name)
    info = f"site-packages/onnxruntime-{version}.dist-info"
    about = f"Metadata-Version: 2.1\nName: onnxruntime\nVersion: {version}\n".encode()
    files = {"site-packages/borrowed.pth": f"{borrowed}\n".encode(), f"{info}/METADATA": about}
    return Package("onnxruntime", version, ("python",), files, noarch="python")


def installed_package(name: str) -> Package:
    """Return a package of an installed pure distribution, or of its name alone where it is not installed."""
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return Package(name, "99.0.0")
    kept = [one for one in found.files or () if one.suffix != ".pyc" and ".." not in one.parts]
    files = {f"site-packages/{one.as_posix()}": Path(str(one.locate())).read_bytes() for one in kept}
    return Package(name, found.version, ("python",), files, noarch="python")
