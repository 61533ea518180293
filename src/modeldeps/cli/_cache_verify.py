"""`modeldeps cache verify`: hash what the store holds, and put right what is wrong."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from modeldeps.cli._cache_known import manifests
from modeldeps.cli._cache_repair import Repairer, Repairs, Wanted
from modeldeps.cli._output import add_json, reporter, say, table, write, write_json
from modeldeps.cli.sync import channels
from modeldeps.config import settings
from modeldeps.errors import FOUND_WRONG, ModelNotInstalledError, NotInStoreError, RequirementError
from modeldeps.progress import counted, format_bytes
from modeldeps.requirement import ModelRequirement
from modeldeps.store import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.manifest import Manifest, Variant
    from modeldeps.store import Expected, Finding, Store, Verified

HELP = "hash what the store holds, and put right what is wrong"

EPILOG = """\
Every blob, and every file of a model that is no hard link to one, is hashed on all cores. From then on nobody
uses a file that is wrong. It is put right out of another copy on this machine, or fetched: where a model of
this environment, or of another one that uses the store, names its chunks, only the wrong ones travel. What is
there goes only when what is right takes its place. Read-only stores are checked, and not put right.

0 is returned where all is right in the end, 1 where something is still wrong.

examples:
  modeldeps cache verify                all that the store holds
  modeldeps cache verify digits         this model alone; what lacks of it is fetched
  modeldeps cache verify digits==2.1.0  of several releases on this machine this one
  modeldeps cache verify --no-repair    only look
"""


def configure_parser(parser: argparse.ArgumentParser) -> None:
    """Take the models, and whether to put right what is wrong."""
    parser.add_argument(
        "names", nargs="*", metavar="REQ", help="a model, such as digits or 'digits>=2.1'; none means all"
    )
    parser.add_argument(
        "--repair",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="put right what is wrong; that is what happens without a word",
    )
    parser.add_argument(
        "--offline", action="store_true", help="use no network; folders still serve as channels"
    )
    add_json(parser)


def execute(args: argparse.Namespace) -> int:
    """Look, put right, and tell; 1 where something is still wrong."""
    from modeldeps.store import Store  # noqa: PLC0415

    found = settings()
    store = Store.open(found)
    store.check_place()
    known = _named(manifests(store), args.names)
    talk = reporter()
    verified = store.verify(
        _models(store, known, named=bool(args.names)), reporter=talk, only=bool(args.names)
    )
    repairs = Repairs()
    if args.repair and any(map(_is_wrong, verified.findings)):
        offline = args.offline or found.offline
        repairer = Repairer(store, Wanted.of(known), channels(found.channels), talk, offline)
        repairs = repairer.repair(verified)
    left = [one for one in verified.findings if _is_wrong(one) and one.item.path not in repairs.done]
    if args.json:
        write_json(_json(verified, repairs, known))
    else:
        _tell(verified, repairs, known)
    return FOUND_WRONG if left else 0


def _is_wrong(finding: Finding) -> bool:
    from modeldeps.store import Verdict  # noqa: PLC0415

    return finding.verdict is not Verdict.PROVED


def _named(known: Sequence[Manifest], texts: Sequence[str]) -> Sequence[Manifest]:
    """Return the releases that were asked for, or all. Raises what `_asked` does."""
    if not texts:
        return known
    chosen = {id(one) for text in texts for one in _asked(known, text)}
    return [one for one in known if id(one) in chosen]


def _asked(known: Sequence[Manifest], text: str) -> Sequence[Manifest]:
    """
    Return the releases that meet a requirement.

    Raises RequirementError, ModelNotInstalledError, and NotInStoreError where there are only others.
    """
    asked = ModelRequirement.parse(text)
    if asked.extras or asked.marker:
        raise RequirementError(text, "here only a name and a specifier have a meaning")
    releases = [one for one in known if one.name == asked.name]
    if not releases:
        names = sorted({one.name for one in known})
        raise ModelNotInstalledError(asked.name, names, requirement=str(asked))
    found = [one for one in releases if asked.allows(one.version, installed=True)]
    if not found:
        versions = [f"{one.name}=={one.version}" for one in releases]
        raise NotInStoreError(str(asked), known=sorted(versions), hint=f"modeldeps cache verify {asked.name}")
    return found


def _models(store: Store, known: Sequence[Manifest], *, named: bool) -> list[Expected]:
    """Return the variants to look at; of named models those that are here, or would be taken."""
    from modeldeps.store import Expected  # noqa: PLC0415

    return [
        Expected(one.name, one.version, variant.name, one.payload(variant))
        for one in known
        for variant in (_here(store, one) if named else one.variants)
    ]


def _here(store: Store, manifest: Manifest) -> Sequence[Variant]:
    from modeldeps.runtime import select  # noqa: PLC0415

    def is_here(variant: Variant) -> bool:
        names = {"name": manifest.name, "version": manifest.version, "variant": variant.name}
        return store.has_folder(manifest.payload(variant), **names)

    return [one for one in manifest.variants if is_here(one)] or select(manifest)


def _tell(verified: Verified, repairs: Repairs, known: Sequence[Manifest]) -> None:
    wanted = Wanted.of(known)
    rows = [
        (
            _word(one, repairs),
            wanted.models.get(one.item.digest, ""),
            wanted.label(one.item.digest),
            plain(str(one.item.path)),
        )
        for one in verified.findings
    ]
    if rows:
        for line in table(("STATE", "MODEL", "FILE", "WHERE"), rows):
            write(line)
    for one in verified.findings:
        if _is_wrong(one) and one.item.path not in repairs.done:
            say(f"error: {plain(str(one.item.path))}: {_reason(one, repairs)}")
    wrong = sum(map(_is_wrong, verified.findings))
    mended = f", {len(repairs.done)} put right" if wrong else ""
    travelled = f" ({format_bytes(repairs.bytes_fetched)} fetched)" if repairs.bytes_fetched else ""
    found = f"{wrong} wrong" if wrong else "nothing wrong"
    say(f"{counted(verified.files, 'file')} ({format_bytes(verified.size)}): {found}{mended}{travelled}")


def _word(finding: Finding, repairs: Repairs) -> str:
    if finding.item.path in repairs.done:
        return "repaired"
    return finding.verdict.value if _is_wrong(finding) else "newly proved"


def _reason(finding: Finding, repairs: Repairs) -> str:
    why = plain(finding.reason) or finding.verdict.value
    if not finding.item.own:
        return f"{why}; it is in a read-only store, whose owner must put it right"
    failed = repairs.failed.get(finding.item.path)
    return f"{why}\n{failed}" if failed else why


def _json(verified: Verified, repairs: Repairs, known: Sequence[Manifest]) -> dict[str, object]:
    wanted = Wanted.of(known)
    return {
        "files": verified.files,
        "bytes": verified.size,
        "bytes_fetched": repairs.bytes_fetched,
        "findings": [
            {
                "state": one.verdict.value,
                "repaired": one.item.path in repairs.done,
                "path": str(one.item.path),
                "sha256": one.item.digest or None,
                "bytes": one.item.size,
                "model": wanted.models.get(one.item.digest),
                "file": wanted.label(one.item.digest) or None,
                "read_only": not one.item.own,
                "reason": one.reason or None,
                "error": str(repairs.failed[one.item.path]) if one.item.path in repairs.failed else None,
            }
            for one in verified.findings
        ],
    }
