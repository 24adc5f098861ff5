# SPDX-License-Identifier: Apache-2.0
"""The cost of an error in a weight for the decision, per layer, from derivatives on samples.

An error d of an output channel's weights [K] changes its outputs by d' (x - m), because the bias
absorbs the mean m of its inputs x. The divergence of the decision grows by g d' C d. Here C is the
covariance of the inputs, and g is the cost of white noise of variance 1 in that channel. Both are
weighted by squared derivatives of the outputs (clamped outputs have derivative 0). g is the mean
over random v (`fisher`) of 1/2 |dy' (x - m)|^2, with y the channel's outputs, over the trace of C.
Random v say little about the layer that makes the scores: it has many rows, each seldom likely.
There g is exactly 1/2 mean p (1 - p), and all inputs have the same weight.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np

from edgefm.network.graph import Array, Graph, Node
from edgefm.network.operators import LINEAR, output_axis
from edgefm.ops.quantize import dequantized
from edgefm.quantization.refine import Floats, as_rows, influence_of, taps_of
from edgefm.rate_distortion.fisher import Pulled, pulls, scores_of
from edgefm.rate_distortion.gradient import passing

MOST_TAPS = 6144      # of a layer: its covariance has the square of them
_POSITIONS = 256      # of each sample, evenly spread, that covariances are taken from
_LEAST_WEIGHT = 0.05  # of the mean channel's, so that loud channels do not decide alone
_LEAST_COST = 0.05    # of the mean channel's: what samples did not show
_LEAST_SCORE = 0.1    # the same for classes
_DAMPING = 0.005      # of the mean variance
_FEW = 1 / 3          # of the taps: this many positions show half of a covariance
_TINY = 1e-12


@dataclass(frozen=True, slots=True, eq=False)
class LayerCosts:
    """A linear operator as [blocks, rows, K] (`refine.as_rows`), taps in descending order of
    variance within a block.

    node        its number in the graph
    order       [blocks, K]: which tap comes first
    mean        [blocks, K]: of the inputs, in that order
    influence   [blocks, K, K]: of errors on later taps (`refine.influence_of`)
    cost        [blocks, rows]: nats per unit of an output channel's variance
    """

    node: int
    order: Array
    mean: Floats
    influence: Floats
    cost: Floats

    @property
    def variance(self) -> Floats:
        """Mean variance of a tap when all earlier ones are known: [blocks]."""
        return np.asarray((1 / np.einsum("bkk->bk", self.influence) ** 2).mean(axis=1))


def measure_layers(graph: Graph, samples: Sequence[Array],
                   tick: Callable[[], None] = lambda: None) -> list[LayerCosts]:
    """Every linear operator with int8 weights of its own that the scores depend on.

    Raises UnsupportedModel as `fisher.slopes` does.
    """
    scores, likely = scores_of(graph), np.zeros(1)
    sums = {i: _Sums(graph, i, graph.nodes[i].outputs[0] == scores) for i in adjustable(graph)}
    for pulled in pulls(graph, samples, tick):
        for one in sums.values():
            one.add(pulled)
        p = pulled.probabilities
        likely = likely + (p * (1 - p)).mean(axis=0) / (2 * len(samples))
    return [one.layer(likely if one.last else None) for one in sums.values() if one.count]


def adjustable(graph: Graph) -> list[int]:
    """The linear operators whose int8 weights no other one has, by number, except those whose
    covariance is too large because they have many inputs."""
    uses = [t for node in graph.nodes for t in node.inputs]
    return [i for i, node in enumerate(graph.nodes)
            if node.op in LINEAR and uses.count(node.inputs[1]) == 1
            and graph.tensors[node.inputs[1]].data is not None
            and graph.tensors[node.inputs[1]].dtype == "int8"
            and graph.tensors[node.inputs[0]].dtype == "int8"
            and _taps(graph, node) <= MOST_TAPS]


def _taps(graph: Graph, node: Node) -> int:
    """Inputs of one output channel."""
    shape = graph.tensors[node.inputs[1]].shape
    return prod(shape) // shape[output_axis(node.op)]


@dataclass(slots=True, eq=False)
class _Moments:
    """Sums over samples. Of inputs, positions weighted: `weight` [blocks], `first` [blocks, K],
    `second` [blocks, K, K]. Of the derivative of weights w [O, K] and of the bias b [O]:
    squares `ww` [O] and `bb` [O], products `wb` [O, K]."""

    weight: Floats
    first: Floats
    second: Floats
    ww: Floats
    wb: Floats
    bb: Floats


class _Sums:
    """One layer's moments while samples go by."""

    def __init__(self, graph: Graph, number: int, last: bool) -> None:
        self.graph, self.number, self.last = graph, number, last
        self.node: Node = graph.nodes[number]
        weights = graph.tensors[self.node.inputs[1]].data
        assert weights is not None
        self.shape = weights.shape
        self.blocks, self.rows, self.taps = as_rows(weights, self.node).shape
        channels = self.blocks * self.rows
        self.count, self.positions = 0, 0
        self.usual: Floats | None = None
        self.sums = _Moments(np.zeros(self.blocks), np.zeros((self.blocks, self.taps)),
                             np.zeros((self.blocks, self.taps, self.taps)), np.zeros(channels),
                             np.zeros((channels, self.taps)), np.zeros(channels))

    def add(self, pulled: Pulled) -> None:
        """One sample, where the scores depend on this layer at all."""
        slope = pulled.slopes.get(self.node.outputs[0])
        if slope is None:
            return
        dy = passing(self.graph, self.node, pulled.values, slope).reshape(-1, slope.shape[-1])
        entry = self.graph.tensors[self.node.inputs[0]]
        x = dequantized(pulled.values[self.node.inputs[0]].reshape(entry.shape), entry)
        taps = taps_of(x, self.node, self.shape)
        self.count += 1
        self.positions = taps.shape[1]
        self._add_inputs(taps, self._looked_at(dy))
        self._add_weights(taps, dy)

    def _looked_at(self, dy: Array) -> Floats:
        """What each position counts: [blocks, positions]."""
        squares = dy.astype(np.float64) ** 2
        if self.last:
            return np.ones((self.blocks, len(dy)))
        if self.blocks > 1:
            return np.asarray(squares.reshape(len(dy), self.blocks, self.rows).sum(axis=2).T)
        if self.usual is None:
            sums = squares.sum(axis=0)
            self.usual = np.maximum(sums, _LEAST_WEIGHT * sums.mean() + _TINY)
        return np.asarray((squares / self.usual).sum(axis=1)[None])

    def _add_inputs(self, taps: Array, counts: Floats) -> None:
        some = slice(None, None, -(-taps.shape[1] // _POSITIONS))
        seen, weights = taps[:, some].astype(np.float64), counts[:, some]
        weighted = seen * weights[..., None]
        self.sums.weight += weights.sum(axis=1)
        self.sums.first += weighted.sum(axis=1)
        self.sums.second += weighted.transpose(0, 2, 1) @ seen

    def _add_weights(self, taps: Array, dy: Array) -> None:
        grouped = dy.reshape(len(dy), self.blocks, self.rows).transpose(1, 2, 0)
        slopes = (grouped @ taps).reshape(-1, self.taps).astype(np.float64)
        biases = dy.sum(axis=0).astype(np.float64)
        self.sums.ww += (slopes ** 2).sum(axis=1)
        self.sums.wb += slopes * biases[:, None]
        self.sums.bb += biases ** 2

    def layer(self, exact: Floats | None) -> LayerCosts:
        """The layer; `exact` are costs of its channels that need no estimate."""
        sums = self.sums
        weight = np.maximum(sums.weight, _TINY)[:, None]
        mean = sums.first / weight
        full = sums.second / weight[..., None] - mean[:, :, None] * mean[:, None, :]
        covariance = _damped(full, self.count * self.positions)
        powers = np.einsum("bkk->b", covariance)
        order = np.argsort(-np.einsum("bkk->bk", covariance), axis=1, kind="stable")
        sorted_ = np.take_along_axis(np.take_along_axis(covariance, order[:, :, None], 1),
                                     order[:, None, :], 2)
        cost = self._costs(mean, powers) if exact is None else (
            exact + _LEAST_SCORE * exact.mean())
        return LayerCosts(self.number, order, np.take_along_axis(mean, order, 1),
                     influence_of(sorted_), cost.reshape(self.blocks, self.rows))

    def _costs(self, mean: Floats, powers: Floats) -> Floats:
        """Costs of channels [O], once the mean input is taken away."""
        sums, own = self.sums, np.repeat(mean, self.rows, axis=0)
        squares = sums.ww - 2 * (sums.wb * own).sum(axis=1) + sums.bb * (own ** 2).sum(axis=1)
        costs = np.maximum(squares, 0) / (2 * self.count)
        spread = np.repeat(powers + 1e-6 * powers.mean(), self.rows)
        return np.asarray((costs + _LEAST_COST * costs.mean()) / np.maximum(spread, _TINY))


def _damped(full: Floats, seen: int) -> Floats:
    """A covariance [blocks, K, K], shrunk towards its diagonal as far as positions are few."""
    k = full.shape[1]
    variances = np.maximum(np.einsum("bkk->bk", full), 0)
    share = seen / (seen + _FEW * k)
    mean = variances.mean(axis=1, keepdims=True)
    floor = _DAMPING * mean + 1e-6 * mean.mean() + _TINY
    return np.asarray(full * share + np.eye(k) * (variances * (1 - share) + floor)[:, None, :])
