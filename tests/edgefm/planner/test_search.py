# SPDX-License-Identifier: Apache-2.0
"""Where the search cuts, and what it keeps in fast memory."""

from dataclasses import replace

import pytest
from networks import Network

from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.planner import Layout, Target, analyze
from edgefm.planner.search import Search, block_cuts, named_cuts


def hourglass() -> Graph:
    """Wide, narrow, wide: maps of 8192, 8192, 512, 8192 bytes."""
    net = Network()
    x = net.conv(net.input(1, 32, 32, 4), 8)
    x = net.conv(x, 8)
    x = net.conv(net.pool(x), 2, 1)
    return net.graph(net.conv(net.resize(x, 32, 32), 8))


@pytest.fixture(scope="module")
def layout() -> Layout:
    return analyze(lower(hourglass()))


def test_without_a_limit_one_stage_or_fast_maps_move_nothing(layout: Layout) -> None:
    choice = Search(layout, Target(), "maps").best(None, "external")
    assert choice is not None
    assert choice.price[0] == 0


def test_a_chain_of_stages_covers_every_operator_once(layout: Layout) -> None:
    search = Search(layout, Target(), "cost")
    for budget in (3000, 5000, 9000, 20000, None):
        choice = search.best(budget, "external")
        assert choice is not None
        ends = [0, *(s.last for s in choice.stages)]
        assert [s.first for s in choice.stages] == ends[:-1]
        assert ends[-1] == len(layout.program.ops)


def test_less_memory_never_costs_less(layout: Layout) -> None:
    for objective in ("cost", "maps"):
        search = Search(layout, Target(), objective)
        choices = [search.best(budget, "external") for budget in (3000, 4000, 6000, 9000, 20000)]
        prices = [c.price for c in choices if c is not None]
        assert prices == sorted(prices, reverse=True)
        assert prices[0] > prices[-1]


def test_nothing_fits_a_budget_below_every_ring(layout: Layout) -> None:
    assert Search(layout, Target(), "cost").best(64, "external") is None


def test_without_external_memory_all_boundary_maps_are_fast(layout: Layout) -> None:
    search = Search(layout, Target(), "maps")
    for budget in (3000, 9000, 60000):
        choice = search.best(budget, "nowhere")
        if choice is not None:
            live = [search.live(s.last) for s in choice.stages]
            assert all(groups <= choice.fast for groups in live)


def test_maps_objective_moves_least_and_cost_pays_least(layout: Layout) -> None:
    """With little memory, keeping maps inside means reading weights again for every row."""
    maps = Search(layout, Target(), "maps").best(4000, "external")
    cost = Search(layout, Target(), "cost").best(4000, "external")
    assert maps is not None and cost is not None
    moved, weights = maps.price
    paid, also_moved = cost.price
    assert moved <= also_moved
    assert paid <= moved + weights


def test_expensive_external_memory_is_avoided_where_it_can_be(layout: Layout) -> None:
    def moved(external_cost: float) -> float:
        target = replace(Target(), external_cost=external_cost)
        choice = Search(layout, target, "cost").best(6000, "external")
        assert choice is not None
        return choice.price[1]

    assert moved(1000.0) <= moved(0.001)
    assert moved(0.001) > 0


def test_blocks_are_cut_where_one_narrow_map_is_live(layout: Layout) -> None:
    sizes = []
    for cut in block_cuts(layout):
        (live,) = layout.crossing(cut)
        sizes.append(layout.program.streams[live].map_bytes)
    assert 512 in sizes
    assert 8192 not in sizes


def test_no_block_is_cut_inside_a_residual() -> None:
    net = Network()
    a = net.conv(net.input(1, 16, 16, 4), 4)
    y = net.conv(net.add(net.conv(net.conv(a, 4), 4), a), 4)
    layout = analyze(lower(net.graph(y)))
    assert all(len(layout.crossing(c)) == 1 for c in block_cuts(layout))


def test_named_cuts_come_right_after_the_tensor_is_made(layout: Layout) -> None:
    (cut,) = named_cuts(layout, ["t3"])
    assert layout.program.ops[cut - 1].name == "conv2d_0"
    assert named_cuts(layout, ["t6", "t3"]) == tuple(sorted(named_cuts(layout, ["t3", "t6"])))
    with pytest.raises(KeyError, match="nowhere"):
        named_cuts(layout, ["nowhere"])
