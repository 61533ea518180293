"""What may befall the files of a store while nobody looks, and the check that follows."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import TYPE_CHECKING

from environments import Environment
from gc_worker import VERSIONS
from store_life import CATALOGUE, FILES

from modeldeps.digest import sha256_bytes

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from blob_server import BlobServer
    from store_life import Place


def prepare(place: Place, server: BlobServer) -> None:
    """Lay out what lives need: blobs at a server, releases, and files of another program."""
    for name, file in FILES.items():
        server.add(CATALOGUE[name][0], file.sha256)
    for release in VERSIONS:
        Environment(place.folder / "publisher", place.store, place.releases).install(release)
    place.elsewhere.mkdir()
    (place.elsewhere / "right.bin").write_bytes(CATALOGUE["whole"][0])
    (place.elsewhere / "wrong.bin").write_bytes(bytes(FILES["large"].size))


def blobs(place: Place, chance: random.Random) -> Path | None:
    """Return one of the blobs that are not also another program's file."""
    kept = (place.elsewhere / "right.bin").stat()
    found = sorted(place.store.root.glob("blobs/sha256/*/*"))
    found = [one for one in found if not os.path.samestat(one.stat(), kept)]
    return chance.choice(found) if found else None


def alter(place: Place, chance: random.Random) -> None:
    """Write into a blob, as a program that does not know better."""
    if blob := blobs(place, chance):
        blob.chmod(0o644)
        with blob.open("r+b") as stream:
            stream.seek(chance.randrange(max(1, blob.stat().st_size)))
            stream.write(b"altered")
        blob.chmod(0o444)


def empty(place: Place, chance: random.Random) -> None:
    """Leave of a blob its name."""
    if blob := blobs(place, chance):
        blob.chmod(0o644)
        blob.write_bytes(b"")
        blob.chmod(0o444)


def delete(place: Place, chance: random.Random) -> None:
    """Delete a blob."""
    if blob := blobs(place, chance):
        blob.unlink()


def replace(place: Place, chance: random.Random) -> None:
    """Put another blob's bytes in a blob's place."""
    one, other = blobs(place, chance), blobs(place, chance)
    if one and other and one != other:
        data = other.read_bytes()
        one.unlink()
        one.write_bytes(data)


def scribble(paths: Iterable[Path], chance: random.Random) -> None:
    """Write into the middle of files, or cut them."""
    for path in paths:
        if not path.is_file() or path.is_symlink() or path.stat().st_nlink > 1 or chance.random() < 0.5:
            continue
        path.chmod(0o644)
        with path.open("r+b") as stream:
            stream.seek(chance.randrange(path.stat().st_size + 100))
            stream.write(chance.randbytes(50))
            if chance.random() < 0.3:
                stream.truncate()


def parts(place: Place, chance: random.Random) -> None:
    """Write into what interrupted runs left, and into what says who holds a lock."""
    scribble(sorted(place.store.root.glob("partial/*")), chance)


def hints(place: Place, chance: random.Random) -> None:
    """Write into hints, stamps and notes."""
    scribble(sorted(place.store.root.glob("chunks/*")), chance)
    scribble(sorted(place.store.root.glob("stamps/*/*")), chance)
    scribble(sorted(place.store.root.glob("roots/*/*")), chance)


def trap(place: Place, chance: random.Random) -> None:
    """Make a part file a link to something else, which must stay as it is."""
    victim = place.folder / "victim"
    victim.write_bytes(b"precious")
    file = FILES[chance.choice(sorted(FILES))]
    part = place.store.root / "partial" / file.sha256
    part.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        part.unlink()
    part.symlink_to(victim) if chance.random() < 0.5 else os.link(victim, part)


def litter(place: Place, chance: random.Random) -> None:
    """Leave rubbish about."""
    for name in ("partial", "trash", "blobs/sha256/ab", "models", "chunks"):
        folder = place.store.root / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"rubbish-{chance.randrange(3)}").write_bytes(b"?")


TAMPERINGS: dict[str, Callable[[Place, random.Random], None]] = {
    one.__name__: one for one in (alter, empty, delete, replace, parts, hints, trap, litter)
}


def check(place: Place) -> None:
    """Check that whatever may be used is right, and that nothing else was written to."""
    for name, file in FILES.items():
        found = place.store.find(file)
        assert found is None or sha256_bytes(found.read_bytes()) == file.sha256, name
    victim = place.folder / "victim"
    assert not victim.exists() or victim.read_bytes() == b"precious"
    assert (place.elsewhere / "right.bin").read_bytes() == CATALOGUE["whole"][0]
