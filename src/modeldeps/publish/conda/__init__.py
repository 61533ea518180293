"""Conda packages, made from wheels and read back as hostile input."""

from __future__ import annotations

from modeldeps.publish.conda._bundled import read_package_file, write_bundled
from modeldeps.publish.conda._package import CondaPackage, conda_package
from modeldeps.publish.conda._read import MAX_PACKAGE, read_package
from modeldeps.publish.conda._requirements import conda_dependency, conda_name, match_spec
from modeldeps.publish.conda._write import moment, write_package, write_package_if_possible

__all__ = [
    "MAX_PACKAGE",
    "CondaPackage",
    "conda_dependency",
    "conda_name",
    "conda_package",
    "match_spec",
    "moment",
    "read_package",
    "read_package_file",
    "write_bundled",
    "write_package",
    "write_package_if_possible",
]
