# SPDX-License-Identifier: Apache-2.0
"""TFLite operators that depend on constants only, and what they come to: shape arithmetic, and
weights that are stored in another type or order."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import Any, Final

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.importers.hybrid import dequantized
from edgefm.importers.tflite_layer import Layer
from edgefm.importers.tflite_schema import DTYPES
from edgefm.network.graph import Array

_MOST_SMALL: Final = 1024  # elements of what shape arithmetic makes
_INTEGERS: Final = ("int32", "int64")


def fold_layer(layer: Layer) -> Array | None:
    """The value of an operator that depends on constants only, None for any other."""
    fold = _FOLDS.get(layer.operator)
    if fold is None:
        return None
    shape_only = layer.operator == "SHAPE"
    if not shape_only and any(t is not None and t.data is None for t in layer.inputs):
        return None
    try:
        with np.errstate(divide="raise", over="ignore"):
            return np.array(fold(layer), order="C")
    except (ValueError, IndexError, OverflowError, FloatingPointError) as error:
        raise BadInput(f"its constants do not fit: {error}") from None


def _shape(layer: Layer) -> Array:
    if layer.outputs[0].dtype not in _INTEGERS:
        raise BadInput(f"a shape of type {layer.outputs[0].dtype}, expected int32 or int64")
    return np.array(layer.tensor(0).shape, layer.outputs[0].dtype)


def _slice(layer: Layer) -> Array:
    options = layer.options
    if options["ellipsis_mask"] or options["new_axis_mask"] or options["offset"]:
        raise UnsupportedModel("only plain slices of constants are supported")
    parts: list[slice | int] = []
    for i, (begin, end, step) in enumerate(zip(*map(layer.constant, (1, 2, 3)), strict=True)):
        if options["shrink_axis_mask"] >> i & 1:
            parts.append(begin)
        else:
            parts.append(slice(None if options["begin_mask"] >> i & 1 else begin,
                               None if options["end_mask"] >> i & 1 else end, step))
    return np.asarray(_data(layer)[tuple(parts)])


def _pack(layer: Layer) -> Array:
    return np.stack(_small(layer), axis=layer.options["axis"])


def _concat(layer: Layer) -> Array:
    return np.concatenate(_small(layer), axis=layer.options["axis"])


def _reshape(layer: Layer) -> Array:
    return np.reshape(_data(layer), layer.outputs[0].shape)


def _transpose(layer: Layer) -> Array:
    return _data(layer).transpose(layer.constant(1))


def _gather(layer: Layer) -> Array:
    if layer.options["batch_dims"]:
        raise UnsupportedModel("indices of each batch are not supported")
    return _small(layer)[0].take(_data(layer, 1), layer.options["axis"])


def _fill(layer: Layer) -> Array:
    shape = layer.constant(0)
    if not 0 <= math.prod(shape) <= _MOST_SMALL:
        raise UnsupportedModel(f"only constants of up to {_MOST_SMALL} elements are filled")
    return np.full(shape, _data(layer, 1))


def _range(layer: Layer) -> Array:
    begin, end, step = (layer.number(i) for i in range(3))
    if len(range(begin, end, step)) > _MOST_SMALL:
        raise UnsupportedModel(f"only ranges of up to {_MOST_SMALL} numbers are supported")
    return np.arange(begin, end, step, dtype=layer.tensor(0).dtype)


def _product(layer: Layer) -> Array:
    return np.asarray(np.prod(_small(layer)[0], axis=layer.constant(1), dtype=_data(layer).dtype,
                              keepdims=bool(layer.options["keep_dims"])))


def _cast(layer: Layer) -> Array:
    dtype = layer.outputs[0].dtype
    if dtype not in (*_INTEGERS, "float32") or dtype not in DTYPES:
        raise UnsupportedModel(f"a cast to {dtype} is not supported")
    return _small(layer)[0].astype(dtype)


def _integers(combine: Callable[[Any, Any], Any], layer: Layer) -> Array:
    """Arithmetic on constant integers, as on shapes."""
    if layer.options.get("activation", 0):
        raise UnsupportedModel("a fused activation on constants is not supported")
    if layer.tensor(0).dtype not in _INTEGERS or layer.tensor(1).dtype != layer.tensor(0).dtype:
        raise UnsupportedModel(f"it computes on constants of {layer.tensor(0).dtype} only")
    return np.asarray(combine(*_small(layer)), layer.tensor(0).dtype)


def _divide(a: Array, b: Array) -> Array:
    """Towards zero, as C divides."""
    return np.asarray(np.sign(a) * np.sign(b) * (np.abs(a) // np.abs(b)))


def _dequantize(layer: Layer) -> Array:
    """Weights stored in float16, or in 8 bits with a scale for all or for each channel."""
    x, data = layer.tensor(0), _data(layer)
    if x.dtype == "float16":
        return data.astype(np.float32)
    if x.dtype not in ("int8", "uint8") or x.quant is None:
        raise UnsupportedModel(f"{x.dtype} constants that are dequantized are not supported")
    return dequantized(x, data)


def _data(layer: Layer, i: int = 0) -> Array:
    data = layer.tensor(i).data
    if data is None:
        raise BadInput(f"input {i} is not constant")
    return data


def _small(layer: Layer) -> list[Array]:
    """The values of all inputs, which shape arithmetic keeps small."""
    values = [_data(layer, i) for i in range(len(layer.inputs))]
    if sum(v.size for v in values) > _MOST_SMALL:
        raise UnsupportedModel(f"only constants of up to {_MOST_SMALL} elements are computed with")
    return values


_FOLDS: Final[Mapping[str, Callable[[Layer], Array]]] = MappingProxyType({
    "SHAPE": _shape, "STRIDED_SLICE": _slice, "PACK": _pack, "CONCATENATION": _concat,
    "RESHAPE": _reshape, "SQUEEZE": _reshape, "EXPAND_DIMS": _reshape, "TRANSPOSE": _transpose,
    "GATHER": _gather, "FILL": _fill, "RANGE": _range, "REDUCE_PROD": _product, "CAST": _cast,
    "DEQUANTIZE": _dequantize,
    "ADD": partial(_integers, np.add), "SUB": partial(_integers, np.subtract),
    "MUL": partial(_integers, np.multiply), "DIV": partial(_integers, _divide),
    "FLOOR_DIV": partial(_integers, np.floor_divide), "FLOOR_MOD": partial(_integers, np.mod),
    "MAXIMUM": partial(_integers, np.maximum), "MINIMUM": partial(_integers, np.minimum),
})
