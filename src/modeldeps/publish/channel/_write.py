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

from modeldeps.errors import InvalidFileError
from modeldeps.fetch.index import MAX_WHEEL, read_wheel
from modeldeps.manifest import parse
from modeldeps.names import distribution_name
from modeldeps.publish.channel import _pages, _simple
from modeldeps.publish.channel._conda import derive, pointers, refresh_conda
from modeldeps.publish.channel._record import Record

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from modeldeps.fetch.index import PointerWheel
    from modeldeps.progress import Reporter
    from modeldeps.publish.channel._folder import ChannelFolder


def refresh(channel: ChannelFolder, *models: str, reporter: Reporter) -> None:
    """Bring the indexes and pages of models, then the channel's, to what the folder holds. Raises OSError."""
    for model in models:
        refresh_project(channel, model)
    make_conda_packages(channel, told=models, reporter=reporter)
    refresh_conda(channel)
    refresh_root(channel)


def refresh_project(channel: ChannelFolder, model: str) -> None:
    """Complete releases whose publisher was killed, then write the model's index and pages."""
    while True:
        for version in channel.versions(model):
            complete(channel, model, version)
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


def complete(channel: ChannelFolder, model: str, version: str) -> None:
    """Write what lies beside a release's wheel, the record last; at once where the record is there."""
    if channel.record_file(model, version).exists():
        return
    path = channel.wheel(model, version)
    wheel = read_pointer(path)
    channel.landing.put(path.with_name(path.name + ".metadata"), wheel.raw_metadata)
    channel.landing.put(channel.release(model, version) / "model.json", wheel.raw_manifest)
    channel.landing.claim(channel.record_file(model, version), Record.of(wheel, _now()).dump())


def make_conda_packages(channel: ChannelFolder, *, told: Sequence[str], reporter: Reporter) -> None:
    """
    Make the conda package of each whole release that has none, old ones too. Raises OSError.

    The reporter hears why one could not be made of the models in `told`, and of others only how many.
    """
    there, others = pointers(channel), 0
    for model in channel.model_names():
        for version in channel.versions(model):
            if f"{distribution_name(model)}-{version}" in there:
                continue
            record = channel.record(model, version)
            notes = _make_conda_package(channel, record) if record else []
            others += bool(notes) and model not in told
            for note in notes if model in told else ():
                reporter.note(note)
    if others:
        reporter.note(f"{others} older releases have no conda package, or one that leaves something out")


def _make_conda_package(channel: ChannelFolder, record: Record) -> list[str]:
    """Make a release's package out of its wheel, and return what to tell; a wrong wheel stops nobody."""
    try:
        wheel = read_pointer(channel.wheel(record.name, record.version))
        made = derive(channel, wheel, record.published)
    except InvalidFileError as error:
        return [f"{record.name} {record.version} has no conda package: {error}"]
    return [f"{made.filename}: {note}" for note in made.notes]


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
