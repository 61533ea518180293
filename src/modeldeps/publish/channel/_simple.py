"""Render the index that installers read (PEP 503, 592, 658, 691, 700, 714)."""

from __future__ import annotations

import json
from html import escape
from typing import TYPE_CHECKING

from modeldeps.names import distribution_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from modeldeps.publish.channel._record import Record

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="pypi:repository-version" content="1.1">
<link rel="alternate" type="application/vnd.pypi.simple.v1+json" href="index.json">
<title>{title}</title>
</head>
<body>
"""
_FOOT = "</body>\n</html>\n"
_META = {"api-version": "1.1"}


def projects_html(models: Sequence[str]) -> bytes:
    """Return the list of projects (PEP 503)."""
    lines = [f'<a href="{one}/">{one}</a><br>\n' for one in map(distribution_name, models)]
    return (_HEAD.format(title="Simple index") + "".join(lines) + _FOOT).encode()


def projects_json(models: Sequence[str]) -> bytes:
    """Return the list of projects (PEP 691)."""
    return _json({"meta": _META, "projects": [{"name": distribution_name(one)} for one in models]})


def project_html(model: str, records: Sequence[Record]) -> bytes:
    """Return a project's files, newest first (PEP 503)."""
    title = f"Links for {distribution_name(model)}"
    lines = [f"<h1>{title}</h1>\n", *(f"{_link(one)}<br>\n" for one in records)]
    return (_HEAD.format(title=title) + "".join(lines) + _FOOT).encode()


def _link(record: Record) -> str:
    attributes = [("href", f"{record.filename}#sha256={record.sha256}")]
    if record.requires_python:
        attributes.append(("data-requires-python", record.requires_python))
    attributes.append(("data-core-metadata", f"sha256={record.metadata_sha256}"))
    if record.yanked:
        attributes.append(("data-yanked", record.yanked))
    shown = " ".join(f'{key}="{escape(value)}"' for key, value in attributes)
    return f"<a {shown}>{escape(record.filename)}</a>"


def project_json(model: str, records: Sequence[Record]) -> bytes:
    """
    Return a project's files, newest first (PEP 691, PEP 700).

    Only `core-metadata` tells of the metadata file: pip 22.3 fails on an object under `dist-info-metadata`.
    """
    return _json(
        {
            "meta": _META,
            "name": distribution_name(model),
            "versions": [one.version for one in records],
            "files": [_file(one) for one in records],
        }
    )


def _file(record: Record) -> dict[str, object]:
    found: dict[str, object] = {
        "filename": record.filename,
        "url": record.filename,
        "hashes": {"sha256": record.sha256},
        "core-metadata": {"sha256": record.metadata_sha256},
        "size": record.size,
        "upload-time": record.published,
        "yanked": record.yanked or False,
    }
    if record.requires_python:
        found["requires-python"] = record.requires_python
    return found


def _json(value: object) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
