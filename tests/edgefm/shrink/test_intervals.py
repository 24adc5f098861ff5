# SPDX-License-Identifier: Apache-2.0
"""No value of any map ever leaves its bounds."""

import numpy as np
import pytest
from networks import Network, random_network

from edgefm.evaluate.diff import random_inputs
from edgefm.network.graph import Graph
from edgefm.ops import run_graph
from edgefm.shrink.intervals import intervals


def check(graph: Graph, seeds: int = 3) -> None:
    bounds = intervals(graph)
    for seed in range(seeds):
        values = run_graph(graph, random_inputs(graph, seed))
        for t, bound in bounds.items():
            found = values[t].astype(np.int64).reshape(-1, bound.low.size)
            assert (found.min(axis=0) >= bound.low).all(), graph.tensors[t].name
            assert (found.max(axis=0) <= bound.high).all(), graph.tensors[t].name


@pytest.mark.parametrize("seed", range(40))
def test_bounds_hold_in_networks_drawn_at_random(seed: int) -> None:
    check(random_network(seed))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_bounds_hold_for_extreme_inputs(dtype: str) -> None:
    net = Network(4, dtype)
    x = net.input(1, 5, 6, 3)
    graph = net.graph(net.add(net.depthwise(x), x, activation="relu"), net.conv(x, 4))
    limits = np.iinfo(dtype)
    bounds = intervals(graph)
    for value in (limits.min, limits.max):
        values = run_graph(graph, [np.full((1, 5, 6, 3), value, dtype)])
        for t, bound in bounds.items():
            found = values[t].astype(np.int64).reshape(-1, bound.low.size)
            assert ((found >= bound.low) & (found <= bound.high)).all()
