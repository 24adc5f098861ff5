# SPDX-License-Identifier: Apache-2.0
"""Gives weights steps of one slope: one bit less costs the same everywhere in the network.

An output channel whose weights are rounded to a step D loses g v D^2 / 12 nats per weight (g and
the variance v are `statistics`'s) and saves log2(D) bits. At a price of `slope` nats per bit that
is least at D^2 = 6 slope / (g v ln 2). Rounding passes each weight's error on to later ones, the
bias cancels the average of the remaining error, and multipliers absorb the new step: kernels and
files are those of any quantized network.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Quant, Tensor
from edgefm.network.operators import output_axis
from edgefm.quantization.refine import Floats, as_rows, from_rows, rounded_by
from edgefm.rate_distortion.weights.statistics import LayerCosts

_BATCH = 64              # taps whose errors are handed on together
_LARGEST, _LOWEST = 127, 128  # steps of a rounded weight, and of one that was there
_BIAS_LIMIT = 1 << 30
_COARSEST = 2.5          # of a channel's largest weight: everything is zero
_LEAST = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """The weights of a layer, in real units: `rows` [blocks, rows, K], `steps` [blocks, rows]."""

    rows: Floats
    steps: Floats


def weights_of(graph: Graph, layer: LayerCosts) -> Weights:
    """A layer's weights, taps in its order."""
    node = graph.nodes[layer.node]
    tensor = graph.tensors[node.inputs[1]]
    assert tensor.data is not None and tensor.quant is not None
    scale, zero = (np.array(v, np.float64) for v in (tensor.quant.scale, tensor.quant.zero_point))
    rows = as_rows(tensor.data.astype(np.float64) - (zero[0] if len(scale) == 1 else 0), node)
    steps = np.broadcast_to(scale, rows.shape[0] * rows.shape[1]).reshape(rows.shape[:2])
    return Weights(_ordered(rows * steps[..., None], layer.order), np.asarray(steps))


class CoarserWeights:
    """The family of networks that differ from `graph` in the steps of their weights, by slope in
    nats per bit. `worth` multiplies the slope, by number of node, where a bit counts more than
    once."""

    def __init__(self, graph: Graph, layers: Sequence[LayerCosts],
                 worth: Mapping[int, float] = MappingProxyType({})) -> None:
        self.graph, self.worth = graph, worth
        self._layers = [(layer, weights_of(graph, layer)) for layer in layers]
        self._costs = [np.maximum(layer.cost * layer.variance[:, None], _LEAST)
                       for layer in layers]
        self._limits = [_limits(now) for _, now in self._layers]

    def steps(self, slope: float) -> list[Floats]:
        """The step of every channel [blocks, rows], layer by layer; never finer than it was."""
        found = []
        for (layer, _), cost, (low, high) in zip(self._layers, self._costs, self._limits,
                                                 strict=True):
            price = slope * self.worth.get(layer.node, 1.0)
            steps = np.clip(np.sqrt(6 * price / (np.log(2) * cost)), low, high)
            found.append(np.where(steps > low, steps.astype(np.float32), low))
        return found

    def slopes(self) -> tuple[float, float]:
        """From where on any, and from where on no step changes."""
        ends = [[float(pick(cost * limit ** 2)) * np.log(2) / 6 / self.worth.get(layer.node, 1.0)
                 for (layer, _), cost, limit in zip(self._layers, self._costs, limits, strict=True)]
                for pick, limits in ((np.min, [low for low, _ in self._limits]),
                                     (np.max, [high for _, high in self._limits]))]
        return min(ends[0], default=1.0), max(ends[1], default=1.0)

    def nats(self, slope: float) -> float:
        """The loss at a slope, as far as derivatives know."""
        return float(sum((cost * steps ** 2 * (steps > low)).sum() * now.rows.shape[2] / 12
                         for (_, now), cost, steps, (low, _) in zip(
                             self._layers, self._costs, self.steps(slope), self._limits,
                             strict=True)))

    def at(self, slope: float) -> Graph:
        """The network at a slope."""
        changed = self.graph
        for (layer, now), steps in zip(self._layers, self.steps(slope), strict=True):
            changed = _with_weights(changed, layer, now, steps)
        return changed


def _limits(now: Weights) -> tuple[Floats, Floats]:
    """The least and the largest step of each channel. A legacy channel of more than 127 steps has
    no room in int8 as it is; a channel without weights keeps its step."""
    largest = np.abs(now.rows).max(axis=2)
    least = np.where(largest > now.steps * (_LOWEST + 0.5), largest / _LARGEST, now.steps)
    return np.asarray(least), np.maximum(_COARSEST * largest, least)


def _with_weights(graph: Graph, layer: LayerCosts, now: Weights, steps: Floats) -> Graph:
    """`graph` with one layer's weights rounded to `steps`, and its bias to match; channels whose
    step stays keep their weights."""
    if (steps <= now.steps).all():
        return graph
    node = graph.nodes[layer.node]
    weights, entry = graph.tensors[node.inputs[1]], graph.tensors[node.inputs[0]]
    kept = (steps <= now.steps)[..., None]
    coarse = rounded_by(now.rows, steps, layer.influence, _BATCH)
    whole = np.where(kept, np.rint(now.rows / now.steps[..., None]), coarse)
    steps = np.where(kept[..., 0], now.steps, steps)
    moved = (whole * steps[..., None] - now.rows) * layer.mean[:, None, :]
    scale = tuple(map(float, steps.ravel()))
    zeros = (0,) * len(scale)
    tensors = list(graph.tensors)
    tensors[node.inputs[1]] = replace(
        weights, data=from_rows(_unordered(whole, layer.order), weights.shape, node),
        quant=Quant(scale, zeros, output_axis(node.op)))
    bias = _bias(graph, node, weights, entry, scale, moved.sum(axis=2).ravel())
    return _with_bias(replace(graph, tensors=tuple(tensors)), layer.node, bias)


def _bias(graph: Graph, node: Node, weights: Tensor, entry: Tensor, scale: Sequence[float],
          moved: Floats) -> Tensor:
    """The bias less what the weights' change adds on average, in the new steps."""
    old = graph.tensors[node.inputs[2]] if len(node.inputs) > 2 and node.inputs[2] >= 0 else None
    real = np.zeros(len(scale))
    if old is not None and old.data is not None:
        before = weights.quant.scale if weights.quant else ()
        real = old.data.ravel() * (np.array(before) * entry.scale)
    steps = np.array([float(np.float32(s * entry.scale)) for s in scale])
    data = np.clip(np.rint((real - moved) / steps), -_BIAS_LIMIT, _BIAS_LIMIT).astype(np.int32)
    quant = Quant(tuple(map(float, steps)), (0,) * len(scale), 0)
    name = f"{weights.name}/bias" if old is None else old.name
    return Tensor(name, data.shape, "int32", quant, data)


def _with_bias(graph: Graph, number: int, bias: Tensor) -> Graph:
    """`graph` with another bias of one node; other nodes keep a bias that they share."""
    node, tensors, nodes = graph.nodes[number], list(graph.tensors), list(graph.nodes)
    uses = [t for one in graph.nodes for t in one.inputs]
    at = node.inputs[2] if len(node.inputs) > 2 else -1
    if at >= 0 and uses.count(at) == 1:
        tensors[at] = bias
    else:
        names = {one.name for one in tensors}
        name = bias.name if at < 0 and bias.name not in names else f"{bias.name}/{node.name}"
        tensors.append(replace(bias, name=name))
        nodes[number] = replace(node, inputs=(*node.inputs[:2], len(tensors) - 1))
    return replace(graph, tensors=tuple(tensors), nodes=tuple(nodes))


def _ordered(rows: Floats, order: Array) -> Floats:
    return np.take_along_axis(rows, order[:, None, :], 2)


def _unordered(rows: Floats, order: Array) -> Floats:
    back = np.empty_like(rows)
    np.put_along_axis(back, np.broadcast_to(order[:, None, :], rows.shape), rows, 2)
    return back
