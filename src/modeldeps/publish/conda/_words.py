"""The texts of a conda package: what METADATA and entry_points.txt say, in conda's words."""

from __future__ import annotations

import configparser
from typing import Any

CLASSIFIER = "License :: OSI Approved :: "
"""What a licence begins with where a wheel has no expression (before PEP 639)."""


def license_expression(metadata: bytes) -> str:
    """Return the licence of a wheel, an SPDX expression where it has one (PEP 639)."""
    raw = _raw(metadata)
    found = raw.get("license_expression") or raw.get("license", "")
    if found and "\n" not in found:
        return str(found)[:200]
    named = [one for one in raw.get("classifiers", []) if one.startswith(CLASSIFIER)]
    return named[0].removeprefix(CLASSIFIER) if named else "unknown"


def about(metadata: bytes) -> dict[str, Any]:
    """Return about.json: summary, licence, home page, description."""
    raw = _raw(metadata)
    links = {key.lower(): url for key, url in raw.get("project_urls", {}).items()}
    found = {
        "summary": raw.get("summary", ""),
        "license": license_expression(metadata),
        "license_file": [f"licenses/{name}" for name in raw.get("license_files", [])],
        "home": links.get("homepage", "") or raw.get("home_page", ""),
        "dev_url": links.get("source", "") or links.get("repository", ""),
        "description": raw.get("description", ""),
    }
    return {key: value for key, value in found.items() if value}


def entry_points(text: bytes) -> list[str]:
    """Return the console scripts as `modeldeps = modeldeps.cli:main`; what is no such line is left out."""
    parser = configparser.ConfigParser(delimiters=("=",), interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    try:
        parser.read_string(text.decode())
    except (configparser.Error, UnicodeDecodeError):
        return []
    sections = [name for name in ("console_scripts", "gui_scripts") if parser.has_section(name)]
    pairs = sorted(pair for name in sections for pair in parser.items(name))
    return [f"{name} = {target.split('[')[0].strip()}" for name, target in pairs]


def _raw(metadata: bytes) -> dict[str, Any]:
    """Return METADATA's fields; CoreMetadata has found them readable before."""
    from packaging.metadata import parse_email  # noqa: PLC0415 - at first use

    return dict(parse_email(metadata)[0])
