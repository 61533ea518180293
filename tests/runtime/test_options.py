"""The defaults of a session suit a machine that has other work too."""

from __future__ import annotations

import subprocess
import sys

import pytest

from modeldeps.errors import OptionError
from modeldeps.runtime._options import (
    TINY,
    attributes,
    defaults,
    provider_options,
    session_options,
    usable_cores,
)

onnxruntime = pytest.importorskip("onnxruntime")


def test_threads_wait_instead_of_spinning() -> None:
    chosen = session_options(onnxruntime, None, size=TINY + 1)
    for kind in ("intra_op", "inter_op"):
        assert chosen.get_session_config_entry(f"session.{kind}.allow_spinning") == "0"


def test_a_tiny_variant_runs_on_one_thread_and_others_on_the_usable_cores() -> None:
    assert defaults(TINY)["intra_op_num_threads"] == 1
    assert defaults(TINY + 1)["intra_op_num_threads"] == usable_cores() >= 1


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux has affinity masks in os")
def test_the_usable_cores_are_those_of_the_affinity_mask() -> None:
    program = """
import os
from modeldeps.runtime._options import usable_cores
os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
print(usable_cores())
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"


@pytest.mark.parametrize(
    "name", ["intra_op_num_threads", "execution_mode", "enable_mem_pattern", "log_severity_level"]
)
def test_every_attribute_can_be_set_to_what_it_is(name: str) -> None:
    before = getattr(onnxruntime.SessionOptions(), name)
    chosen = session_options(onnxruntime, {name: before}, size=TINY)
    assert getattr(chosen, name) == before
    assert name in attributes(chosen)


def test_what_is_meant_for_the_provider_goes_there_as_text() -> None:
    assert provider_options({"provider": {"device_id": 1, "use_tf32": False}}) == {
        "device_id": "1",
        "use_tf32": "0",
    }
    assert provider_options(None) == provider_options({"intra_op_num_threads": 1}) == {}


def test_an_unknown_option_names_those_that_there_are() -> None:
    with pytest.raises(OptionError, match=r"intra_op_num_threads.*provider"):
        session_options(onnxruntime, {"threads": 1}, size=1)


def test_methods_are_no_options() -> None:
    with pytest.raises(OptionError):
        session_options(onnxruntime, {"add_session_config_entry": 1}, size=1)
