"""Conda packages, made from wheels and read back as hostile input."""

from __future__ import annotations

from modeldeps.publish.conda._package import CondaPackage, conda_package
from modeldeps.publish.conda._read import MAX_PACKAGE, read_package
from modeldeps.publish.conda._requirements import conda_dependency, conda_name, match_spec
from modeldeps.publish.conda._write import write_package, write_package_if_possible

__all__ = [
    "MAX_PACKAGE",
    "CondaPackage",
    "conda_dependency",
    "conda_name",
    "conda_package",
    "match_spec",
    "read_package",
    "write_package",
    "write_package_if_possible",
]
