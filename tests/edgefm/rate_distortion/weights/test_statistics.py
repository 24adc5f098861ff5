# SPDX-License-Identifier: Apache-2.0
"""What an error in a weight is said to cost is what it costs."""

from dataclasses import replace

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph
from edgefm.network.operators import LINEAR
from edgefm.quantization.refine import as_rows, influence_of
from edgefm.rate_distortion.weights.statistics import adjustable, measure_layers


def taps_in_order(rows: Array, order: Array) -> Array:
    return np.take_along_axis(rows, order[:, None, :], 2)


def test_every_linear_operator_is_measured_in_the_shape_of_its_rows(
        classifier: Graph, samples: list[Array]) -> None:
    layers = measure_layers(classifier, samples)
    assert [layer.node for layer in layers] == [
        i for i, node in enumerate(classifier.nodes) if node.op in LINEAR]
    for layer in layers:
        node = classifier.nodes[layer.node]
        blocks, rows, taps = as_rows(classifier.tensors[node.inputs[1]].data, node).shape
        assert layer.mean.shape == layer.order.shape == (blocks, taps)
        assert layer.influence.shape == (blocks, taps, taps)
        assert layer.cost.shape == (blocks, rows) and (layer.cost > 0).all()


def test_taps_are_in_descending_order_of_variance_and_the_last_is_known_best(
        classifier: Graph, samples: list[Array]) -> None:
    for layer in measure_layers(classifier, samples):
        covariance = np.linalg.inv(layer.influence.transpose(0, 2, 1) @ layer.influence)
        powers = np.einsum("bkk->bk", covariance)
        assert (np.diff(powers, axis=1) <= 1e-9 * powers.max()).all()
        known = 1 / np.einsum("bkk->bk", influence_of(covariance)) ** 2
        assert layer.variance == pytest.approx(known.mean(axis=1), rel=1e-6)


def test_the_last_layers_costs_are_those_of_its_probabilities(
        classifier: Graph, samples: list[Array]) -> None:
    last = measure_layers(classifier, samples)[-1]
    assert classifier.nodes[last.node].op == "fully_connected"
    assert last.cost.max() <= 0.125 * 1.1  # half of the most that p (1 - p) can be, and smoothing


def test_a_layer_of_too_many_inputs_is_left_alone(classifier: Graph,
                                                  monkeypatch: pytest.MonkeyPatch) -> None:
    every = adjustable(classifier)
    monkeypatch.setattr("edgefm.rate_distortion.weights.statistics.MOST_TAPS", 40)
    some = adjustable(classifier)
    assert 0 < len(some) < len(every) and set(some) < set(every)


def test_shared_or_computed_weights_are_left_alone(classifier: Graph) -> None:
    first, second = adjustable(classifier)[0], adjustable(classifier)[1]
    nodes = list(classifier.nodes)
    shared = nodes[first].inputs[1]
    nodes[second] = replace(nodes[second], inputs=(nodes[second].inputs[0], shared,
                                                   *nodes[second].inputs[2:]))
    left = adjustable(replace(classifier, nodes=tuple(nodes)))
    assert first not in left and second not in left and len(left) == len(
        adjustable(classifier)) - 2
