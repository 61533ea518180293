"""`run()` takes what the model declares, and says what was expected where it was given something else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np  # noqa: TID253 - these tests are about arrays
import pytest

import modeldeps
from modeldeps.errors import InputError, RunError
from modeldeps.runtime import Accepted, Decision, Model
from modeldeps.runtime._model import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from machines import Installed
    from numpy.typing import NDArray

    from modeldeps.manifest import Manifest

onnx = pytest.importorskip("onnx")


@pytest.fixture
def model(digits: Installed) -> Model:
    return modeldeps.load("digits")


@pytest.fixture
def image() -> NDArray[np.float32]:
    return np.arange(64, dtype=np.float32).reshape(1, 8, 8) % 17


@pytest.fixture
def build(digits: Installed, tmp_path: Path) -> Callable[..., Model]:
    """Return a function that opens a graph of one `op` over inputs given as name → (type, shape)."""
    import onnxruntime

    def open_(op: str, output: Any, **inputs: tuple[int, Sequence[int | str]]) -> Model:
        helper = onnx.helper
        taken = [helper.make_tensor_value_info(name, kind, shape) for name, (kind, shape) in inputs.items()]
        node = helper.make_node(op, list(inputs), ["result"])
        graph = helper.make_graph([node], "test", taken, [output])
        file = tmp_path / "test.onnx"
        onnx.save(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 19)]), file)
        session = onnxruntime.InferenceSession(str(file), providers=["CPUExecutionProvider"])
        return opened(digits.manifest, tmp_path, session)

    return open_


def opened(manifest: Manifest, folder: Path, session: Any) -> Model:
    chosen = Accepted("fp32", "cpu", "")
    return Model(Opened(manifest, Decision("digits 2.1.0", "auto", None, (chosen,)), chosen, folder, session))


def result(kind: int, shape: Sequence[int | str]) -> Any:
    return onnx.helper.make_tensor_value_info("result", kind, shape)


FLOAT, INT64, STRING = 1, 7, 8


def test_every_way_to_give_the_input_gives_the_same(model: Model, image: NDArray[np.float32]) -> None:
    expected = model.session.run(None, {"image": image})[0]
    ways = [
        model.run(image=image),
        model.run({"image": image}),
        model(image),
        model(image=image),
        model.run(image=image.tolist()),
        model.run(image=image.astype(int).tolist()),
        model.run(image=[image[0]]),
        model.run(image=np.asfortranarray(image)),
    ]
    for way in ways:
        assert list(way) == ["probabilities"]
        np.testing.assert_array_equal(way["probabilities"], expected)


@pytest.mark.parametrize("dtype", ["float64", "int64", "uint8", "float16", ">f4", "bool", "U3", "complex64"])
def test_an_array_of_another_type_is_never_converted_silently(
    model: Model, image: NDArray[np.float32], dtype: str
) -> None:
    with pytest.raises(InputError) as caught:
        model.run(image=image.astype(dtype))
    assert dict(caught.value.facts)["expected"] == "float32 [batch, 8, 8]"
    assert str(np.dtype(dtype)) in dict(caught.value.facts)["found"]


def test_the_hint_for_another_type_is_the_conversion(model: Model, image: NDArray[np.float32]) -> None:
    with pytest.raises(InputError) as caught:
        model.run(image=image.astype("float64"))
    assert caught.value.hint == 'image.astype("float32") converts it'


@pytest.mark.parametrize(
    ("shape", "hint"), [((8, 8), "image[None] adds the first dimension"), ((1, 7, 8), None), ((64,), None)]
)
def test_another_shape_is_told_with_the_one_expected(
    model: Model, shape: tuple[int, ...], hint: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        model.run(image=np.zeros(shape, np.float32))
    facts = dict(caught.value.facts)
    assert facts == {"expected": "float32 [batch, 8, 8]", "found": f"float32 {list(shape)}"}
    assert caught.value.hint == hint


@pytest.mark.parametrize("given", [{}, {"imag": 1}, {"image": 1, "mask": 2}])
def test_missing_and_unknown_names_are_told_with_those_expected(
    model: Model, given: dict[str, object], capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError) as caught:
        model.run(given)
    assert dict(caught.value.facts)["expected"] == "image: float32 [batch, 8, 8]"
    assert dict(caught.value.facts)["found"] == (", ".join(given) or "none")
    assert capfd.readouterr() == ("", "")


def test_a_typo_in_a_name_is_guessed(model: Model, image: NDArray[np.float32]) -> None:
    with pytest.raises(InputError) as caught:
        model.run(imagge=image)
    assert caught.value.hint == "did you mean 'image'?"


@pytest.mark.parametrize("value", [None, "hello", [[1, 2], [3]], object(), {"a": 1}, [["a"]], [1j]])
def test_what_is_no_array_is_refused(model: Model, value: object) -> None:
    with pytest.raises(InputError, match="float32"):
        model.run(image=value)


def test_two_values_without_names_are_refused(model: Model, image: NDArray[np.float32]) -> None:
    with pytest.raises(InputError, match="2 without a name"):
        model(image, image)
    with pytest.raises(InputError, match="1 without a name, image"):
        model(image, image=image)


def test_an_input_whose_name_is_no_word_goes_into_a_mapping(build: Callable[..., Model]) -> None:
    model = build("Identity", result(FLOAT, ["n"]), **{"input.1": (FLOAT, ["n"])})
    assert model.run({"input.1": [1, 2]})["result"].tolist() == [1.0, 2.0]


def test_a_dimension_of_one_name_must_have_one_size(build: Callable[..., Model]) -> None:
    model = build("Add", result(FLOAT, ["n"]), one=(FLOAT, ["n"]), two=(FLOAT, ["n"]))
    assert model.run(one=[1.0, 2.0], two=[3, 4])["result"].tolist() == [4.0, 6.0]
    with pytest.raises(InputError) as caught:
        model.run(one=[1.0, 2.0], two=[3, 4, 5])
    assert dict(caught.value.facts) == {"expected": "n = 2, as in 'one'", "found": "n = 3"}


def test_one_input_is_not_guessed_where_there_are_two(build: Callable[..., Model]) -> None:
    model = build("Add", result(FLOAT, ["n"]), one=(FLOAT, ["n"]), two=(FLOAT, ["n"]))
    with pytest.raises(InputError, match="two: float32"):
        model([1.0])
    with pytest.raises(InputError, match="one"):
        model.run(one=[1.0])


@pytest.mark.parametrize("value", [[1.5], [2.0], [True, 1.0], [2**63]])
def test_fractions_never_become_integers(build: Callable[..., Model], value: list[float]) -> None:
    model = build("Identity", result(INT64, ["n"]), ids=(INT64, ["n"]))
    with pytest.raises(InputError, match="int64"):
        model.run(ids=value)


@pytest.mark.parametrize("value", [[1, 2], (1, 2), [True, False], range(0), []])
def test_integers_and_flags_become_integers(build: Callable[..., Model], value: Sequence[int]) -> None:
    model = build("Identity", result(INT64, ["n"]), ids=(INT64, ["n"]))
    found = model.run(ids=list(value))["result"]
    assert found.dtype == np.int64
    assert found.tolist() == [int(one) for one in value]


@pytest.mark.parametrize("value", [[300], [-1]])
def test_integers_that_do_not_fit_are_refused(build: Callable[..., Model], value: list[int]) -> None:
    model = build("Identity", result(2, ["n"]), pixels=(2, ["n"]))
    assert model.run(pixels=[255])["result"].tolist() == [255]
    with pytest.raises(InputError, match="uint8"):
        model.run(pixels=value)


def test_numbers_that_would_become_infinite_are_refused(build: Callable[..., Model]) -> None:
    model = build("Identity", result(FLOAT, ["n"]), x=(FLOAT, ["n"]))
    assert np.isinf(model.run(x=[float("inf")])["result"]).all()
    with pytest.raises(InputError):
        model.run(x=[1e300])


def test_words_go_in_as_lists(build: Callable[..., Model]) -> None:
    model = build("Identity", result(STRING, ["n"]), words=(STRING, ["n"]))
    assert model.run(words=["one", "two"])["result"].tolist() == ["one", "two"]


def test_a_value_that_offers_an_array_is_taken(model: Model, image: NDArray[np.float32]) -> None:
    class Foreign:
        def __array__(self, dtype: object = None, *, copy: object = None) -> NDArray[np.float32]:
            return image

    np.testing.assert_array_equal(
        model.run(image=Foreign())["probabilities"], model.run(image=image)["probabilities"]
    )


def test_a_value_on_a_device_is_passed_on(model: Model, image: NDArray[np.float32]) -> None:
    import onnxruntime

    value = onnxruntime.OrtValue.ortvalue_from_numpy(image)
    np.testing.assert_array_equal(
        model.run(image=value)["probabilities"], model.run(image=image)["probabilities"]
    )


def test_a_failure_inside_the_graph_is_no_matter_of_the_inputs(
    build: Callable[..., Model], capfd: pytest.CaptureFixture[str]
) -> None:
    model = build("Add", result(FLOAT, ["c"]), one=(FLOAT, ["a"]), two=(FLOAT, ["b"]))
    with pytest.raises(RunError) as caught:
        model.run(one=[1.0, 2.0], two=[1.0, 2.0, 3.0])
    assert dict(caught.value.facts)["provider"] == "cpu"
    assert capfd.readouterr().out == ""


def test_without_an_interface_in_the_manifest_the_session_says_it(build: Callable[..., Model]) -> None:
    from dataclasses import replace  # noqa: PLC0415 - only here

    model = build("Identity", result(FLOAT, ["n", 3]), x=(FLOAT, ["n", 3]))
    bare = opened(replace(model.manifest, inputs=(), outputs=()), model.path, model.session)
    assert [(one.name, one.dtype, one.shape) for one in bare.inputs] == [("x", "float32", ("n", 3))]
    assert [(one.name, one.dtype, one.shape) for one in bare.outputs] == [("result", "float32", ("n", 3))]


def test_a_value_without_a_name_is_refused_with_the_names(model: Model) -> None:
    with pytest.raises(InputError) as caught:
        model.run([[1.0]])  # type: ignore[arg-type]
    assert dict(caught.value.facts) == {
        "expected": "image: float32 [batch, 8, 8]",
        "found": "list without a name",
    }
