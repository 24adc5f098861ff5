# SPDX-License-Identifier: Apache-2.0
"""Where scores come from, and what the divergence between them is."""

import numpy as np
import pytest
from networks import Network

from edgefm.errors import BadInput
from edgefm.graph import Array, Graph
from edgefm.rate.divergence import divergences, score_tensor, scores
from edgefm.rate.requantise import requantise


def test_scores_are_taken_before_softmax(classifier: Graph, samples: list[Array]) -> None:
    assert classifier.tensors[score_tensor(classifier)].name == classifier.tensors[
        classifier.nodes[-1].inputs[0]].name
    found = scores(classifier, samples[:2])
    assert [s.shape for s in found] == [(1, 6)] * 2
    np.testing.assert_allclose(np.exp(found[0]).sum(), 1)


def test_a_map_of_labels_counts_position_by_position() -> None:
    net = Network()
    graph = net.graph(net.argmax(net.conv(net.input(1, 5, 4, 3), 7)))
    found = scores(graph, [np.zeros((1, 5, 4, 3), np.int8)])
    assert found[0].shape == (20, 7)


def test_divergence_is_the_textbook_sum() -> None:
    p, q = np.array([[0.5, 0.25, 0.25]]), np.array([[0.25, 0.25, 0.5]])
    assert divergences([np.log(p)], [np.log(q)])[0] == pytest.approx(0.25 * np.log(2))
    assert divergences([np.log(p)], [np.log(p)])[0] == 0


def test_coarser_steps_cost_more(classifier: Graph, samples: list[Array],
                                 maps: dict[str, int]) -> None:
    reference = scores(classifier, samples)
    costs = [divergences(reference, scores(requantise(classifier, {maps["conv2d_0"]: factor}),
                                           samples)).mean() for factor in (1.0, 6.0, 40.0)]
    assert 0 == costs[0] < costs[1] < costs[2]


def test_a_network_without_classes_is_refused() -> None:
    net = Network()
    with pytest.raises(BadInput, match="class scores"):
        score_tensor(net.graph(net.conv(net.input(1, 5, 4, 3), 1)))
    x = net.input(1, 4)
    with pytest.raises(BadInput, match="class scores"):
        score_tensor(net.graph(net.softmax(x)))
