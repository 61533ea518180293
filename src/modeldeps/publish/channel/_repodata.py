"""Render the index that conda, mamba and pixi read: `repodata.json`, and the same compressed."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from modeldeps.names import distribution_name

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from modeldeps.publish.channel._conda import CondaRecord
    from modeldeps.publish.channel._record import Record

PLATFORMS = ("linux-64", "linux-aarch64", "osx-64", "osx-arm64", "win-64")
"""Folders that are there without packages: conda asks for its own, and some hosts answer 403 for none."""
WHEEL_BUILD = "py3_none_any_0"
"""The build of a wheel; a wheel is no conda package, so that nothing gave it one."""
PRE_RELEASE = "prerelease"
"""The feature of a pre-release."""
_LEVEL = 9
_BLOCK = 128 << 10


@dataclass(frozen=True)
class Listed:
    """A conda package of a channel, with the release that it belongs to."""

    conda: CondaRecord
    """What is kept about the package."""
    release: Record | None
    """The model's release; None for a package that is no model's."""

    @property
    def yanked(self) -> bool:
        """Whether it was withdrawn, by itself or with its release."""
        return bool(self.conda.yanked or (self.release and self.release.yanked))


def repodata(listing: Sequence[Listed]) -> bytes:
    """
    Return the index of `noarch/`.

    `packages.conda` is what solvers take, `removed` what was withdrawn and is still there to be fetched,
    and `v3.whl` the pointer wheels, each beside a conda package of its version.
    """
    shown = [one for one in listing if not one.yanked]
    pointers = [one for one in shown if one.conda.is_pointer]
    wheels = {
        _wheel_key(one.release): _wheel(one.release, one.conda.package) for one in pointers if one.release
    }
    return _render(
        "noarch",
        packages={one.conda.filename: _shown(one.conda.package) for one in shown},
        removed=[one.conda.filename for one in listing if one.yanked],
        v3={"whl": wheels} if wheels else None,
    )


def empty_repodata(subdir: str) -> bytes:
    """Return the index of a platform for which there are no packages."""
    return _render(subdir, packages={}, removed=[], v3=None)


def _render(subdir: str, *, packages: object, removed: list[str], v3: object) -> bytes:
    value: dict[str, object] = {
        "info": {"subdir": subdir},
        "packages": {},
        "packages.conda": packages,
        "removed": sorted(removed),
        "repodata_version": 1,
    }
    if v3:
        value["v3"] = v3
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def _shown(package: Mapping[str, object]) -> dict[str, object]:
    """
    Return a package's entry, a pre-release marked as one.

    Conda has no rule about pre-releases. All its solvers but the classic one take a package with a feature
    only where none without will do, so that a pre-release is taken where it is asked for (PEP 440).
    """
    marked = {**package, "track_features": PRE_RELEASE}
    return marked if _is_prerelease(str(package["version"])) else dict(package)


def _is_prerelease(version: str) -> bool:
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - at first use

    try:
        return Version(version).is_prerelease
    except InvalidVersion:
        return False


def _wheel_key(release: Record) -> str:
    """Return NAME-VERSION-BUILD with the name of the package: by a wheel's own name rattler can't find it."""
    return f"{distribution_name(release.name)}-{release.version}-{WHEEL_BUILD}"


def _wheel(release: Record, package: Mapping[str, object]) -> dict[str, object]:
    """Return the record of a pointer wheel, whose link leads to where installers find it."""
    kept = ("depends", "license", "name", "noarch", "subdir", "timestamp", "track_features", "version")
    return {
        **{key: value for key, value in _shown(package).items() if key in kept},
        "build": WHEEL_BUILD,
        "build_number": 0,
        "fn": release.filename,
        "sha256": release.sha256,
        "size": release.size,
        "url": f"../simple/{distribution_name(release.name)}/{release.filename}",
    }


def compressed(data: bytes) -> bytes:
    """Return a zstandard frame around bytes; without a library it is one that compresses nothing."""
    for name in ("compression.zstd", "backports.zstd"):
        try:
            found: bytes = import_module(name).compress(data, level=_LEVEL)
        except ImportError:
            continue
        return found
    return _raw_frame(data)


def _raw_frame(data: bytes) -> bytes:
    """Return a frame of raw blocks of at most 128 KiB, in a window of 1 MiB (RFC 8878, 3.1.1)."""
    pieces = [data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK)] or [b""]
    heads = [len(one) << 3 for one in pieces]
    heads[-1] |= 1
    blocks = (head.to_bytes(3, "little") + one for head, one in zip(heads, pieces, strict=True))
    return b"".join([b"\x28\xb5\x2f\xfd\x00\x50", *blocks])
