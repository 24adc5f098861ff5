# SPDX-License-Identifier: Apache-2.0
"""Scales and zero points of 8-bit tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from edgefm.network.graph import Quant, Tensor

SHIFT: Final = {"int8": 0, "uint8": 128}  # added to an int8 value and to its zero point
_SMALLEST_SCALE: Final = 2.0 ** -60


def affine(low: float, high: float) -> Quant:
    """The int8 scale and zero point that span [low, high] and hold zero exactly.

    The scale is a float32 number, because that is what a .tflite file holds.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    scale = float(np.float32(max((high - low) / 255, _SMALLEST_SCALE)))
    return Quant((scale,), (int(np.clip(np.rint(-128 - low / scale), -128, 127)),))


def span_of(quant: Quant, dtype: str) -> tuple[float, float]:
    """The least and the greatest real value of an 8-bit tensor with one scale."""
    info, scale, zero = np.iinfo(dtype), quant.scale[0], quant.zero_point[0]
    return (int(info.min) - zero) * scale, (int(info.max) - zero) * scale


def in_type(quant: Quant, old: str, new: str) -> Quant:
    """The same real values in the other 8-bit type: zero points move with the values.

    Any other type stays as it is.
    """
    move = SHIFT[new] - SHIFT[old] if old in SHIFT else 0
    return Quant(quant.scale, tuple(zero + move for zero in quant.zero_point), quant.axis)


def in_steps(attrs: Mapping[str, Any], quant: Quant, dtype: str) -> Mapping[str, Any]:
    """The attributes of a node whose output gets a scale: a value that is padded with is one of
    the output's."""
    if "value" not in attrs:
        return attrs
    info = np.iinfo(dtype)
    steps = np.rint(attrs["value"] / quant.scale[0]) + quant.zero_point[0]
    return {**attrs, "value": int(np.clip(steps, info.min, info.max))}


def real_tensor(tensor: Tensor) -> Tensor:
    """The tensor in float32, a constant with its real values; one without a scale as it is."""
    quant = tensor.quant
    if quant is None:
        return tensor
    if tensor.data is None:
        return replace(tensor, dtype="float32", quant=None)
    shape = [1] * tensor.data.ndim
    if quant.axis is not None:
        shape[quant.axis] = -1
    scale, zero = (np.array(v, np.float64) for v in (quant.scale, quant.zero_point))
    if len(scale) > 1:
        scale, zero = scale.reshape(shape), zero.reshape(shape)
    data = ((tensor.data - zero) * scale).astype(np.float32)
    return replace(tensor, dtype="float32", quant=None, data=data)
