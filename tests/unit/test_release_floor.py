from __future__ import annotations

import itertools

import pytest

from modeldeps.publish._floor import BEYOND, TABLE, runtime_floor, specifier


@pytest.mark.parametrize(
    ("ir_version", "opset", "floor"),
    [(3, 7, (1, 12)), (8, 17, (1, 12)), (8, 18, (1, 14)), (9, 17, (1, 15)), (9, 20, (1, 17)),
     (10, 11, (1, 18)), (10, 22, (1, 21)), (11, 23, (1, 23)), (12, 9, (1, 24)), (13, 26, (1, 25)),
     (14, 26, BEYOND), (9, 99, BEYOND)],
)  # fmt: skip
def test_the_floor_follows_from_ir_version_and_opset(
    ir_version: int, opset: int, floor: tuple[int, int]
) -> None:
    assert runtime_floor(ir_version, {"ai.onnx": opset}) == floor


def test_the_operators_of_classical_machine_learning_count_too() -> None:
    assert runtime_floor(8, {"ai.onnx": 17, "ai.onnx.ml": 5}) == (1, 18)


def test_an_operator_of_onnx_runtime_raises_the_floor() -> None:
    assert runtime_floor(8, {"ai.onnx": 17}, [("com.microsoft", "MatMulNBits")]) == (1, 16)
    assert runtime_floor(8, {"ai.onnx": 17}, [("", "MatMulNBits"), ("com.microsoft", "FusedMatMul")]) == (
        1,
        12,
    )


def test_the_table_only_ever_rises() -> None:
    for before, after in itertools.pairwise(TABLE):
        assert before.runtime < after.runtime
        assert before.ir_version <= after.ir_version
        assert before.opset <= after.opset
        assert before.ml <= after.ml
        assert before[1:] != after[1:]


@pytest.mark.parametrize(
    ("asked", "said"),
    [("", ">=1.17"), (">=1.20", ">=1.20"), (">=1.10", ">=1.17"), ("<2", "<2,>=1.17"), ("~=1.20", "~=1.20"),
     ("==1.23.*", "==1.23.*"), (">1.16", ">=1.17"), (">=99", ">=99"), ("!=1.18.0,>=1.12", "!=1.18.0,>=1.17")],
)  # fmt: skip
def test_what_a_publisher_asks_for_is_joined_with_the_floor(asked: str, said: str) -> None:
    assert specifier((1, 17), asked) == said
