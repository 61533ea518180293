"""
Write what a channel derives from its wheels: records, indexes, pages.

Every index is made from a listing of the folder, written, and compared with a new listing, until
they agree. So the last one to write an index has seen every release that was there, also where
two publishers work at once and the lock does nothing.
"""

from __future__ import annotations

import os
import time
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from modeldeps.errors import CondaPackageError, InvalidFileError
from modeldeps.fetch.index import MAX_WHEEL, read_wheel
from modeldeps.manifest import parse
from modeldeps.names import distribution_name
from modeldeps.publish.channel import _pages, _simple
from modeldeps.publish.channel._conda import derive, pointers, refresh_conda
from modeldeps.publish.channel._record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from modeldeps.fetch.index import PointerWheel
    from modeldeps.progress import Reporter
    from modeldeps.publish.channel._folder import ChannelFolder


def refresh(channel: ChannelFolder, *models: str, reporter: Reporter) -> None:
    """Bring the indexes and pages of models, then the channel's, to what the folder holds. Raises OSError."""
    for model in models:
        refresh_project(channel, model, reporter=reporter)
    catch_up(channel, reporter=reporter)
    refresh_conda(channel)
    refresh_root(channel)


def refresh_project(channel: ChannelFolder, model: str, *, reporter: Reporter) -> None:
    """Complete releases whose publisher was killed, then write the model's index and pages."""
    while True:
        for version in channel.versions(model):
            complete(channel, model, version, reporter=reporter)
        if not (records := channel.records(model)):
            return
        for file, data in _project_files(channel, model, records):
            channel.landing.put(file, data)
        if channel.records(model) == records:
            return


def _project_files(
    channel: ChannelFolder, model: str, records: tuple[Record, ...]
) -> Iterator[tuple[Path, bytes]]:
    for record in records:
        yield from _release_page(channel, record)
    yield channel.models / model / "index.html", _pages.model_page(model, records)
    yield channel.project(model) / "index.json", _simple.project_json(model, records)
    yield channel.project(model) / "index.html", _simple.project_html(model, records)


def _release_page(channel: ChannelFolder, record: Record) -> Iterator[tuple[Path, bytes]]:
    """Yield a release's page where it is missing or does not say that, or why, it is yanked."""
    folder = channel.release(record.name, record.version)
    page = folder / "index.html"
    mark = _pages.state_mark(record).encode()
    if not page.exists() or mark not in page.read_bytes():
        manifest = parse((folder / "model.json").read_bytes(), file=folder / "model.json")
        yield page, _pages.release_page(manifest, record)


def refresh_root(channel: ChannelFolder) -> None:
    """Write the list of models for installers and for people."""
    while True:
        listing = _listing(channel)
        models = list(listing)
        channel.landing.put(channel.simple / "index.json", _simple.projects_json(models))
        channel.landing.put(channel.simple / "index.html", _simple.projects_html(models))
        channel.landing.put(channel.root / "index.html", _pages.channel_page(listing))
        if _listing(channel) == listing:
            return


def _listing(channel: ChannelFolder) -> dict[str, Record]:
    found = {model: channel.newest(model) for model in channel.model_names()}
    return {model: record for model, record in found.items() if record}


def complete(channel: ChannelFolder, model: str, version: str, *, reporter: Reporter) -> None:
    """Write what lies beside a release's wheel, the record last; at once where the record is there."""
    if channel.record_file(model, version).exists():
        return
    path = channel.wheel(model, version)
    wheel, moment = read_pointer(path), _now()
    channel.landing.put(path.with_name(path.name + ".metadata"), wheel.raw_metadata)
    channel.landing.put(channel.release(model, version) / "model.json", wheel.raw_manifest)
    if f"{distribution_name(model)}-{version}" not in pointers(channel):
        _derive(channel, wheel, moment, reporter)
    channel.landing.claim(channel.record_file(model, version), Record.of(wheel, moment).dump())


def catch_up(channel: ChannelFolder, *, reporter: Reporter) -> None:
    """Make the conda packages of releases that were published without one. Raises OSError."""
    there = pointers(channel)
    for model in channel.model_names():
        for version in channel.versions(model):
            if f"{distribution_name(model)}-{version}" in there:
                continue
            if record := channel.record(model, version):
                _derive_again(channel, record, reporter)


def _derive_again(channel: ChannelFolder, record: Record, reporter: Reporter) -> None:
    """Make the conda package of an old release; a damaged wheel is no reason to stop others."""
    try:
        wheel = read_pointer(channel.wheel(record.name, record.version))
    except InvalidFileError as error:
        reporter.note(f"{record.name} {record.version} has no conda package: {error}")
        return
    _derive(channel, wheel, record.published, reporter)


def _derive(channel: ChannelFolder, wheel: PointerWheel, published: str, reporter: Reporter) -> None:
    """Make the conda package of a release; where conda can't say what it needs, it has none."""
    try:
        made = derive(channel, wheel, published)
    except CondaPackageError as error:
        reporter.note(f"{wheel.manifest.name} {wheel.manifest.version} has no conda package: {error}")
        return
    for note in made.notes:
        reporter.note(f"{made.filename}: {note}")


def read_pointer(path: Path) -> PointerWheel:
    """Read a pointer wheel. Raises PointerWheelError, ManifestError, OSError."""
    with path.open("rb") as stream:
        return read_wheel(stream.read(MAX_WHEEL + 1), path.name)


def _now() -> str:
    """Return this moment, or the one that SOURCE_DATE_EPOCH names, so that a channel can be made again."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(epoch) if epoch.isascii() and epoch.isdigit() else int(time.time())
    moment = datetime.fromtimestamp(min(seconds, 253402300799), tz=timezone.utc)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
