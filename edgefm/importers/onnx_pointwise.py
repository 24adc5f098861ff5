# SPDX-License-Identifier: Apache-2.0
"""ONNX operators that take values one by one, alone or in pairs: arithmetic, limits, functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Any

import numpy as np

from edgefm.importers.onnx_build import (
    Build,
    Call,
    Edge,
    arranged,
    edge_of,
    floats_of,
    number_of,
    operand,
    scalar_of,
    vector_of,
)
from edgefm.importers.onnx_moves import with_rank
from edgefm.network.graph import Array
from edgefm.network.operators import OF_ONNX, OPERATORS

Value = Edge | Array


def binary(build: Build, call: Call) -> Edge:
    """Add, Sub, Mul, Div, and Min and Max of any number of operands."""
    op = _PAIRS[call.op]
    values = [(build.values[name], name) for name in call.inputs if name]
    if op == "div" and isinstance(values[1][0], np.ndarray):
        divisor = floats_of(build, call, 1)
        if not divisor.all():
            raise ValueError("division by a constant that holds a zero")
        op, values[1] = "mul", (np.asarray(np.float32(1) / divisor), "")
    first, *others = sorted(values, key=lambda v: isinstance(v[0], np.ndarray)) if (
        len(values) != 2) else values
    for number, other in enumerate(others):
        last = number == len(others) - 1
        made = pair(build, call, op, first, other, "" if last else f"/{number}")
        first = made, ""
    if not others:
        return edge_of(build, call)
    assert isinstance(first[0], Edge)
    return first[0]


def pair(build: Build, call: Call, op: str, left: tuple[Value, str], right: tuple[Value, str],
         suffix: str = "") -> Edge:
    """One operator of two operands, each with its name in the file ("": made here); broadcast as
    ONNX does."""
    shape = np.broadcast_shapes(left[0].shape, right[0].shape)
    name, tensors = f"{call.outputs[0]}{suffix}", []
    like = max((v for v, _ in (left, right) if isinstance(v, Edge)), key=lambda e: len(e.shape))
    like = with_rank(build, name, like, len(shape))
    for value, source in (left, right):
        if isinstance(value, np.ndarray):
            tensors.append(operand(build, call, value, like, source))
        else:
            full = with_rank(build, f"{name}/operand", value, len(shape))
            tensors.append(arranged(build, full, like.axes).tensor)
    attrs: dict[str, Any] = {"activation": None} if OPERATORS[op].takes_activation else {}
    return build.emit(op, name, tensors, shape, like.axes, **attrs)


def with_constant(build: Build, call: Call, step: tuple[str, str], x: Edge, data: Array) -> Edge:
    """One step of a call, (operator, name; the last has none): `x` and a constant."""
    suffix = f"/{step[1]}" if step[1] else ""
    return pair(build, call, step[0], (x, ""), (np.asarray(data, np.float32), ""), suffix)


def batch_norm(build: Build, call: Call) -> Edge:
    """y = (x - mean) / sqrt(variance + epsilon) * scale + shift, per channel (axis 1)."""
    x = edge_of(build, call)
    if call.attrs.get("training_mode", 0) or any(call.outputs[1:]):
        raise build.fail(call, "training mode is not supported")
    scale, shift, mean, variance = (
        vector_of(build, call, i, x.shape[1]).astype(np.float64) for i in range(1, 5))
    if variance.min() < 0:
        raise ValueError("a variance is negative")
    factor = scale / np.sqrt(variance + call.attrs.get("epsilon", 1e-5))
    column = (-1,) + (1,) * (len(x.shape) - 2)
    scaled = with_constant(build, call, ("mul", "scaled"), x, factor.reshape(column))
    return with_constant(build, call, ("add", ""), scaled, (shift - mean * factor).reshape(column))


def hard_sigmoid(build: Build, call: Call) -> Edge:
    """y = min(max(alpha * x + beta, 0), 1), as relu6 of six times that; TFLite has no other."""
    x = edge_of(build, call)
    alpha, beta = number_of(call, "alpha", 0.2), number_of(call, "beta", 0.5)
    slope = np.float32(6) * np.float32(alpha)
    if slope != 1:
        x = with_constant(build, call, ("mul", "scaled"), x, np.array(slope))
    x = with_constant(build, call, ("add", "shifted"), x, np.array(6 * beta))
    six = build.emit("relu6", f"{call.outputs[0]}/six", (x.tensor,), x.shape, x.axes)
    return with_constant(build, call, ("mul", ""), six, np.array(1 / 6))


def clip(build: Build, call: Call) -> Edge:
    """Clip: an activation that TFLite has, or a maximum and a minimum."""
    low, high = scalar_of(build, call, "min", 1), scalar_of(build, call, "max", 2)
    most = float(np.finfo(np.float32).max)
    low = -inf if low is None or low <= -most else low
    high = inf if high is None or high >= most else high
    if not low <= high:
        raise ValueError(f"limits {low} and {high}")
    known = _CLIPS.get((low, high))
    if known is not None:
        return unary(build, call, known)
    x = edge_of(build, call)
    for op, limit in (("maximum", low), ("minimum", high)):
        if isfinite(limit):
            x = with_constant(build, call, (op, op), x, np.array(limit))
    return x


def unary(build: Build, call: Call, op: str, **attrs: Any) -> Edge:
    """An operator of the first input alone."""
    x = edge_of(build, call)
    return build.emit(op, call.outputs[0], (x.tensor,), x.shape, x.axes, **attrs)


def plain(build: Build, call: Call) -> Edge:
    """A unary operator whose attributes are ONNX's."""
    record = OF_ONNX[call.op]
    attrs = {name: number_of(call, name, default) for name, default in record.onnx_defaults.items()}
    return unary(build, call, record.name, **attrs)


def prelu(build: Build, call: Call) -> Edge:
    """PRelu; the slope's shape broadcasts to the map's."""
    x, slope = edge_of(build, call), build.values[call.inputs[1]]
    if isinstance(slope, np.ndarray) and slope.size == 1:
        return unary(build, call, "leaky_relu", alpha=float(slope.item()))
    if isinstance(slope, np.ndarray):
        slope = floats_of(build, call, 1)
        if slope.ndim == 1 and slope.size == x.shape[1] and len(x.shape) > 2 and (
                slope.size != x.shape[-1]):
            slope = slope.reshape(-1, *(1,) * (len(x.shape) - 2))  # per channel, as torch means it
    return pair(build, call, "prelu", (x, ""), (slope, ""))


def power(build: Build, call: Call) -> Edge:
    """Pow with a constant exponent that is a product or a root."""
    exponent = scalar_of(build, call, "", 1)
    if exponent == 0.5:
        return unary(build, call, "sqrt")
    if exponent == -0.5:
        return unary(build, call, "rsqrt")
    if exponent == 1:
        return edge_of(build, call)
    if exponent not in (2, 3):
        raise build.fail(call, f"exponent {exponent}; expected 2, 3, 0.5 or -0.5")
    x = edge_of(build, call)
    square = pair(build, call, "mul", (x, ""), (x, ""), "" if exponent == 2 else "/square")
    return square if exponent == 2 else pair(build, call, "mul", (square, ""), (x, ""))


def reciprocal(build: Build, call: Call) -> Edge:
    """1 / x."""
    x = edge_of(build, call)
    return pair(build, call, "div", (np.ones((1,) * len(x.shape), np.float32), ""), (x, ""))


def gelu(build: Build, call: Call) -> Edge:
    """Gelu, exact or by tanh."""
    return unary(build, call, "gelu", approximate=call.attrs.get("approximate", b"none") == b"tanh")


def elu(build: Build, call: Call) -> Edge:
    """Elu with the slope that TFLite has."""
    if number_of(call, "alpha", 1.0) != 1:
        raise build.fail(call, f"alpha {call.attrs['alpha']}; expected 1")
    return unary(build, call, "elu")


def swish(build: Build, call: Call) -> Edge:
    """x * sigmoid(alpha * x)."""
    x, alpha = edge_of(build, call), number_of(call, "alpha", 1.0)
    inner = x if alpha == 1 else with_constant(build, call, ("mul", "scaled"), x, np.array(alpha))
    gate = build.emit("logistic", f"{call.outputs[0]}/gate", (inner.tensor,), inner.shape,
                      inner.axes)
    return pair(build, call, "mul", (x, ""), (gate, ""))


_PAIRS: Mapping[str, str] = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Sum": "add",
                             "Max": "maximum", "Min": "minimum"}
_CLIPS: Mapping[tuple[float, float], str] = {
    (0.0, inf): "relu", (0.0, 6.0): "relu6", (-1.0, 1.0): "relu_n1_to_1",
    (0.0, 1.0): "relu_0_to_1"}
POINTWISE: Mapping[str, Callable[[Build, Call], Edge]] = {
    **dict.fromkeys(_PAIRS, binary), "BatchNormalization": batch_norm, "Clip": clip, "Elu": elu,
    "Gelu": gelu, "HardSigmoid": hard_sigmoid, "PRelu": prelu, "Pow": power,
    "Reciprocal": reciprocal, "Swish": swish, "com.microsoft.QuickGelu": swish,
}
