# SPDX-License-Identifier: Apache-2.0
"""conv2d, depthwise_conv2d and fully_connected.

Accumulators are exact integers. They are computed in float64 where a matrix product is quicker:
every partial sum stays far below 2**53.

Rounding, measured on ai-edge-litert 2.3.0 BUILTIN_REF: the two convolutions apply a 31-bit
multiplier with two roundings; fully_connected multiplies by a double and rounds once.
"""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call, activated
from edgefm.ops.window import windows


def conv2d(call: Call) -> Array:
    """Output [N, oh, ow, O]; weights [O, kh, kw, I]."""
    x, w = _operands(call)
    n, oh, ow, o = call.output.shape
    patches = _patches(x, w.shape[1:3], call)
    y = (patches @ w.reshape(o, -1).T).reshape(n, oh, ow, o)
    return _finished(y, call)


def depthwise_conv2d(call: Call) -> Array:
    """Output channel c*M+j sees input channel c only; weights [1, kh, kw, C*M]."""
    x, w = _operands(call)
    kh, kw = w.shape[1:3]
    view = windows(x, (kh, kw), call.attrs)
    repeated = w[0].reshape(kh, kw, x.shape[3], -1)
    y = np.zeros((*view.shape[:4], repeated.shape[3]), x.dtype)
    for i in range(kh):
        for j in range(kw):
            y += view[..., i, j][..., None] * repeated[i, j]
    return _finished(y.reshape(call.output.shape), call)


def fully_connected(call: Call) -> Array:
    """Every row of the flattened input times the weights [O, I]."""
    x, w = _operands(call)
    y = (x.reshape(-1, w.shape[1]) @ w.T).reshape(call.output.shape)
    return _finished_double(y, call) if not call.is_float else _finished(y, call)


def _operands(call: Call) -> tuple[Array, Array]:
    """Input and weights as floats that hold the integers q - zero_point exactly."""
    x, w = call.values[0], call.values[1]
    if call.is_float:
        return x, w
    zero = _weight_zero_point(call.inputs[0], call.inputs[1])
    return (x.astype(np.float64) - call.inputs[0].zero_point, w.astype(np.float64) - zero)


def _weight_zero_point(x: Tensor, w: Tensor) -> int:
    """Weights with one scale per channel are symmetric whatever their zero points say."""
    quant = w.quant
    if quant is None or len(quant.scale) > 1 or not quant.zero_point:
        return 0
    return quant.zero_point[0]


def _patches(x: Array, kernel: tuple[int, ...], call: Call) -> Array:
    """One row of kh*kw*C values for each output pixel."""
    view = windows(x, (kernel[0], kernel[1]), call.attrs)
    return view.transpose(0, 1, 2, 4, 5, 3).reshape(-1, kernel[0] * kernel[1] * x.shape[3])


def _with_bias(y: Array, call: Call) -> Array:
    return y + call.values[2] if len(call.values) > 2 else y


def _finished(y: Array, call: Call) -> Array:
    """Bias, then the activation, or the requantization with both roundings."""
    y = _with_bias(y, call)
    if call.is_float:
        return activated(y.astype(np.float32), call.activation)
    by = fixed.factor(conv_factors(call.inputs[0], call.inputs[1], call.output))
    return fixed.requantized(y.astype(np.int64), by, call.output, call.activation)


def _finished_double(y: Array, call: Call) -> Array:
    factors = fully_connected_factors(call.inputs[0], call.inputs[1], call.output)
    steps = _with_bias(y, call) * factors
    low, high = fixed.activation_range(call.output, call.activation)
    steps = np.clip(fixed.round_away(steps) + call.output.zero_point, low, high)
    return np.asarray(steps, call.output.dtype)


def conv_factors(x: Tensor, w: Tensor, y: Tensor) -> list[float]:
    """Accumulator steps per output step, per channel or one; the order of operations matters.

    int8 multiplies the scales in double precision; uint8 rounds their product to float32 first.
    """
    scales = w.quant.scale if w.quant else ()
    if x.dtype == "uint8":
        return [float(np.float32(x.scale) * np.float32(s)) / y.scale for s in scales]
    return [x.scale * s / y.scale for s in scales]


def fully_connected_factors(x: Tensor, w: Tensor, y: Tensor) -> Array:
    """As `conv_factors`, but always in double precision; float64 [O] or [1]."""
    return np.array([x.scale * s / y.scale for s in (w.quant.scale if w.quant else ())])
