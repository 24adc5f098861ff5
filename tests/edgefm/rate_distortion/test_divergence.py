# SPDX-License-Identifier: Apache-2.0
"""Where scores come from, and what the divergence between them is."""

import numpy as np
import pytest
from networks import Network

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.divergence import (
    DecisionScores,
    decision_of,
    divergence,
    divergences,
    scores,
)
from edgefm.rate_distortion.requantize import requantize


def test_scores_are_taken_before_softmax(classifier: Graph, samples: list[Array]) -> None:
    assert decision_of(classifier).scores.name == classifier.tensors[
        classifier.nodes[-1].inputs[0]].name
    found = scores(classifier, samples[:2])
    assert [s.scores.shape for s in found] == [(1, 6)] * 2
    np.testing.assert_allclose(np.exp(found[0].scores).sum(), 1)


def test_a_map_of_labels_counts_position_by_position() -> None:
    net = Network()
    graph = net.graph(net.argmax(net.conv(net.input(1, 5, 4, 3), 7)))
    found = scores(graph, [np.zeros((1, 5, 4, 3), np.int8)])
    assert found[0].scores.shape == (20, 7)


def test_scores_that_are_resized_to_the_picture_are_taken_before() -> None:
    net = Network()
    x = net.conv(net.input(1, 5, 4, 3), 7)
    graph = net.graph(net.argmax(net.resize(net.resize(x, 5, 4), 20, 16)))
    assert decision_of(graph).scores.shape == (1, 5, 4, 7)


@pytest.fixture(scope="module")
def detector() -> Graph:
    """One anchor for each of 6 x 5 positions, three classes and background."""
    net = Network(4)
    return net.graph(*net.detect(net.conv(net.input(1, 6, 5, 3), 8, activation="relu6"), 3))


def test_a_detector_decides_before_its_sigmoid_without_background(detector: Graph) -> None:
    random = np.random.default_rng(0)
    sample = random.integers(-128, 128, (1, 6, 5, 3)).astype(np.int8)
    (answer,) = scores(detector, [sample])
    assert answer.scores.shape == (30, 3) and answer.scores.min() < 0
    assert answer.offsets is not None and answer.offsets.shape == (30, 4)


def test_a_coarser_detector_is_further_away(detector: Graph) -> None:
    random = np.random.default_rng(1)
    samples = list(random.integers(-128, 128, (3, 1, 6, 5, 3)).astype(np.int8))
    reference = scores(detector, samples)
    inside = detector.nodes[0].outputs[0]
    costs = [divergences(reference, scores(requantize(detector, {inside: factor}), samples)).mean()
             for factor in (1.0, 4.0, 30.0)]
    assert 0 == costs[0] < costs[1] < costs[2]


def test_divergence_of_objects_adds_classes_and_offsets() -> None:
    logits = np.log([[3.0], [1 / 3]])  # 3/4 and 1/4: one object in all
    offsets = np.zeros((2, 4))
    same = DecisionScores(logits, offsets)
    assert divergence(same, same) == 0
    moved = DecisionScores(logits, np.array([[2.0, 0, 0, 0], [0, 0, 0, 2]]))
    assert divergence(same, moved) == pytest.approx(2 * 0.75 + 2 * 0.25)
    swapped = DecisionScores(-logits, offsets)
    assert divergence(same, swapped) == pytest.approx(2 * 0.5 * np.log(3))


def test_a_certain_detector_costs_a_finite_amount() -> None:
    sure, other = DecisionScores(np.full((1, 2), 60.0), np.zeros((1, 4))), DecisionScores(
        np.full((1, 2), -60.0), np.zeros((1, 4)))
    assert divergence(sure, other) == pytest.approx(120)


def test_divergence_is_the_textbook_sum() -> None:
    p, q = (DecisionScores(np.log([row])) for row in ((0.5, 0.25, 0.25), (0.25, 0.25, 0.5)))
    assert divergence(p, q) == pytest.approx(0.25 * np.log(2))
    assert divergence(p, p) == 0


def test_coarser_steps_cost_more(classifier: Graph, samples: list[Array],
                                 maps: dict[str, int]) -> None:
    reference = scores(classifier, samples)
    costs = [divergences(reference, scores(requantize(classifier, {maps["conv2d_0"]: factor}),
                                           samples)).mean() for factor in (1.0, 6.0, 40.0)]
    assert 0 == costs[0] < costs[1] < costs[2]


def test_a_network_without_classes_is_refused() -> None:
    net = Network()
    with pytest.raises(BadInput, match="class scores"):
        decision_of(net.graph(net.conv(net.input(1, 5, 4, 3), 1)))
    x = net.input(1, 4)
    with pytest.raises(BadInput, match="class scores"):
        decision_of(net.graph(net.softmax(x)))
