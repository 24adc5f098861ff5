# SPDX-License-Identifier: Apache-2.0
"""The numbers of the TFLite schema (version 3) that importer and exporter share.

Slots are the positions of fields in their tables, ids the values of enums; both never change in
TFLite, fields and ids are only ever appended.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Final

IDENTIFIER: Final = b"TFL3"
VERSION: Final = 3
CUSTOM: Final = 32  # the builtin code of operators that are known by name
LAST_SMALL_CODE: Final = 127  # greater codes do not fit the deprecated one-byte field


class ModelSlot(IntEnum):
    """Fields of Model."""

    VERSION = 0
    OPERATOR_CODES = 1
    SUBGRAPHS = 2
    DESCRIPTION = 3
    BUFFERS = 4
    METADATA = 6


class CodeSlot(IntEnum):
    """Fields of OperatorCode."""

    SMALL_CODE = 0
    CUSTOM_CODE = 1
    VERSION = 2
    CODE = 3


class BufferSlot(IntEnum):
    """Fields of Buffer; an offset above 1 means that the data lies outside the flatbuffer."""

    DATA = 0
    OFFSET = 1
    SIZE = 2


class SubgraphSlot(IntEnum):
    """Fields of SubGraph."""

    TENSORS = 0
    INPUTS = 1
    OUTPUTS = 2
    OPERATORS = 3
    NAME = 4


class TensorSlot(IntEnum):
    """Fields of Tensor."""

    SHAPE = 0
    TYPE = 1
    BUFFER = 2
    NAME = 3
    QUANTIZATION = 4
    IS_VARIABLE = 5
    SPARSITY = 6
    SHAPE_SIGNATURE = 7
    EXTERNAL_BUFFER = 10


class QuantSlot(IntEnum):
    """Fields of QuantizationParameters."""

    SCALE = 2
    ZERO_POINT = 3
    DETAILS_TYPE = 4
    DIMENSION = 6


class OperatorSlot(IntEnum):
    """Fields of Operator."""

    OPCODE_INDEX = 0
    INPUTS = 1
    OUTPUTS = 2
    OPTIONS_TYPE = 3
    OPTIONS = 4
    CUSTOM_OPTIONS = 5


class Padding(IntEnum):
    """How a window meets the border."""

    SAME = 0
    VALID = 1


DTYPES: Final = ("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16",
                 "complex64", "int8", "float64")
ACTIVATIONS: Final = (None, "relu", "relu_n1_to_1", "relu6")


@dataclass(frozen=True, slots=True)
class Options:
    """One member of the BuiltinOptions union: its id and, slot by slot, (name, code, default)."""

    kind: int
    fields: tuple[tuple[str, str, float], ...] = ()


_POOL = Options(5, (("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0),
                    ("kernel_w", "i", 0), ("kernel_h", "i", 0), ("activation", "b", 0)))
_REDUCER = Options(27, (("keep_dims", "?", 0),))
_SAMPLING = (("align_corners", "?", 0), ("half_pixel_centers", "?", 0))

OPTIONS: Final[Mapping[str, Options]] = MappingProxyType({
    "CONV_2D": Options(1, (("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0),
                           ("activation", "b", 0), ("dilation_w", "i", 1),
                           ("dilation_h", "i", 1))),
    "DEPTHWISE_CONV_2D": Options(2, (("padding", "b", 0), ("stride_w", "i", 0),
                                     ("stride_h", "i", 0), ("multiplier", "i", 0),
                                     ("activation", "b", 0), ("dilation_w", "i", 1),
                                     ("dilation_h", "i", 1))),
    "AVERAGE_POOL_2D": _POOL,
    "MAX_POOL_2D": _POOL,
    "FULLY_CONNECTED": Options(8, (("activation", "b", 0), ("weights_format", "b", 0),
                                   ("keep_dims", "?", 0))),
    "SOFTMAX": Options(9, (("beta", "f", 0.0),)),
    "CONCATENATION": Options(10, (("axis", "i", 0), ("activation", "b", 0))),
    "ADD": Options(11, (("activation", "b", 0),)),
    "SUB": Options(28, (("activation", "b", 0),)),
    "MUL": Options(21, (("activation", "b", 0),)),
    "RESIZE_BILINEAR": Options(15, (("height", "i", 0), ("width", "i", 0), *_SAMPLING)),
    "RESIZE_NEAREST_NEIGHBOR": Options(74, _SAMPLING),
    "MEAN": _REDUCER,
    "SUM": _REDUCER,
    "REDUCE_MAX": _REDUCER,
    "REDUCE_MIN": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "STRIDED_SLICE": Options(32, (("begin_mask", "i", 0), ("end_mask", "i", 0),
                                  ("ellipsis_mask", "i", 0), ("new_axis_mask", "i", 0),
                                  ("shrink_axis_mask", "i", 0), ("offset", "?", 0))),
    "LEAKY_RELU": Options(75, (("alpha", "f", 0.0),)),
    "ARG_MAX": Options(40, (("output_type", "b", 0),)),
    "ARG_MIN": Options(57, (("output_type", "b", 0),)),
    "TRANSPOSE_CONV": Options(49, (("padding", "b", 0), ("stride_w", "i", 0), ("stride_h", "i", 0),
                                   ("activation", "b", 0))),
    "L2_NORMALIZATION": Options(12, (("activation", "b", 0),)),
    "BATCH_MATMUL": Options(101, (("adj_x", "?", 0), ("adj_y", "?", 0))),
    "GELU": Options(116, (("approximate", "?", 0),)),
    "SHAPE": Options(55, (("output_type", "b", 0),)),
    "PACK": Options(59, (("count", "i", 0), ("axis", "i", 0))),
    "UNPACK": Options(64, (("count", "i", 0), ("axis", "i", 0))),
    "SPLIT": Options(35, (("count", "i", 0),)),
    "SPLIT_V": Options(79, (("count", "i", 0),)),
    "GATHER": Options(23, (("axis", "i", 0), ("batch_dims", "i", 0))),
    "MIRROR_PAD": Options(77, (("mode", "b", 0),)),
    "DEPTH_TO_SPACE": Options(94, (("block", "i", 0),)),
    "SPACE_TO_DEPTH": Options(19, (("block", "i", 0),)),
    "DIV": Options(29, (("activation", "b", 0),)),
})

OPERATORS: Final = tuple("""
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
    EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
    LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
    RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
    SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
    BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
    UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT
    LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG
    PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
    EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD
    REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
    REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
    SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE
    RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
    NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
    BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D
    IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
    CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
    RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE
    RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
    UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
""".split())  # by builtin code  # noqa: SIM905


def operator_name(code: int) -> str:
    """The schema's name of a builtin code, "builtin 999" for one that is newer than this list."""
    return OPERATORS[code] if 0 <= code < len(OPERATORS) else f"builtin {code}"
