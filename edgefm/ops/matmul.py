# SPDX-License-Identifier: Apache-2.0
"""batch_matmul, whose operands are both computed. Source: TFLite's batch_matmul.h."""

from __future__ import annotations

import numpy as np

from edgefm.network.graph import Array, Tensor
from edgefm.ops import fixed
from edgefm.ops.call import Call


def batch_matmul(call: Call) -> Array:
    """Matrices of the last two dimensions, transposed before where adj_x and adj_y say so."""
    a, b = (value.swapaxes(-1, -2) if call.attrs[name] else value
            for value, name in zip(call.values, ("adj_x", "adj_y"), strict=True))
    if call.is_float:
        return np.asarray(a @ b, np.float32)
    total = fixed.centered(a, call.inputs[0]) @ fixed.centered(b, call.inputs[1])
    by = fixed.factor(matmul_factor(call.inputs[0], call.inputs[1], call.output))
    return fixed.requantized(total, by, call.output)


def matmul_factor(a: Tensor, b: Tensor, y: Tensor) -> float:
    """Steps of a sum per output step: the product of scales is float32, the quotient is not."""
    return float(np.float32(a.scale) * np.float32(b.scale)) / y.scale
