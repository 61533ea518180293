"""Sphinx settings: MyST Markdown, the furo theme, warnings are errors."""

from __future__ import annotations

from modeldeps import __version__

project = "modeldeps"
author = "The modeldeps developers"
copyright = "The modeldeps developers"  # noqa: A001 - Sphinx reads this name
release = __version__
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
html_theme = "furo"
html_title = f"modeldeps {release}"
html_extra_path = ["reference/model-1.schema.json"]
autodoc_typehints = "description"
autodoc_member_order = "bysource"
nitpicky = False
