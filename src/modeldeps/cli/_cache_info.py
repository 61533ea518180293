"""`modeldeps cache info`: what the store holds, what for, and what is freed if that goes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from modeldeps.cli._cache_words import date, installed, moment, place, state, user
from modeldeps.cli._output import add_json, facts, table, write, write_json
from modeldeps.config import settings
from modeldeps.progress import format_bytes
from modeldeps.store import plain

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from modeldeps.store import Cost, Costs, Plan, Store, Usage

HELP = "what the store holds, what for, and what is freed if that goes"

EPILOG = """\
examples:
  modeldeps cache info
  modeldeps cache info --json

SHARED is what others need too; FREES is what `modeldeps cache gc` can free once the environment, or
the model, is gone. OF OTHERS is what lies in other users' stores, where several users share one.
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take how to write it."""
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Tell about the store; nothing is made."""
    from modeldeps.store import Rules, Store, wrong_layers  # noqa: PLC0415

    found = settings()
    store, rules, wrong = Store.open(found), Rules(time.time()), wrong_layers(found.stores)
    store.check_place()
    usage, costs, plan = store.usage(), store.costs(rules), store.survey(rules, installed())
    if args.json:
        write_json({**_json(store, usage, wrong), **_costs_json(costs, plan)})
        return 0
    borrowed = [("used of others", _lent_words(costs.borrowed))]
    for line in facts([*_pairs(store, usage, plan, wrong), *borrowed]):
        write(line)
    for line in _tables(costs):
        write(line)
    return 0


def _json(store: Store, usage: Usage, wrong: Mapping[Path, str]) -> dict[str, object]:
    return {
        "path": str(store.root),
        "stores": [str(one) for one in store.layers],
        "wrong_stores": {str(one): problem for one, problem in wrong.items()},
        "writable": store.is_writable(),
        "free": store.free(),
        "blobs": usage.blobs,
        "bytes": usage.blob_bytes,
        "models": usage.models,
        "partial": usage.partial,
        "partial_bytes": usage.partial_bytes,
    }


def _costs_json(costs: Costs, plan: Plan) -> dict[str, object]:
    return {
        "needed": plan.needed,
        "waiting": plan.waiting,
        "freeable": plan.freed,
        "borrowed": _lent(costs.borrowed),
        "damaged_notes": [str(one.file) for one in plan.lost],
        "environments": [
            {
                **_environment(one),
                **_sizes(one),
                "lent": _lent(one.lent),
                "models": sorted({use.note.use.model for use in one.uses}),
            }
            for one in costs.environments
        ],
        "variants": [
            {**_model(one), **_sizes(one), "lent": _lent(one.lent), "environments": _places(one)}
            for one in costs.models
        ],
    }


def _environment(one: Cost) -> dict[str, object]:
    use = one.uses[0].note.use
    return {
        "kind": use.kind,
        "path": use.place,
        "machine": use.machine,
        "user": user(one.uses[0].note.user),
        "state": _state(one),
    }


def _model(one: Cost) -> dict[str, object]:
    use = one.uses[0].note.use
    return {"name": use.name, "version": use.version, "variant": use.variant}


def _sizes(one: Cost) -> dict[str, object]:
    used = moment(one.uses[0].note.used)
    return {"bytes": one.size, "shared": one.shared, "frees": one.alone, "used": used}


def _whose(folder: Path) -> str:
    """Return the user whose store in a shared one this is."""
    try:
        return user(folder.lstat().st_uid)
    except OSError:
        return folder.name


def _lent(found: Mapping[Path, int]) -> list[dict[str, object]]:
    return [{"path": str(one), "user": _whose(one), "bytes": size} for one, size in found.items()]


def _lent_words(found: Mapping[Path, int]) -> str:
    """Return how much is used of other users' stores, and whose, the largest first."""
    order = sorted(found, key=lambda one: -found[one])
    return ", ".join(f"{format_bytes(found[one])} of {plain(_whose(one))}" for one in order)


def _pairs(store: Store, usage: Usage, plan: Plan, wrong: Mapping[Path, str]) -> list[tuple[str, object]]:
    free = store.free()
    unneeded = plan.waiting + plan.freed
    frees = f"{format_bytes(plan.freed)} can be freed now by `modeldeps cache gc`"
    return [
        ("store", store.root),
        ("read-only stores", "\n".join(_layer(one, wrong) for one in store.layers)),
        ("writable", "yes" if store.is_writable() else "no"),
        ("free", "unknown" if free is None else format_bytes(free)),
        ("models", usage.models),
        ("blobs", f"{usage.blobs} ({format_bytes(usage.blob_bytes)})"),
        ("interrupted", f"{usage.partial} ({format_bytes(usage.partial_bytes)})" if usage.partial else ""),
        ("unreadable", "\n".join(f"{one.file}, a note of who uses what" for one in plan.lost)),
        ("not needed", f"{format_bytes(unneeded)}, of which {frees}" if unneeded else ""),
    ]


def _layer(folder: Path, wrong: Mapping[Path, str]) -> str:
    return f"{folder} ({wrong[folder]})" if folder in wrong else str(folder)


def _tables(costs: Costs) -> Iterable[str]:
    """Yield a table of environments and one of models; nothing where no use is known."""
    if not costs.environments:
        return
    rows = [
        (place(one.uses[0]), len({use.note.use.model for use in one.uses}), *_columns(one), _state(one))
        for one in costs.environments
    ]
    yield ""
    yield from table(("USED BY", "MODELS", "SIZE", "SHARED", "FREES", "LAST USE", "STATE"), rows)
    is_shared = any(one.lent for one in costs.models)
    lenders = [[_lent_words(one.lent)] if is_shared else [] for one in costs.models]
    models = [
        (one.uses[0].note.use.model, *_columns(one), len(_places(one)), *lender)
        for one, lender in zip(costs.models, lenders, strict=True)
    ]
    header = ("MODEL", "SIZE", "SHARED", "FREES", "LAST USE", "USED BY")
    yield ""
    yield from table((*header, "OF OTHERS") if is_shared else header, models)


def _places(one: Cost) -> list[str]:
    """Return where a model is used, as far as is known."""
    from modeldeps.store import Dead  # noqa: PLC0415

    return sorted({use.note.use.place for use in one.uses if not isinstance(use.state, Dead)})


def _state(one: Cost) -> str:
    return state(one.uses[0])


def _columns(one: Cost) -> tuple[str, str, str, str]:
    used = date(one.uses[0].note.used)
    return format_bytes(one.size), format_bytes(one.shared), format_bytes(one.alone), used
