"""Choosing is a pure function: facts in, accepted and rejected candidates with their reasons out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from machines import release, variant

from modeldeps.errors import UnknownProviderError, UnknownVariantError
from modeldeps.runtime import (
    PROVIDERS,
    Absent,
    Accepted,
    Decision,
    Fails,
    Machine,
    Rejected,
    Runtime,
    Works,
    assumed,
    decide,
    provider_name,
)
from modeldeps.runtime._refuse import refusal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from modeldeps.manifest import Manifest
    from modeldeps.runtime import Fact

GPU = Runtime("1.31.1", "onnxruntime-gpu", Path("site"), cuda="13.0")
CPU = Runtime("1.31.1", "onnxruntime", Path("site"))
CUDA_WORKS = Machine(
    GPU, {"cuda": Works("driver for CUDA 13.0, 1 device"), "cpu": Works("onnxruntime-gpu 1.31.1")}
)
CUDA_FAILS = Machine(GPU, {"cuda": Fails("no driver", "install it"), "cpu": Works("onnxruntime-gpu 1.31.1")})
NOTHING = Machine(Absent("no onnxruntime is installed"))


def taken(decision: Decision) -> tuple[str, str]:
    assert decision.chosen is not None
    return decision.chosen.variant, decision.chosen.provider


def test_the_better_provider_goes_before_the_publishers_first_variant() -> None:
    model = release(variant("int8", ["cpu"]), variant("fp16", ["cuda"]))
    assert taken(decide(model, CUDA_WORKS)) == ("fp16", "cuda")


def test_within_a_provider_the_publishers_order_counts() -> None:
    model = release(variant("fp32"), variant("int8"), default=("int8", "fp32"))
    assert taken(decide(model, CUDA_FAILS)) == ("int8", "cpu")


def test_every_rejection_has_its_reason() -> None:
    decision = decide(release(variant("fp32"), variant("int8", ["cpu"])), CUDA_FAILS)
    assert decision.candidates == (
        Rejected("fp32", "cuda", "provider", "no driver", "install it"),
        Rejected("int8", "cuda", "meant", "the publisher means it for cpu"),
        Accepted("fp32", "cpu", "onnxruntime-gpu 1.31.1"),
        Accepted("int8", "cpu", "onnxruntime-gpu 1.31.1"),
    )


def test_a_provider_that_is_named_is_never_replaced() -> None:
    decision = decide(release(variant()), CUDA_FAILS, provider="cuda")
    assert decision.chosen is None
    assert {one.provider for one in decision.candidates} == {"cuda"}


def test_the_cpu_can_be_asked_for_where_cuda_works() -> None:
    assert taken(decide(release(variant()), CUDA_WORKS, provider="cpu")) == ("fp32", "cpu")


def test_a_variant_that_is_named_is_never_replaced() -> None:
    model = release(variant("fp32"), variant("int8", ["cpu"]))
    assert taken(decide(model, CUDA_WORKS, variant="int8")) == ("int8", "cpu")
    assert decide(model, CUDA_WORKS, variant="int8", provider="cuda").chosen is None


def test_a_variant_that_names_no_provider_is_meant_for_all() -> None:
    assert taken(decide(release(variant(providers=())), CUDA_WORKS)) == ("fp32", "cuda")


def test_a_provider_that_nobody_looked_at_is_not_taken() -> None:
    machine = Machine(GPU, {"cpu": Works("onnxruntime-gpu 1.31.1")})
    assert taken(decide(release(variant()), machine)) == ("fp32", "cpu")


@pytest.mark.parametrize("format_", ["safetensors", "gguf"])
def test_formats_of_other_libraries_are_left_to_them(format_: str) -> None:
    decision = decide(release(variant(format=format_)), CUDA_WORKS)
    assert decision.chosen is None
    assert {one.cause for one in decision.rejected} == {"format"}
    assert 'modeldeps.path("digits")' in str(decision.rejected[0].hint)


@pytest.mark.parametrize(
    ("floor", "fits"),
    [
        ("", True),
        (">=1.20", True),
        (">=1.31.1,<2", True),
        (">=1.31.2", False),
        (">=99", False),
        ("~=1.31", True),
        ("!=1.31.1", False),
        ("==1.*", True),
    ],
)
def test_the_installed_runtime_must_be_within_the_release_s_specifier(floor: str, fits: bool) -> None:  # noqa: FBT001 - a table
    decision = decide(release(variant(runtime=floor)), Machine(CPU, {"cpu": Works("")}), provider="cpu")
    assert (decision.chosen is not None) is fits
    if not fits:
        assert [one.cause for one in decision.rejected] == ["version"]


def test_a_development_build_of_the_runtime_counts_as_its_version() -> None:
    nightly = Runtime("1.32.0.dev20261101", "onnxruntime", Path("site"))
    decision = decide(
        release(variant(runtime=">=1.20")), Machine(nightly, {"cpu": Works("")}), provider="cpu"
    )
    assert decision.chosen is not None


def test_without_a_runtime_every_candidate_says_so() -> None:
    decision = decide(release(variant()), NOTHING)
    assert {one.reason for one in decision.rejected} == {"no onnxruntime is installed"}
    assert decision.chosen is None


def test_a_provider_that_failed_when_it_was_used_is_out_the_second_time() -> None:
    second = CUDA_WORKS.without("cuda", Fails("libcudnn.so.9 is missing"))
    decision = decide(release(variant()), second)
    assert taken(decision) == ("fp32", "cpu")
    assert "libcudnn.so.9 is missing" in str(decision)
    assert isinstance(CUDA_WORKS.providers["cuda"], Works)


@pytest.mark.parametrize(
    ("spelling", "name"),
    [("CUDAExecutionProvider", "cuda"), ("cpuexecutionprovider", "cpu"), (" CPU ", "cpu"), ("auto", "auto")],
)
def test_the_runtime_s_own_names_of_providers_are_understood(spelling: str, name: str) -> None:
    assert provider_name(spelling) == name


@pytest.mark.parametrize("wrong", ["npu", "", None, 3, "Cuda2"])
def test_an_unknown_provider_is_refused_with_those_that_there_are(wrong: object) -> None:
    with pytest.raises(UnknownProviderError, match="auto, cuda, cpu"):
        provider_name(wrong)


def test_an_unknown_variant_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UnknownVariantError, match="fp32, int8"):
        decide(release(variant("fp32"), variant("int8")), CUDA_WORKS, variant="fp64")


def test_a_decision_reads_as_one_line_for_each_candidate() -> None:
    text = str(decide(release(variant("fp32"), variant("int8", ["cpu"])), CUDA_FAILS))
    assert text.splitlines() == [
        "rejected  fp32 on cuda  no driver",
        "rejected  int8 on cuda  the publisher means it for cpu",
        "taken     fp32 on cpu   onnxruntime-gpu 1.31.1",
        "possible  int8 on cpu   onnxruntime-gpu 1.31.1",
    ]


@pytest.mark.parametrize(("kind", "chosen"), [("cpu", ("int8", "cpu")), ("cuda", ("fp16", "cuda"))])
def test_a_machine_can_be_assumed_for_those_who_fetch_before_it_is_set_up(
    kind: str, chosen: tuple[str, str]
) -> None:
    model = release(variant("int8", ["cpu"], runtime=">=99"), variant("fp16", ["cuda"]))
    assert taken(decide(model, assumed(kind))) == chosen


def test_deciding_asks_nothing_of_this_machine() -> None:
    facts: Mapping[str, Fact] = {"cuda": Works("a device of a test")}
    decision = decide(release(variant()), Machine(GPU, facts))
    assert taken(decision) == ("fp32", "cuda")


names = st.sampled_from(["fp32", "fp16", "int8"])
facts_of = st.one_of(
    st.builds(Works, st.text(max_size=5)),
    st.builds(Fails, st.text(max_size=5), st.none() | st.text(max_size=5)),
)
runtimes = st.one_of(
    st.builds(Absent, st.text(max_size=5)),
    st.builds(
        Runtime,
        st.sampled_from(["", "1.20.0", "1.31.1", "1.32.0.dev1"]),
        st.sampled_from(["onnxruntime", "onnxruntime-gpu"]),
        st.just(Path("site")),
    ),
)
machines_ = st.builds(Machine, runtimes, st.dictionaries(st.sampled_from(["cuda", "cpu"]), facts_of))
variants_ = st.builds(
    variant,
    names,
    st.lists(st.sampled_from(["cpu", "cuda", "coreml"]), unique=True),
    runtime=st.sampled_from(["", ">=1.25", ">=99", "~=1.31"]),
    format=st.sampled_from(["onnx", "gguf"]),
)
releases = st.lists(variants_, min_size=1, max_size=3, unique_by=lambda one: one.name).map(
    lambda all_: release(*all_)
)


@given(model=releases, machine=machines_, provider=st.sampled_from(["auto", "cuda", "cpu"]))
def test_whatever_the_machine_every_pair_is_judged_once_and_the_first_accepted_one_is_taken(
    model: Manifest, machine: Machine, provider: str
) -> None:
    decision = decide(model, machine, provider=provider)
    pairs = [(one.provider, one.variant) for one in decision.candidates]
    asked = ["cuda", "cpu"] if provider == "auto" else [provider]
    assert pairs == [(one, other) for one in asked for other in model.default]
    accepted = [one for one in decision.candidates if isinstance(one, Accepted)]
    assert decision.chosen == (accepted[0] if accepted else None)
    for one in accepted:
        found = model.variant(one.variant)
        assert found is not None
        assert isinstance(machine.providers[one.provider], Works)
        assert isinstance(machine.runtime, Runtime)
        assert found.format == "onnx"
        assert one.provider in (found.providers or PROVIDERS)
    assert decide(model, machine, provider=provider) == decision
    assert len(str(decision).splitlines()) >= len(decision.candidates)


@given(model=releases, machine=machines_, provider=st.sampled_from(["auto", "cuda", "cpu"]))
def test_where_nothing_can_be_taken_there_is_an_error_with_every_reason(
    model: Manifest, machine: Machine, provider: str
) -> None:
    decision = decide(model, machine, provider=provider)
    if decision.chosen is None:
        error = refusal(decision, machine, model)
        assert str(error).startswith(("digits 2.1.0 ",))
        assert error.exit_status in {1, 3}
