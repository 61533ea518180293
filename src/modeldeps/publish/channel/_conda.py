"""
The conda packages of a channel: what is kept about each, and how a release gets its own.

A package gets its name in `noarch/` once and for ever, after the wheel of its release got its own.
What is kept about it is read from the bytes that are there, so it is true whoever came first.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from modeldeps.digest import is_sha256, sha256_bytes, sha256_file
from modeldeps.errors import (
    AlreadyPublishedError,
    CondaMismatchError,
    IndexPageError,
    ModelDepsError,
    Problem,
)
from modeldeps.names import distribution_name
from modeldeps.publish.channel._repodata import PLATFORMS, Listed, compressed, empty_repodata, repodata
from modeldeps.publish.conda import CondaPackage, conda_package, read_package_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from modeldeps.fetch.index import PointerWheel
    from modeldeps.publish.channel._folder import ChannelFolder

MAX_RECORD = 1 << 20
"""Bytes of what is kept about a package."""
ENDING = ".conda"
"""How a package's file name ends."""
POINTER = "pointer_"
"""How the build of a package begins that holds no payload."""
_BYTES = ("md5", "sha256", "size", "timestamp")
"""What differs where the same package was made twice."""


@dataclass(frozen=True)
class CondaRecord:
    """One conda package, as the index shows it (`noarch/FILE.conda.json`); changed only by a yank."""

    model: str
    """The model; nothing for a package that is no model's."""
    package: Mapping[str, object]
    """Its entry in `repodata.json`."""
    yanked: str = ""
    """Why it was withdrawn by itself, or nothing."""

    @property
    def name(self) -> str:
        """The package's name, `modeldeps-digits`."""
        return str(self.package["name"])

    @property
    def version(self) -> str:
        """The package's version."""
        return str(self.package["version"])

    @property
    def filename(self) -> str:
        """The package's file."""
        return f"{self.name}-{self.version}-{self.package['build']}{ENDING}"

    @property
    def is_pointer(self) -> bool:
        """Whether it is the package that the wheel of its release makes, or one like it."""
        return bool(self.model) and str(self.package["build"]).startswith(POINTER)

    @property
    def sha256(self) -> str:
        """Digest of the package."""
        return str(self.package["sha256"])

    def withdrawn(self, reason: str) -> CondaRecord:
        """Return it as yanked for a reason, or as not yanked for none."""
        return replace(self, yanked=reason)

    def dump(self) -> bytes:
        """Return its one spelling: JSON, an indent of one space, a new line at the end."""
        return (json.dumps(asdict(self), indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()

    @classmethod
    def parse(cls, data: bytes, file: Path) -> CondaRecord:
        """Read what is kept about the package beside it. Raises IndexPageError with every problem."""
        try:
            value = json.loads(data.decode("utf-8")) if len(data) <= MAX_RECORD else None
        except (ValueError, RecursionError):
            value = None
        problems = list(_wrong(value))
        if problems or not isinstance(value, dict):
            raise IndexPageError(file, problems)
        found = cls(value["model"], value["package"], value["yanked"])
        if f"{found.filename}.json" != file.name:
            raise IndexPageError(file, [Problem("package", f"expected that of {file.stem}")])
        return found


def _wrong(value: object) -> Iterator[Problem]:
    if not isinstance(value, dict) or not isinstance(package := value.get("package"), dict):
        yield Problem("", "expected a small JSON object in UTF-8 with a package")
        return
    texts = {"model": value, "yanked": value, "name": package, "version": package, "build": package}
    for key, table in texts.items():
        if not isinstance(table.get(key), str):
            yield Problem(key, "expected text")
    if not is_sha256(package.get("sha256")):
        yield Problem("package.sha256", "expected 64 lower-case hexadecimal digits")


def package_file(channel: ChannelFolder, filename: str) -> Path:
    """Return where a conda package lies."""
    return channel.noarch / filename


def record_file(channel: ChannelFolder, filename: str) -> Path:
    """Return the file of what is kept about a package; it is written after the package."""
    return channel.noarch / f"{filename}.json"


def conda_record(channel: ChannelFolder, filename: str) -> CondaRecord | None:
    """Return what is kept about a package; None where it is not published. Raises IndexPageError."""
    file = record_file(channel, filename)
    try:
        with file.open("rb") as stream:
            return CondaRecord.parse(stream.read(MAX_RECORD + 1), file)
    except FileNotFoundError:
        return None


def conda_records(channel: ChannelFolder, name: str = "", version: str = "") -> list[CondaRecord]:
    """Return what is kept about all packages, or about those of one name and version, by file name."""
    start = f"{name}-{version}-" if version else ""
    found = (conda_record(channel, one.removesuffix(".json")) for one in _record_names(channel, start))
    return [one for one in found if one and (not version or (one.name, one.version) == (name, version))]


def _record_names(channel: ChannelFolder, start: str) -> list[str]:
    try:
        names = [one.name for one in channel.noarch.iterdir()]
    except FileNotFoundError:
        return []
    return sorted(one for one in names if one.startswith(start) and one.endswith(f"{ENDING}.json"))


def check_agrees(package: CondaPackage, wheel: PointerWheel) -> None:
    """Raise CondaMismatchError unless a package says the same as the pointer wheel of its release."""
    manifest = wheel.manifest
    expected = f"{distribution_name(manifest.name)} {manifest.version}"
    found = f"{package.record['name']} {package.record['version']}"
    if expected != found:
        raise CondaMismatchError(package.filename, wheel.filename, expected=expected, found=found)
    if package.manifest != wheel.raw_manifest:
        expected, found = (f"a model.json with sha256:{sha256_bytes(one)}" for one in _both(package, wheel))
        raise CondaMismatchError(package.filename, wheel.filename, expected=expected, found=found)


def _both(package: CondaPackage, wheel: PointerWheel) -> tuple[bytes, bytes]:
    return wheel.raw_manifest, package.manifest or b""


def is_new(channel: ChannelFolder, package: CondaPackage) -> bool:
    """
    Tell whether a package is not in the channel yet.

    One that was only made at another time is there already. Raises AlreadyPublishedError for any other.
    """
    there = conda_record(channel, package.filename)
    if there is None:
        return True
    if there.sha256 != package.record["sha256"] and _facts(there.package) != _facts(package.record):
        stem = package.filename.removesuffix(ENDING)
        raise AlreadyPublishedError(
            str(package.record["name"]),
            stem.removeprefix(f"{package.record['name']}-"),
            published=there.sha256,
            offered=str(package.record["sha256"]),
        )
    return False


def _facts(record: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in record.items() if key not in _BYTES}


def add_package(channel: ChannelFolder, package: CondaPackage, wheel: PointerWheel | None = None) -> bool:
    """
    Give a package its name, then keep what it says; False where that was done before.

    The wheel is that of the release, whose name is given before. Raises AlreadyPublishedError, OSError.
    """
    file = package_file(channel, package.filename)
    digest = str(package.record["sha256"])
    new = channel.landing.claim(file, package.data, digest=digest)
    if not new and not is_new(channel, package):
        _mend(channel, package)
        return False
    there = package if new else _left(channel, package, wheel)
    kept = CondaRecord(wheel.manifest.name if wheel else "", there.record)
    channel.landing.claim(record_file(channel, package.filename), kept.dump())
    is_new(channel, package)
    return True


def _left(channel: ChannelFolder, package: CondaPackage, wheel: PointerWheel | None) -> CondaPackage:
    """Return what a killed publisher left under a name that is not in the index; replace what is wrong."""
    file = package_file(channel, package.filename)
    try:
        there = read_package_file(file)
        if wheel:
            check_agrees(there, wheel)
    except ModelDepsError:
        there = None
    if there and _facts(there.record) == _facts(package.record):
        return there
    channel.landing.put(file, package.data)
    return package


def _mend(channel: ChannelFolder, package: CondaPackage) -> None:
    """Write a published package again where it was damaged since, if these are its bytes."""
    there = conda_record(channel, package.filename)
    if there and there.sha256 == package.record["sha256"] and not is_whole(channel, there):
        channel.landing.put(package_file(channel, package.filename), package.data)


def is_whole(channel: ChannelFolder, record: CondaRecord) -> bool:
    """Tell whether a published package has the bytes that were published."""
    file = package_file(channel, record.filename)
    return file.is_file() and sha256_file(file) == record.sha256


def derive(channel: ChannelFolder, wheel: PointerWheel, published: str) -> CondaPackage:
    """
    Give a release the conda package that its wheel makes, or mend the one it has, and return what was made.

    `published` is when, `YYYY-MM-DDTHH:MM:SSZ`. Raises CondaPackageError where conda has no words for
    what the wheel says, AlreadyPublishedError, OSError.
    """
    moment = datetime.strptime(published, "%Y-%m-%dT%H:%M:%S%z")
    made = conda_package(wheel.data, wheel.filename, timestamp=int(moment.timestamp()) * 1000)
    add_package(channel, made, wheel)
    return made


def mend(channel: ChannelFolder, wheel: PointerWheel) -> None:
    """Make a release's damaged or lost pointer package again, if its wheel still gives the same bytes."""
    manifest = wheel.manifest
    for one in conda_records(channel, distribution_name(manifest.name), manifest.version):
        stamp = one.package.get("timestamp")
        if one.is_pointer and isinstance(stamp, int) and not is_whole(channel, one):
            made = conda_package(wheel.data, wheel.filename, timestamp=stamp)
            if made.record["sha256"] == one.sha256:
                channel.landing.put(package_file(channel, one.filename), made.data)


def pointers(channel: ChannelFolder) -> set[str]:
    """Return NAME-VERSION of each release that has a pointer package."""
    names = (one.removesuffix(f"{ENDING}.json").rpartition("-") for one in _record_names(channel, ""))
    return {start for start, _, build in names if build.startswith(POINTER)}


def refresh_conda(channel: ChannelFolder) -> None:
    """Write the index of conda packages, until it says what the folder holds. Raises OSError."""
    while True:
        listing = _listing(channel)
        data = repodata(listing)
        channel.landing.put(channel.noarch / "repodata.json", data)
        channel.landing.put(channel.noarch / "repodata.json.zst", compressed(data))
        if _listing(channel) == listing:
            break
    for subdir in PLATFORMS:
        data = empty_repodata(subdir)
        if channel.landing.claim(channel.root / subdir / "repodata.json", data):
            channel.landing.claim(channel.root / subdir / "repodata.json.zst", compressed(data))


def _listing(channel: ChannelFolder) -> list[Listed]:
    """Return the packages that are there, those of a model only where its release is whole."""
    return [
        Listed(one, release)
        for one in conda_records(channel)
        if ((release := channel.record(one.model, one.version) if one.model else None) or not one.model)
        and package_file(channel, one.filename).exists()
    ]
