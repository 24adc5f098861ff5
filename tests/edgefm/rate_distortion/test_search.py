# SPDX-License-Identifier: Apache-2.0
"""Weights, maps, or both under one budget."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.rate_distortion import Budget, How, coarsen
from edgefm.rate_distortion.divergence import divergences, package_of, scores
from edgefm.rate_distortion.weights.bits import bits_per_weight

LINE = "got 'none', expected one of maps, weights, both"


def changed(before: Graph, after: Graph) -> tuple[int, int]:
    """How many maps, and how many weights, have other steps."""
    pairs = [(a, b) for a, b in zip(before.tensors, after.tensors, strict=False)
             if a.quant != b.quant and a.dtype == "int8"]
    return sum(a.data is None for a, _ in pairs), sum(a.data is not None for a, _ in pairs)


def stored(graph: Graph) -> dict[int, int]:
    return {t: int(np.prod(graph.tensors[t].shape)) for node in graph.nodes[:-2]
            for t in node.outputs}


@pytest.mark.parametrize("what", ["weights", "both"])
def test_the_budget_is_kept_and_measured(classifier: Graph, samples: list[Array],
                                         what: str) -> None:
    coarse, rate = coarsen(classifier, stored(classifier), samples, Budget(kl=0.02),
                           How(coarsened=what), package_of)
    held = samples[::3]
    lost = divergences(scores(classifier, held), scores(coarse, held))
    assert rate.images == len(held) and rate.kl == pytest.approx(lost.mean()) and rate.kl <= 0.02
    assert rate.weight_bits == bits_per_weight(coarse) < bits_per_weight(classifier)
    maps, weights = changed(classifier, coarse)
    assert weights > 0 and (maps > 0) == (what == "both") == bool(rate.steps)


def test_more_loss_takes_fewer_bits(classifier: Graph, samples: list[Array]) -> None:
    bits = [coarsen(classifier, {}, samples, Budget(kl=kl), How(coarsened="weights"),
                    package_of)[1].weight_bits or 0 for kl in (0.0002, 0.0008, 0.3)]
    assert bits == sorted(bits, reverse=True) and len(set(bits)) == 3


def test_without_a_word_weights_stay(classifier: Graph, samples: list[Array]) -> None:
    coarse, rate = coarsen(classifier, stored(classifier), samples, Budget(kl=0.02),
                           How(transform="none"), package_of)
    assert changed(classifier, coarse)[1] == 0 and rate.weight_bits is None


def test_words_that_do_not_go_together_are_refused() -> None:
    with pytest.raises(BadInput, match=LINE):
        How(coarsened="none")
    with pytest.raises(BadInput, match="deviation"):
        How(rule="deviation", coarsened="both")
