"""Each entry point that a build backend looks for leads to something that it can use."""

from __future__ import annotations

from importlib.metadata import distribution
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUPS = ("setuptools.finalize_distribution_options", "hatch", "pdm.build.hook")


def _entry_point(group: str) -> EntryPoint:
    (found,) = distribution("modeldeps").entry_points.select(group=group)
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_an_entry_point_is_called_like_the_table_and_loads(group: str) -> None:
    found = _entry_point(group)
    assert found.name == "modeldeps"
    assert found.load()


def test_setuptools_gets_a_function_that_leaves_an_unrelated_project_alone(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Distribution:
        src_root = None
        install_requires = ["rich"]  # noqa: RUF012 - as setuptools has it
        parsed = 0

        def parse_config_files(self) -> None:
            self.parsed += 1

    monkeypatch.chdir(tmp_path)
    dist = Distribution()
    _entry_point(GROUPS[0]).load()(dist)
    dist.parse_config_files()
    assert (dist.parsed, dist.install_requires) == (1, ["rich"])


def test_hatchling_gets_a_hook_that_is_called_like_its_table() -> None:
    assert _entry_point("hatch").load().hatch_register_metadata_hook().PLUGIN_NAME == "modeldeps"


def test_pdm_backend_gets_a_class_that_it_makes_without_arguments() -> None:
    assert callable(_entry_point("pdm.build.hook").load()().pdm_build_initialize)
