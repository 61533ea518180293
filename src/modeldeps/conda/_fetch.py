"""Bring the payloads of the models among conda's records, as `modeldeps sync` does for an environment."""

from __future__ import annotations

import os
import stat
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modeldeps._frozen import dataclass
from modeldeps.config import settings
from modeldeps.environment import FILE, Pointer, pointers
from modeldeps.runtime import Fails, Machine, Runtime, Works, installed, lacks_cuda, select

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from modeldeps.fetch import Opener, Transport
    from modeldeps.manifest import Manifest, Variant
    from modeldeps.runtime import Fact

    Select = Callable[[Manifest], Sequence[Variant]]

NOARCH = "site-packages"
"""Where a package without a platform has what goes into the environment's site-packages."""
_OURS = "onnxruntime/__init__.py"


@dataclass(frozen=True)
class Linked:
    """The models that a transaction links, and what it links beside them."""

    models: tuple[tuple[Any, Pointer], ...]
    """Record and pointer package, as it lies in conda's package cache."""
    runtimes: tuple[str, ...]
    """Site folders in the package cache that have an ONNX Runtime."""


@dataclass(frozen=True)
class Target:
    """The environment that a transaction changes."""

    site: Path
    """Its site-packages, there or not yet."""
    context: Any
    """conda's context: what the user set and said."""


def models_of(
    records: Iterable[Any], short: str = "", *, folder_of: Callable[[Any], Path] | None = None
) -> Linked | None:
    """
    Return the models among records that are about to be linked; None where there are none.

    Each record's package is extracted, in the folder that `folder_of` tells; `short` is where the
    environment's site-packages are below its prefix. A model is known by the
    `model.json` of its `.dist-info` folder, whatever the package's name.
    """
    found, runtimes = [], []
    for record in records:
        folder = (folder_of or extracted)(record)
        for site in _sites(folder, short):
            found += [(record, one) for one in _pointers(site)]
            if (site / _OURS).is_file():
                runtimes.append(str(site))
    return Linked(tuple(found), tuple(runtimes)) if found else None


def bring(linked: Linked, target: Target, *, shown: Mapping[str, str], heading: str) -> None:
    """
    Fetch what the store lacks of models, and note that an environment uses them.

    `shown` are the bases of conda's channels, as `channels_of` gives them; `heading` is what conda says
    that it does. Raises ModelDepsError.
    """
    from modeldeps.conda._words import reporter_for
    from modeldeps.store import Store
    from modeldeps.sync import sync

    chosen = settings()
    store = Store.open(chosen)
    taken = taken_in(target, linked.runtimes)
    for _, pointer in linked.models:
        manifest = pointer.manifest()
        for variant in taken(manifest):
            store.note_use(manifest, variant, by=target.site / pointer.location.name)
    sync(
        [pointer for _, pointer in linked.models],
        taken,
        store=store,
        channels=tuple(dict.fromkeys((*shown, *chosen.channels))),
        reporter=reporter_for(target.context, heading),
        offline=bool(target.context.offline) or chosen.offline,
        opener=_opener(target.context, shown, (*chosen.mirrors, *chosen.channels)),
    )


def _opener(context: Any, shown: Mapping[str, str], own: Sequence[str]) -> Opener:
    """Return who gives the transport of a URL; most often everything is here, and nobody asks."""

    @cache
    def made() -> Opener:
        from modeldeps.conda._session import opener_for

        return opener_for(context, shown, own)

    def opener(url: str) -> Transport:
        return made()(url)

    return opener


def taken_in(target: Target, runtimes: Sequence[str] = ()) -> Select:
    """
    Return what tells the variants that `load()` would take in an environment; never none.

    Its ONNX Runtime is looked for in `runtimes`, site folders that it will have, then in the prefix.
    What is returned raises UnknownProviderError.
    """
    found = machine_of([*runtimes, str(target.site)], target.context)
    return lambda manifest: select(manifest, on=found)


def machine_of(paths: Sequence[str], context: Any) -> Machine:
    """Return the facts for an environment with these site folders, as far as conda knows them."""
    runtime = installed(paths)
    if not isinstance(runtime, Runtime):
        return Machine(runtime)
    facts: dict[str, Fact] = {"cpu": Works(str(runtime))}
    facts["cuda"] = lacks_cuda(runtime) or _cuda(runtime, context)
    return Machine(runtime, facts)


def _cuda(runtime: Runtime, context: Any) -> Fact:
    """Tell what conda's `__cuda` says: it is what the solver chose by, and may be set for another machine."""
    records = context.plugin_manager.get_virtual_package_records()
    version = next((str(one.version) for one in records if one.name == "__cuda"), "")
    if not version:
        return Fails("conda finds no CUDA driver (__cuda)")
    needed, _, _ = runtime.cuda.partition(".")
    found, _, _ = version.partition(".")
    if needed.isdigit() and found.isdigit() and int(found) < int(needed):
        return Fails(f"the driver supports CUDA {version} (__cuda), this onnxruntime needs {runtime.cuda}")
    return Works(f"conda's __cuda is {version}")


def extracted(record: Any) -> Path:
    """Return where a record's package lies in conda's package cache. Raises CondaError where it does not."""
    from conda.core.package_cache_data import PackageCacheData

    return Path(PackageCacheData.get_entry_to_link(record).extracted_package_dir)


def _sites(folder: Path, short: str) -> Iterator[Path]:
    """Yield the folders of a package that become the environment's site-packages."""
    for name in dict.fromkeys((NOARCH, short)):
        if name and (site := folder / name).is_dir():
            yield site


def _pointers(site: Path) -> tuple[Pointer, ...]:
    """Return the pointer packages of a folder whose manifest is a file of its own, not a link elsewhere."""
    return tuple(one for one in pointers([str(site)]) if _is_plain(one.location / FILE))


def _is_plain(file: Path) -> bool:
    try:
        return stat.S_ISDIR(os.lstat(file.parent).st_mode) and stat.S_ISREG(os.lstat(file).st_mode)
    except OSError:
        return False
