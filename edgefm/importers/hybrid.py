# SPDX-License-Identifier: Apache-2.0
"""Float networks whose weights are stored in 8 bits: the weights become float32 again, so that the
network is quantized as any float one is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgefm.importers.draft import Draft
from edgefm.network.graph import Array, Graph, Tensor
from edgefm.network.operators import LINEAR


def with_float_weights(graph: Graph) -> Graph:
    """The graph with float32 weights wherever a float32 map is multiplied with quantized ones."""
    draft = Draft(graph)
    for node in graph.nodes:
        x, w = (draft.tensors[t] if t >= 0 else None for t in (*node.inputs, -1, -1)[:2])
        if (node.op in LINEAR and x is not None and w is not None and x.dtype == "float32"
                and w.data is not None and _is_quantized(w, w.data)):
            real = draft.constant(f"{w.name}/float", dequantized(w, w.data), None)
            node = replace(node, inputs=(node.inputs[0], real, *node.inputs[2:]))
        draft.nodes.append(node)
    return draft.finished()


def _is_quantized(tensor: Tensor, data: Array) -> bool:
    """True for 8 bits whose scales suit them; of others the check of the graph says what is wrong.
    """
    quant = tensor.quant
    if quant is None or tensor.dtype not in ("int8", "uint8"):
        return False
    if quant.axis is None:
        return len(quant.scale) == 1
    return 0 <= quant.axis < data.ndim and len(quant.scale) == data.shape[quant.axis]


def dequantized(tensor: Tensor, data: Array) -> Array:
    """float32 values of a quantized constant, with one scale or one for each channel."""
    quant = tensor.quant
    assert quant is not None
    shape = [1] * data.ndim
    if quant.axis is not None and quant.axis < data.ndim:
        shape[quant.axis] = -1
    scale, zero = (np.reshape(np.asarray(v, np.float64), shape if quant.axis is not None else ())
                   for v in (quant.scale, quant.zero_point))
    return np.asarray(scale * (data.astype(np.float64) - zero), np.float32)
