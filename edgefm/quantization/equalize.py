# SPDX-License-Identifier: Apache-2.0
"""Cross-layer equalization: channels of one map brought to similar ranges before quantization.

If y = act(W1 x + b1) feeds only z = W2 y, then channel i of W1 and b1 may be divided by s_i and
column i of W2 multiplied by it. Weights have one scale per output channel, so dividing costs W1
nothing; what is balanced is the resolution of channel i of the map against that of column i of W2,
which shares its row's scale with other columns. A depthwise W2 has one column per scale and
follows for free.

Exact without an activation and with relu. With relu6 a channel that reaches 6 keeps s_i = 1 (the
clipping point would move); others may grow to what calibration saw of them, with some margin.

Sources: Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction"
(arXiv:1906.04721), for the invariance; Xiao et al., "SmoothQuant" (arXiv:2211.10438), for balancing
activations against weights.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgefm.network.graph import Array, Graph, Node, Tensor
from edgefm.network.operators import ACTIVATIONS, LINEAR, output_axis
from edgefm.quantization.calibrate import Statistics

_CEILING = ACTIVATIONS["relu6"][1]
_MARGIN = 1.1  # how much larger than on calibration samples a channel under relu6 may get
_LARGEST = 64.0

Factors = npt.NDArray[np.float64]


def equalized(graph: Graph, seen: Statistics) -> Graph:
    """A float graph with the same outputs whose maps between convolutions have similar channels.

    Only pairs with a depthwise convolution in them change: there the spread is large.
    """
    tensors = list(graph.tensors)
    for node, after in _pairs(graph):
        factors = _factors(graph, node, after, seen)
        scale_outputs(tensors, node, 1 / factors)
        scale_inputs(tensors, after, factors)
    return replace(graph, tensors=tuple(tensors))


def can_equalize(graph: Graph) -> bool:
    """True when `equalized` would change anything."""
    return bool(_pairs(graph))


def _pairs(graph: Graph) -> list[tuple[Node, Node]]:
    pairs = [(node, _partner(graph, node)) for node in graph.nodes]
    return [(node, after) for node, after in pairs
            if after is not None and "depthwise_conv2d" in (node.op, after.op)]


def _partner(graph: Graph, node: Node) -> Node | None:
    """The one linear operator that alone reads `node`'s output, if the pair can be equalized."""
    output = node.outputs[0]
    users = [other for other in graph.nodes if output in other.inputs]
    if node.op not in LINEAR or output in graph.outputs or len(users) != 1:
        return None
    after = users[0]
    if (after.op not in LINEAR or after.attrs.get("multiplier", 1) != 1
            or after.inputs[0] != output or not all(_own(graph, n) for n in (node, after))
            or node.attrs["activation"] not in (None, "relu", "relu6")
            or (after.op == "fully_connected" and graph.tensors[after.inputs[1]].shape[1]
                != graph.tensors[output].shape[-1])):
        return None
    return after


def _own(graph: Graph, node: Node) -> bool:
    """True when weights and bias are constants that no other node shares."""
    constants = [t for t in node.inputs[1:] if t >= 0]
    return all(graph.tensors[t].data is not None
               and sum(n.inputs.count(t) for n in graph.nodes) == 1 for t in constants)


def _factors(graph: Graph, node: Node, after: Node, seen: Statistics) -> Factors:
    peak = seen.peaks[node.outputs[0]].astype(np.float64)
    alive = peak > 0
    if after.op == "depthwise_conv2d":
        wanted = np.where(alive, peak, 1.0)
    else:
        columns = _column_weight(graph.tensors[after.inputs[1]].data)
        alive &= columns > 0
        wanted = np.sqrt(np.where(alive, peak, 1.0) / np.where(alive, columns, 1.0))
    if not alive.any():
        return np.ones_like(peak)
    wanted *= np.max((peak / wanted)[alive]) / peak.max()  # the map's largest value stays
    wanted = np.clip(wanted, 1 / _LARGEST, _LARGEST)
    if node.attrs["activation"] == "relu6":
        wanted = np.maximum(wanted, peak * _MARGIN / _CEILING)
        wanted = np.where(peak * _MARGIN >= _CEILING, 1.0, wanted)
    return np.where(alive, wanted, 1.0)


def _column_weight(weights: Array | None) -> Factors:
    """Largest share of its row's range that any weight of each input channel has."""
    assert weights is not None
    rows = np.abs(weights.reshape(len(weights), -1, weights.shape[-1])).max(axis=1)
    scale = rows.max(axis=1, keepdims=True)
    return np.asarray((rows / np.where(scale > 0, scale, 1.0)).max(axis=0), np.float64)


def scale_outputs(tensors: list[Tensor], node: Node, factors: Factors) -> None:
    """Multiply the output channels of a linear operator by `factors` [C], in its constants."""
    axis = output_axis(node.op)
    shape = [1] * len(tensors[node.inputs[1]].shape)
    shape[axis] = -1
    _scale(tensors, node.inputs[1], factors.reshape(shape))
    if node.inputs[2] >= 0:
        _scale(tensors, node.inputs[2], factors)


def scale_inputs(tensors: list[Tensor], node: Node, factors: Factors) -> None:
    """Multiply what a linear operator makes of each input channel by `factors` [C]."""
    _scale(tensors, node.inputs[1], factors)  # input channels are the last dimension throughout


def _scale(tensors: list[Tensor], index: int, factors: Factors) -> None:
    old = tensors[index]
    assert old.data is not None
    tensors[index] = replace(old, data=(old.data * factors).astype(np.float32))
