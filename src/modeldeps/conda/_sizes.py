"""Say before 'Proceed?' how many bytes of models will come."""

from __future__ import annotations

import sys
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeldeps.progress import format_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from modeldeps.conda._fetch import Linked, Target
    from modeldeps.store import Store

RUNTIME = "modeldeps"
"""What every pointer package depends on, whatever its own name is."""
MOST = 4_000_000
"""Bytes of a package that is downloaded before 'Proceed?'; a pointer package has a few thousand."""

log = getLogger(__name__)


def announce_sizes(records: Sequence[Any]) -> None:
    """
    Say what the models among the packages to be linked weigh, and how much of it must come.

    Sizes are in the manifests, so the pointer packages are downloaded for it, unless conda runs dry or
    offline. What goes wrong here is left to the transaction, which says it better.
    """
    from conda.base.context import context

    mine = [one for one in records if may_point(one)]
    if not mine or context.quiet or context.json:
        return
    try:
        lines = tuple(_lines(mine, context))
    except Exception as error:  # noqa: BLE001 - this is talk; the command must go on
        log.debug("no sizes of models: %r", error)
        return
    if lines:
        sys.stdout.write("\n".join(("", "## Models ##", "", *lines, "")) + "\n")


def may_point(record: Any) -> bool:
    """Tell whether a record may be that of a pointer package, before its files can be looked at."""
    needs = {str(one).split(" ")[0] for one in record.depends or ()}
    return RUNTIME in needs and (record.size or 0) <= MOST


def _lines(records: Sequence[Any], context: Any) -> Iterator[str]:
    from conda.core.package_cache_data import ProgressiveFetchExtract

    from modeldeps.conda._fetch import Target, models_of
    from modeldeps.conda._prefix import site_folders

    if not context.dry_run and not context.offline:
        ProgressiveFetchExtract(records).execute()
    if found := models_of(records):
        sites = site_folders(Path(str(context.target_prefix)))
        yield from lines_of(found, Target(Path(next(iter(sites), context.target_prefix)), context))


def lines_of(linked: Linked, target: Target) -> Iterator[str]:
    """Yield a line for each model that is about to be linked, and one for what must come in all."""
    from modeldeps.conda._fetch import taken_in
    from modeldeps.config import settings
    from modeldeps.store import Store

    taken, store, missing = taken_in(target, linked.runtimes), Store.open(settings()), 0
    for _, pointer in linked.models:
        manifest = pointer.manifest()
        for variant in taken(manifest):
            lacking = 0 if pointer.carried.is_dir() else _lacking(store, manifest.payload(variant))
            missing += lacking
            size = format_bytes(sum(one.size for one in manifest.payload(variant)))
            state = f"{format_bytes(lacking)} to fetch" if lacking else "already here"
            yield f"  {manifest.name} {manifest.version} {variant.name}  {size}, {state}"
    yield f"  in all {format_bytes(missing)} to fetch"


def _lacking(store: Store, files: Sequence[Any]) -> int:
    return sum(one.size for one in files if store.find(one) is None)
