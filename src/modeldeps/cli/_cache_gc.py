"""`modeldeps cache gc`: free what no environment needs."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from modeldeps.cli._cache_words import date, installed, moment, place, state, user
from modeldeps.cli._output import add_json, say, table, write, write_json
from modeldeps.config import settings
from modeldeps.errors import FOUND_WRONG
from modeldeps.progress import format_bytes
from modeldeps.store import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.store import Going, Judged, Plan, Rules, Swept

HELP = "free what no environment needs"

EPILOG = """\
examples:
  modeldeps cache gc --dry-run      say what would go, and who used it last
  modeldeps cache gc
  modeldeps cache gc --keep-days 0  also what was used or landed lately

What an environment, a project's pin or this environment's own packages name is never freed. What
can't be looked at from here, such as an environment on a disk that is not mounted, counts until it
was not used for 90 days. 1 is returned where something should have gone and the disk failed.

Of a store that several users share, what this user put there is freed. Root can free in all their
stores, by --all-members; in each he then has the rights of its owner alone.
"""
_DAY = 86_400.0
_MOST_DAYS = 36_500
_LEFTOVERS = {
    "part": "interrupted downloads",
    "lock": "locks of processes that are gone",
    "scratch": "files of processes that are gone",
    "stamp": "stamps of blobs that are gone",
    "trash": "things of a run that did not end",
}


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take how much to keep."""
    parser.add_argument("--dry-run", action="store_true", help="only say what would go")
    parser.add_argument(
        "--keep-days",
        type=_days,
        default=30,
        metavar="N",
        help="keep what was used or landed in the last N days (%(default)s)",
    )
    parser.add_argument(
        "--unsure-days",
        type=_days,
        default=90,
        metavar="N",
        help="let environments that can't be looked at count for N days since their last use (%(default)s)",
    )
    parser.add_argument(
        "--all-members",
        action="store_true",
        help="as root, of a shared store: free in the stores of all its users",
    )
    add_json(parser)


def _days(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= _MOST_DAYS):
        raise argparse.ArgumentTypeError(f"expected days from 0 to {_MOST_DAYS}, found {text!r}")
    return int(text)


def execute(args: argparse.Namespace) -> int:
    """Free it, or say what would be freed."""
    from modeldeps.store import Rules, Store, Swept  # noqa: PLC0415

    store = Store.open(settings())
    store.check_place()
    rules = Rules(time.time(), keep=args.keep_days * _DAY, unsure=args.unsure_days * _DAY)
    if args.all_members:
        from modeldeps.cli._cache_members import free  # noqa: PLC0415 - few are root

        return free(store, rules, args)
    if args.dry_run:
        plan = store.survey(rules, installed())
        done = Swept(plan, plan.going)
    else:
        done = store.collect(rules, installed())
    if args.json:
        write_json(to_json(done, dry_run=args.dry_run))
    else:
        tell(done, rules, dry_run=args.dry_run)
    return FOUND_WRONG if any(one.failed for one in done.kept) else 0


def to_json(done: Swept, *, dry_run: bool) -> dict[str, object]:
    """Return what went and what stays, as data."""
    return {
        "dry_run": dry_run,
        "freed": done.freed,
        "gone": [_thing(one) for one in done.gone if one.kind not in ("empty", "note")],
        "kept": [{**_thing(one.going), "reason": one.reason} for one in done.kept],
        "needed": done.plan.needed,
        "waiting": done.plan.waiting,
        "damaged": [
            {"path": str(one.file), "user": user(one.user), "used": moment(one.used)}
            for one in done.plan.lost
        ],
        "unsure": [{**_use(one), "reason": state(one).removeprefix("unsure: ")} for one in done.plan.unsure],
    }


def _thing(one: Going) -> dict[str, object]:
    last = _use(one.last) if one.last else None
    return {"kind": one.kind, "name": str(one.path), "bytes": one.size, "why": one.why, "last": last}


def _use(one: Judged) -> dict[str, object]:
    use = one.note.use
    named = {"model": use.name, "version": use.version, "variant": use.variant}
    who = {"kind": use.kind, "path": use.place, "user": user(one.note.user)}
    return {**named, **who, "used": moment(one.note.used)}


def tell(done: Swept, rules: Rules, *, dry_run: bool) -> None:
    """Write a line for each model with who used it last, then what stays and why."""
    if rows := _rows(done.gone):
        for line in table(("WHAT", "FREES", "LAST USE", "BY", "WHY"), rows):
            write(line)
    for left in done.kept:
        say(f"kept: {plain(str(left.going.path))}: {left.reason}")
    for place_, words in _unsure(done.plan).items():
        say(f"kept: {place_}: {words}; it counts until it was not used for {rules.unsure / _DAY:.0f} days")
    for one in done.plan.lost:
        say(
            f"kept: all models: a note can't be read, and what it was for is not known: {one.file}\n"
            f"hint: `modeldeps sync` in its environment writes it anew; delete it where that is gone; "
            f"it counts until {rules.unsure / _DAY:.0f} days after its last use, {date(one.used)}"
        )
    verb = "would free" if dry_run else "freed"
    later = f", {format_bytes(done.plan.waiting)} is kept for a while" if done.plan.waiting else ""
    say(f"{verb} {format_bytes(done.freed)}; {format_bytes(done.plan.needed)} is needed{later}")


def _unsure(plan: Plan) -> dict[str, str]:
    """Return by place why it can't be looked at."""
    return {place(one): state(one).removeprefix("unsure: ") for one in plan.unsure}


def _rows(gone: Sequence[Going]) -> list[tuple[str, ...]]:
    """Return a line for each model that goes, one for each kind of leftovers, the largest first."""
    groups: dict[str, list[Going]] = {}
    for one in gone:
        if one.kind in _LEFTOVERS:
            groups.setdefault(_LEFTOVERS[one.kind], []).append(one)
        elif one.kind in ("blob", "model"):
            groups.setdefault(one.last.note.use.model if one.last else "unknown", []).append(one)
    return [_row(name, groups[name]) for name in sorted(groups, key=lambda name: -_size(groups[name]))]


def _row(name: str, things: Sequence[Going]) -> tuple[str, ...]:
    last = max((one.last for one in things if one.last), key=lambda one: one.note.used, default=None)
    count = sum(one.kind != "model" for one in things)
    if last is None:
        name = f"{count} {'blob' if count == 1 else 'blobs'}" if name == "unknown" else f"{count} {name}"
        used = date(max(one.changed for one in things))
        return name, format_bytes(_size(things)), used and f"before {used}", "", things[0].why
    who = " of ".join(filter(None, (place(last), user(last.note.user))))
    return name, format_bytes(_size(things)), date(last.note.used), who, things[0].why


def _size(things: Sequence[Going]) -> int:
    return sum(one.size for one in things)
