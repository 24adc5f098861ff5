# SPDX-License-Identifier: Apache-2.0
"""Hybrid files: 8-bit weights beside float activations, as a converter makes them without samples.

TFLite quantizes every activation anew in each run. Here such a network is the float network that
its weights stand for, which is then quantized with calibration like any other.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from edgefm.errors import UnsupportedModel
from edgefm.importers.rules import BYTES
from edgefm.network.affine import real_tensor
from edgefm.network.graph import Graph, Tensor
from edgefm.network.operators import LINEAR

_MOST_BYTES = 1 << 30  # of all weights in float32


def with_float_weights(graph: Graph) -> Graph:
    """The graph in which weights that meet a float32 map are float32; tensors keep their places."""
    tensors, left = list(graph.tensors), _MOST_BYTES
    for node in graph.nodes:
        if node.op in LINEAR and tensors[node.inputs[0]].dtype == "float32":
            w = node.inputs[1]
            if w >= 0 and _is_quantized(tensors[w]):
                left -= 4 * int(np.prod(tensors[w].shape, dtype=np.int64))
                if left < 0:
                    raise UnsupportedModel(f"its weights are more than {_MOST_BYTES} bytes in "
                                           "float32")
                tensors[w] = real_tensor(tensors[w])
    return replace(graph, tensors=tuple(tensors))


def _is_quantized(tensor: Tensor) -> bool:
    """True for 8-bit weights whose scales suit them; of others the check of the graph says why."""
    quant, data = tensor.quant, tensor.data
    if data is None or tensor.dtype not in BYTES or quant is None:
        return False
    return len(quant.scale) == 1 if quant.axis is None else (
        0 <= quant.axis < data.ndim and len(quant.scale) == data.shape[quant.axis])
