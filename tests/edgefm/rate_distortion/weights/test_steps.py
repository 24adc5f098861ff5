# SPDX-License-Identifier: Apache-2.0
"""Coarser weights: an ordinary network, of one slope, and close to what it was."""

from dataclasses import replace

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.divergence import divergences, package_of, scores
from edgefm.rate_distortion.weights.bits import bits_per_weight
from edgefm.rate_distortion.weights.statistics import measure_layers
from edgefm.rate_distortion.weights.steps import CoarserWeights, weights_of
from edgefm.runtime import Runtime

SLOPES = (1e-9, 1e-8, 1e-7, 1e-6)


@pytest.fixture(scope="module")
def family(classifier: Graph, samples: list[Array]) -> CoarserWeights:
    return CoarserWeights(classifier, measure_layers(classifier, samples))


def losses(family: CoarserWeights, samples: list[Array], graph: Graph) -> float:
    reference = scores(family.graph, samples)
    return float(divergences(reference, scores(graph, samples)).mean())


def test_steps_cost_alike_and_are_never_finer(family: CoarserWeights) -> None:
    finest = family.steps(1e-12)
    found = family.steps(1e-8)
    assert all((a >= b).all() for a, b in zip(found, finest, strict=True))
    (_, now), cost = family._layers[1], family._costs[1]
    free = (found[1] > finest[1]) & (found[1] < 2.4 * np.abs(now.rows).max(axis=2))
    assert free.any()
    assert cost[free] * found[1][free] ** 2 * np.log(2) / 6 == pytest.approx(1e-8, rel=1e-5)


def test_a_higher_price_takes_fewer_bits_for_more_loss(family: CoarserWeights,
                                                       samples: list[Array]) -> None:
    graphs = [family.at(slope) for slope in SLOPES]
    bits = [bits_per_weight(graph) for graph in graphs]
    assert bits == sorted(bits, reverse=True) and bits[-1] < bits[0] - 1
    lost = [losses(family, samples, graph) for graph in graphs]
    assert 10 * lost[1] < lost[-1] < 0.05
    said = [family.nats(slope) for slope in SLOPES]
    assert said == sorted(said)


def test_nothing_changes_for_nothing(family: CoarserWeights) -> None:
    assert family.at(1e-30) is family.graph
    assert family.nats(1e-30) == 0


def test_maps_and_their_scales_stay_and_the_runtime_takes_the_network(
        family: CoarserWeights, samples: list[Array]) -> None:
    coarse = family.at(1e-5)
    for before, after in zip(family.graph.tensors, coarse.tensors, strict=True):
        assert before.name == after.name and before.shape == after.shape
        if before.data is None:
            assert before is after
    with Runtime(package_of(coarse)) as runtime:
        assert runtime.run([samples[0]]).outputs


def test_a_bias_makes_up_for_the_mean_of_the_inputs(family: CoarserWeights,
                                                    samples: list[Array],
                                                    monkeypatch: pytest.MonkeyPatch) -> None:
    kept = losses(family, samples, family.at(1e-7))
    layers = [replace(layer, mean=np.zeros_like(layer.mean)) for layer, _ in family._layers]
    lost = losses(family, samples, CoarserWeights(family.graph, layers).at(1e-7))
    assert lost > 1.3 * kept


def test_worth_makes_a_layers_bits_dearer(family: CoarserWeights) -> None:
    layers = [layer for layer, _ in family._layers]
    dear = CoarserWeights(family.graph, layers, {layers[0].node: 16.0})
    assert dear.steps(1e-8)[0].mean() > 1.5 * family.steps(1e-8)[0].mean()
    assert (dear.steps(1e-8)[1] == family.steps(1e-8)[1]).all()


def test_a_node_without_a_bias_gets_one(classifier: Graph, samples: list[Array]) -> None:
    number = next(i for i, node in enumerate(classifier.nodes) if node.op == "conv2d")
    nodes = list(classifier.nodes)
    nodes[number] = replace(nodes[number], inputs=(*nodes[number].inputs[:2], -1))
    graph = replace(classifier, nodes=tuple(nodes))
    coarse = CoarserWeights(graph, measure_layers(graph, samples[:3])).at(1e-4)
    bias = coarse.nodes[number].inputs[2]
    assert coarse.tensors[bias].dtype == "int32"
    assert len({tensor.name for tensor in coarse.tensors}) == len(coarse.tensors)
    package_of(coarse)


def test_a_channel_of_zeros_stays_one(classifier: Graph, samples: list[Array]) -> None:
    number = next(i for i, node in enumerate(classifier.nodes) if node.op == "conv2d")
    at = classifier.nodes[number].inputs[1]
    data = classifier.tensors[at].data.copy()
    data[0] = 0
    tensors = list(classifier.tensors)
    tensors[at] = replace(tensors[at], data=data)
    graph = replace(classifier, tensors=tuple(tensors))
    coarse = CoarserWeights(graph, measure_layers(graph, samples[:3])).at(1e-4)
    assert (coarse.tensors[at].data[0] == 0).all()
    assert coarse.tensors[at].quant.scale[0] == tensors[at].quant.scale[0]


def test_weights_come_in_real_units(family: CoarserWeights) -> None:
    layer, now = family._layers[0]
    tensor = family.graph.tensors[family.graph.nodes[layer.node].inputs[1]]
    largest = np.abs(tensor.data.reshape(len(tensor.data), -1).astype(int)).max(axis=1)
    assert np.abs(now.rows[0]).max(axis=1) == pytest.approx(largest * tensor.quant.scale)
    assert np.array_equal(weights_of(family.graph, layer).rows, now.rows)
