# SPDX-License-Identifier: Apache-2.0
"""The cost of a coarser step, derived or probed, is what the network really pays."""

from dataclasses import replace

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion.divergence import divergences, scores
from edgefm.rate_distortion.fisher import slopes, step_costs
from edgefm.rate_distortion.requantize import groups, requantize
from edgefm.rate_distortion.sensitivity import MOST_WRONG, measure, tried


@pytest.mark.parametrize("derived", [True, False])
def test_costs_predict_divergences_within_a_small_factor(
        classifier: Graph, samples: list[Array], derived: bool) -> None:
    wanted = dict.fromkeys(groups(classifier)[:3], 100)
    costs = step_costs(classifier, slopes(classifier, samples).own) if derived else None
    found = measure(classifier, wanted, samples, costs)
    assert [s.group for s in found] == list(wanted)
    reference = scores(classifier, samples)
    factors = {s.group[0]: 0.8 * s.deviation for s in found}
    got = scores(requantize(classifier, factors), samples)
    predicted = sum(s.cost * factors[s.group[0]] ** 2 for s in found)
    assert 0.08 < predicted / float(divergences(reference, got).mean()) < 5


def test_deviation_is_counted_in_steps(classifier: Graph, samples: list[Array],
                                       maps: dict[str, int]) -> None:
    group = next(g for g in groups(classifier) if maps["conv2d_0"] in g)
    fine, = measure(classifier, {group: 1}, samples[:3], {})
    coarse, = measure(requantize(classifier, {group[0]: 2.0}), {group: 1}, samples[:3], {})
    assert fine.deviation / coarse.deviation == pytest.approx(2, rel=0.05)
    assert fine.bits[2] == pytest.approx(coarse.bits[0], abs=0.15)


def test_a_trial_raises_what_was_predicted_too_low_and_nothing_else(classifier: Graph,
                                                                    samples: list[Array]) -> None:
    group = next(g for g in groups(classifier) if len(g) == 1)
    right = measure(classifier, {group: 100}, samples, None)
    reference = scores(classifier, samples)
    for wrong in (1 / 30, 1.0, 30.0):
        guessed = [replace(right[0], cost=right[0].cost * wrong)] * 2
        found, _ = tried(classifier, guessed, [16.0, 4.0], samples, reference)
        before, after = abs(np.log(wrong)), abs(np.log(found.cost / right[0].cost))
        assert after < (max(before - 1, 1.5) if wrong <= 1 else before + 1e-9)
        assert guessed[0].cost <= found.cost <= MOST_WRONG * guessed[0].cost
