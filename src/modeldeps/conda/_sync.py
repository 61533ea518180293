"""Make the store hold what an installed environment needs: for `conda models sync` and the doctor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from modeldeps import environment
from modeldeps._frozen import dataclass, field
from modeldeps.conda._prefix import pointer_packages
from modeldeps.errors import ManifestError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from modeldeps.environment import Pointer
    from modeldeps.fetch import Opener
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.store import Store


@dataclass(frozen=True)
class Ways:
    """How the models of one environment are chosen and fetched inside conda, as in a transaction."""

    taken: Callable[[Manifest], Sequence[Variant]] = field(repr=False)
    """Tells the variants that `load()` would take in that environment."""
    channels: tuple[str, ...]
    """The conda channels that its models came from, without credentials."""
    opener: Opener = field(repr=False)
    """Gives the transport of a URL: conda's session for conda's channels."""


def ways_of(prefix: Path, folders: Sequence[str]) -> Ways:
    """Return the ways of an environment with these site folders."""
    from conda.base.context import context

    from modeldeps.conda._channels import channels_of
    from modeldeps.conda._fetch import machine_of
    from modeldeps.conda._session import opener_for
    from modeldeps.config import settings
    from modeldeps.runtime import select

    chosen = settings()
    machine = machine_of(folders, context)
    shown = channels_of(one for one in pointer_packages(prefix) if one.channel)
    return Ways(
        taken=lambda manifest: select(manifest, on=machine),
        channels=tuple(shown),
        opener=opener_for(context, shown, (*chosen.mirrors, *chosen.channels)),
    )


def sync_prefix(prefix: Path, folders: Sequence[str]) -> Iterator[str]:
    """Fetch what the models in these folders lack, and yield a line for each. Raises what `sync` raises."""
    from conda.base.context import context

    from modeldeps.cli._output import reporter
    from modeldeps.config import settings
    from modeldeps.progress import Reporter, format_bytes
    from modeldeps.store import Store
    from modeldeps.sync import sync

    found, ways = settings(), ways_of(prefix, folders)
    store = Store.open(found)
    for done in sync(
        _noted(folders, ways, store),
        ways.taken,
        store=store,
        channels=tuple(dict.fromkeys((*ways.channels, *found.channels))),
        reporter=Reporter() if context.quiet or context.json else reporter(),
        offline=bool(context.offline or found.offline),
        opener=ways.opener,
    ):
        yield f"{done.name} {done.version} {done.variant}: {format_bytes(done.bytes_fetched)} fetched"


def _noted(folders: Sequence[str], ways: Ways, store: Store) -> list[Pointer]:
    """Return the pointers whose manifest is right, noted as used before anything is looked for."""
    right = []
    for one in environment.pointers(folders):
        try:
            manifest = one.manifest()
        except ManifestError:  # whoever calls has told of it
            continue
        right.append(one)
        for variant in ways.taken(manifest):
            store.note_use(manifest, variant, by=one.location)
    return right
