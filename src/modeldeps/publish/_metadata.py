"""The core metadata of a pointer package (METADATA 2.4, PEP 639)."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from modeldeps.names import distribution_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.manifest import Manifest, Variant

BASE = "modeldeps>=0.1"
"""What reads the manifest: the first version that knows schema 1."""

RUNTIMES = {"cpu": "onnxruntime", "cuda": "onnxruntime-gpu[cuda,cudnn]"}
"""The distribution of ONNX Runtime behind each extra; they exclude each other."""

CONTENT_TYPES = {".md": "text/markdown", ".rst": "text/x-rst"}
"""By the end of the readme's name; anything else is plain text."""

_MAIL = re.compile(r".+ <[^<>@\s]+@[^<>@\s]+>")


def metadata(manifest: Manifest, *, licenses: Sequence[str], readme: str, readme_name: str) -> bytes:
    """Return the METADATA file: fields in one order, then the readme."""
    fields = [*_identity(manifest, licenses, readme_name), ("Requires-Dist", BASE), *_runtimes(manifest)]
    return _spell(fields, readme or f"# {manifest.name}\n\n{manifest.summary}\n")


def package_info(manifest: Manifest, *, licenses: Sequence[str], readme: str, readme_name: str) -> bytes:
    """Return the PKG-INFO of a source distribution; the runtime is found when the wheel is built."""
    extras = [("Provides-Extra", name) for name in sorted(RUNTIMES)]
    fields = [*_identity(manifest, licenses, readme_name), ("Dynamic", "Requires-Dist"), *extras]
    return _spell(fields, readme or f"# {manifest.name}\n\n{manifest.summary}\n")


def _spell(fields: Sequence[tuple[str, str]], body: str) -> bytes:
    head = "".join(f"{name}: {value}\n" for name, value in fields)
    return f"{head}\n{body}".encode()


def _identity(manifest: Manifest, licenses: Sequence[str], readme_name: str) -> list[tuple[str, str]]:
    plain = [one for one in manifest.authors if not _MAIL.fullmatch(one)]
    mails = [one for one in manifest.authors if _MAIL.fullmatch(one)]
    fields = [
        ("Metadata-Version", "2.4"),
        ("Name", distribution_name(manifest.name)),
        ("Version", manifest.version),
        ("Summary", manifest.summary),
        ("Author", ", ".join(plain)),
        ("Author-email", ", ".join(mails)),
        ("License-Expression", manifest.license),
        *(("License-File", name) for name in licenses),
        ("Keywords", manifest.task),
        ("Classifier", "Topic :: Scientific/Engineering :: Artificial Intelligence"),
        ("Project-URL", f"Homepage, {manifest.homepage}" if manifest.homepage else ""),
        ("Description-Content-Type", content_type(readme_name)),
    ]
    return [(name, value) for name, value in fields if value]


def content_type(readme_name: str) -> str:
    """Return what a readme's name says about its text; without a readme the text is Markdown."""
    ending = PurePosixPath(readme_name or "README.md").suffix.lower()
    return CONTENT_TYPES.get(ending, "text/plain") + "; charset=UTF-8"


def _runtimes(manifest: Manifest) -> list[tuple[str, str]]:
    """Return the extras; a release that needs no ONNX Runtime has them too, without a requirement."""
    fields: list[tuple[str, str]] = []
    for extra in sorted(RUNTIMES):
        fields.append(("Provides-Extra", extra))
        variant = _meant_for(manifest, extra)
        if variant is not None and variant.format == "onnx":
            requirement = f"{RUNTIMES[extra]}{variant.requires.runtime}"
            fields.append(("Requires-Dist", f"{requirement}; extra == '{extra}'"))
    return fields


def _meant_for(manifest: Manifest, provider: str) -> Variant | None:
    """Return the publisher's first choice among the variants meant for a provider, else among all."""
    ordered = [one for name in manifest.default if (one := manifest.variant(name)) is not None]
    return next((one for one in ordered if provider in one.providers or not one.providers), ordered[0])
