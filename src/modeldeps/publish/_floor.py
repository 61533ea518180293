"""
The oldest ONNX Runtime that opens a file.

Measured by opening models with one node, one stamp at a time, with the wheels of 1.12 to 1.31; the first
and the last patch of a minor version agree. 1.12 is the first with wheels for Python 3.10, so nothing older
is told apart.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from packaging.specifiers import SpecifierSet
from packaging.version import Version

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OLDEST = (1, 12)
"""The oldest version that was measured."""


class Opens(NamedTuple):
    """The highest stamps that a version of ONNX Runtime opens."""

    runtime: tuple[int, int]
    ir_version: int
    opset: int
    ml: int


TABLE = (
    Opens((1, 12), 8, 17, 3),
    Opens((1, 14), 8, 18, 3),
    Opens((1, 15), 9, 19, 3),
    Opens((1, 17), 9, 20, 4),
    Opens((1, 18), 10, 21, 5),
    Opens((1, 21), 10, 22, 5),
    Opens((1, 23), 11, 23, 5),
    Opens((1, 24), 13, 25, 5),
    Opens((1, 25), 13, 26, 5),
)
"""Only the versions that raised something; 1.31 opens what 1.25 does."""

_CONTRIBUTED = {
    (1, 13): (
        "DequantizeBFP DequantizeWithOrder GemmFastGelu GreedySearch QLinearSoftmax "
        "QOrderedAttention QOrderedGelu QOrderedLayerNormalization QOrderedLongformerAttention "
        "QOrderedMatMul QuantizeBFP QuantizeWithOrder"
    ),
    (1, 14): (
        "BiasSplitGelu GatedRelativePositionBias GroupNorm MultiHeadAttention QLinearWhere "
        "QuickGelu RelativePositionBias RemovePadding RestorePadding Sampling "
        "SkipSimplifiedLayerNormalization"
    ),
    (1, 15): (
        "BiasAdd DecoderMaskedMultiHeadAttention DecoderMaskedSelfAttention FusedMatMulActivation "
        "NhwcFusedConv PackedAttention"
    ),
    (1, 16): (
        "GroupQueryAttention MatMulBnb4 MatMulFpQ4 MatMulNBits PackedMultiHeadAttention "
        "RotaryEmbedding SkipGroupNorm"
    ),
    (1, 17): ("DynamicTimeWarping EPContext GemmFloat8 MoE UnfoldTensor WhisperBeamSearch"),
    (1, 18): ("GemmaRotaryEmbedding QMoE SparseAttention"),
    (1, 20): ("GatherBlockQuantized"),
    (1, 23): ("PagedAttention"),
    (1, 25): ("CausalConvWithState LinearAttention"),
    (1, 27): ("MatMulNBitsMlp MatMulNBitsQkv"),
    (1, 29): (
        "GatedAdd GatedRMSNorm LinearAttentionGate MRotaryEmbedding MatMulBlockQuantizedFp4Weight "
        "MatMulBlockQuantizedFp8Weight"
    ),
    (1, 30): ("EngramGate GatedDeltaNet NGramHashMapping VarlenCausalConvWithState"),
    (1, 31): (
        "BranchwiseRMSNorm DynamicSparseAttention HyperConnectionPostMix HyperConnectionPreMix "
        "PackedSparseAttentionIndexer ScaledSiLU SparseAttentionIndexer SparsePagedAttention "
        "VarlenNGramHashMapping"
    ),
}

CONTRIBUTED: Mapping[str, tuple[int, int]] = MappingProxyType(
    {name: version for version, names in _CONTRIBUTED.items() for name in names.split()}
)
"""Operators of the domain `com.microsoft` by the first version that knows them; others are older."""

BEYOND = (1, 32)
"""The version after the newest that was measured."""


def runtime_floor(
    ir_version: int, opsets: Mapping[str, int], operators: Iterable[tuple[str, str]] = ()
) -> tuple[int, int]:
    """
    Return the first version of ONNX Runtime (major, minor) that opens a file of these stamps and operators.

    BEYOND where no measured version does. Domains are as manifests name them: `ai.onnx` for ONNX's own.
    """
    opset, ml = opsets.get("ai.onnx", 0), opsets.get("ai.onnx.ml", 0)
    by_stamp = next(
        (
            one.runtime
            for one in TABLE
            if one.ir_version >= ir_version and one.opset >= opset and one.ml >= ml
        ),
        BEYOND,
    )
    names = [name for domain, name in operators if domain == "com.microsoft"]
    return max([by_stamp, *(CONTRIBUTED.get(name, OLDEST) for name in names)])


def specifier(floor: tuple[int, int], asked: str) -> str:
    """Return what a variant says about ONNX Runtime: the floor, and what its publisher asks for beyond it."""
    wanted = SpecifierSet(asked)
    lowest = Version(f"{floor[0]}.{floor[1]}")
    above = any(
        one.operator in (">=", ">", "==", "===", "~=") and _base(one.version) >= lowest for one in wanted
    )
    kept = [one for one in wanted if not (one.operator in (">=", ">") and _base(one.version) < lowest)]
    parts = [str(one) for one in kept] + ([] if above else [f">={lowest}"])
    return str(SpecifierSet(",".join(parts)))


def _base(version: str) -> Version:
    return Version(version.removesuffix(".*"))
