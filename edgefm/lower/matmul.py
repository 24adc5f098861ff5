# SPDX-License-Identifier: Apache-2.0
"""batch_matmul -> MATMUL: each pixel of a row times a row of the other map, a transposed matrix."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from edgefm.lower.builder import Builder
from edgefm.lower.fixed_point import clamps, pairs
from edgefm.lower.moves import arranged, origin
from edgefm.lower.row_needs import everything, identity
from edgefm.network.graph import Node
from edgefm.network.program import OpKind
from edgefm.ops.matmul import matmul_factor

_DEPTH_MAX = 65535  # products in one sum


def matmul(b: Builder, node: Node) -> None:
    """One row of the result for each matrix, or, where there is one, for each of its rows."""
    output = b.graph.tensors[node.outputs[0]]
    for index in (*node.inputs, node.outputs[0]):
        b.zero_point(node, index)
    factor = matmul_factor(b.tensor(node, 0), b.tensor(node, 1), output)
    b.check_factors(node, factor)
    *batches, high, wide = output.shape
    count = math.prod(batches)
    left, right = (origin(b, node, k) for k in (0, 1))
    depth = b.tensor(node, 0).shape[-2 if node.attrs["adj_x"] else -1]
    if depth > _DEPTH_MAX:
        raise b.fail(node, f"{depth} products in a sum", f"at most {_DEPTH_MAX}")
    x = left.index.swapaxes(-1, -2) if node.attrs["adj_x"] else left.index
    y = right.index if node.attrs["adj_y"] else right.index.swapaxes(-1, -2)
    x = np.broadcast_to(x, (*batches, high, depth))
    y = np.broadcast_to(y, (*batches, wide, depth)) if count > 1 else y
    rows, pixels = (high, 1) if count == 1 else (count, high)
    a = arranged(b, node, 0, replace(left, index=x), (rows, pixels, depth))
    matrices = arranged(b, node, 1, replace(right, index=y), (count, wide, depth))
    needs = identity(rows), identity(rows) if count == rows else everything(1, rows)
    b.emit(node, OpKind.MATMUL, (a, matrices), needs, shape=(rows, pixels, wide),
           params=(*pairs(factor)[0].tolist(), *clamps(output, None)),
           macs=count * high * wide * depth)
