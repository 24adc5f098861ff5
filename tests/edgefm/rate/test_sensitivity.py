# SPDX-License-Identifier: Apache-2.0
"""The cost of a coarser step is fitted to what the network really does."""

import pytest

from edgefm.graph import Array, Graph
from edgefm.rate.divergence import divergences, scores
from edgefm.rate.requantise import groups, requantise
from edgefm.rate.sensitivity import measure


def test_costs_predict_divergences_within_a_small_factor(classifier: Graph,
                                                         samples: list[Array]) -> None:
    wanted = dict.fromkeys(groups(classifier)[:3], 100)
    found = measure(classifier, wanted, samples)
    assert [s.group for s in found] == list(wanted)
    reference = scores(classifier, samples)
    for s in found:
        factor = 0.25 * s.deviation
        met = scores(requantise(classifier, {s.group[0]: factor}), samples)
        kl = float(divergences(reference, met).mean())
        assert 0.3 < (s.floor + s.cost * factor ** 2) / kl < 3


def test_deviation_is_counted_in_steps(classifier: Graph, samples: list[Array],
                                       maps: dict[str, int]) -> None:
    group = next(g for g in groups(classifier) if maps["conv2d_0"] in g)
    fine, = measure(classifier, {group: 1}, samples[:3])
    coarse, = measure(requantise(classifier, {group[0]: 2.0}), {group: 1}, samples[:3])
    assert fine.deviation / coarse.deviation == pytest.approx(2, rel=0.05)
