"""`modeldeps cache gc --all-members`: free in the stores of all users who share one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from modeldeps.cli._cache_gc import tell, to_json
from modeldeps.cli._cache_words import installed, user
from modeldeps.cli._output import say, write_json
from modeldeps.errors import FOUND_WRONG, ModelDepsError, UsageError
from modeldeps.progress import format_bytes
from modeldeps.store import Swept, plain

if TYPE_CHECKING:
    import argparse

    from modeldeps.store import Rules, Store
    from modeldeps.store._gc import Seen


def free(store: Store, rules: Rules, args: argparse.Namespace) -> int:
    """Free it, or say what would be freed; 1 where one store could not be looked through."""
    members = _members(store)
    seen, also = store.look(), installed()  # as root, who can look at more than each user
    done, failed = [], False
    for one in members:
        try:
            done.append(_one(one, rules, also, seen, dry_run=args.dry_run))
        except (ModelDepsError, OSError) as error:  # noqa: PERF203 - what one does to his store stops no other one
            say(f"error: {plain(str(one.root))}: {plain(str(error).replace(os.linesep, '; '))}")
            failed = True
    freed = sum(swept.freed for _, swept in done)
    failed = failed or any(kept.failed for _, swept in done for kept in swept.kept)
    if args.json:
        told = [{**whose, **to_json(swept, dry_run=args.dry_run)} for whose, swept in done]
        write_json({"dry_run": args.dry_run, "freed": freed, "members": told})
    else:
        for whose, swept in done:
            say(f"store of {whose['user']}: {plain(whose['path'])}")
            tell(swept, rules, dry_run=args.dry_run)
        say(f"in all {format_bytes(freed)}")
    return FOUND_WRONG if failed else 0


def _members(store: Store) -> tuple[Store, ...]:
    """Return the stores of all users. Raises UsageError."""
    if not hasattr(os, "geteuid") or os.geteuid() or os.getuid():
        raise UsageError(
            "only root can free in other users' stores", hint="sudo modeldeps cache gc --all-members"
        )
    if not (found := store.members()):
        raise UsageError("--all-members is for a store that several users share", ("store", store.root))
    return found


def _one(
    store: Store, rules: Rules, also: frozenset[str], seen: Seen, *, dry_run: bool
) -> tuple[dict[str, str], Swept]:
    """Free in one store with the rights of its owner; return whose it is too. Raises StoreError, OSError."""
    whose = {"path": str(store.root), "user": user(store.root.lstat().st_uid)}
    with store.as_owner():
        if not dry_run:
            return whose, store.collect(rules, also, seen)
        plan = store.survey(rules, also, seen)
        return whose, Swept(plan, plan.going)
