# SPDX-License-Identifier: Apache-2.0
"""make_plan and smallest_plan: what fits, what does not, and who is to blame."""

from dataclasses import replace

import pytest
from long_tests import some
from networks import Network, random_network
from replay import replay

from edgefm.errors import BadInput, Infeasible
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.planner import Layout, Storage, Target, analyze, find_plan, make_plan, smallest_plan

SEEDS = range(7)


def network() -> Graph:
    net = Network(name="wide")
    x = net.conv(net.input(1, 24, 32, 4), 8)
    x = net.add(net.conv(net.conv(x, 8), 8), x)
    x = net.conv(net.pool(x), 16)
    return net.graph(net.softmax(net.dense(net.mean(x), 4)))


@pytest.fixture(scope="module")
def layout() -> Layout:
    return analyze(lower(network()))


def test_no_budget_reads_every_weight_once_and_stores_nothing(layout: Layout) -> None:
    plan = make_plan(layout, Target())
    assert plan.external_read_bytes == plan.external_write_bytes == 0
    assert plan.weight_read_bytes == sum(len(op.weights) for op in layout.program.ops)


@pytest.mark.parametrize("seed", some(SEEDS, fast=2))
def test_the_smallest_budget_works_and_one_byte_less_is_refused(seed: int) -> None:
    layout = analyze(lower(random_network(seed)))
    least, operator = smallest_plan(layout, Target())
    for more in (0, 1):
        plan = make_plan(layout, Target(fast_bytes=least.fast_bytes + more))
        assert plan.fast_bytes <= least.fast_bytes + more
    with pytest.raises(Infeasible) as error:
        make_plan(layout, Target(fast_bytes=least.fast_bytes - 1))
    assert error.value.smallest == least.fast_bytes
    assert error.value.operator == operator
    assert f"smallest feasible budget is {least.fast_bytes} bytes, set by" in str(error.value)


@pytest.mark.parametrize("external", [0, 2000, 16 << 20])
@pytest.mark.parametrize("seed", some([0, 4, 6, 8, 9], fast=2))
def test_the_smallest_budget_is_the_smallest_and_all_above_it_work(seed: int,
                                                                   external: int) -> None:
    layout = analyze(lower(random_network(seed)))
    target = Target(external_bytes=external)
    least, _ = smallest_plan(layout, target)
    for part in (0.99, 0.97, 0.94, 0.9, 0.8):
        assert find_plan(layout, replace(target, fast_bytes=int(part * least.fast_bytes))) is None
    for more in (1, 1.01, 1.1, 1.5, 4):
        budget = int(more * least.fast_bytes)
        plan = make_plan(layout, replace(target, fast_bytes=budget))
        assert plan.fast_bytes <= budget and plan.external_bytes <= external
        replay(layout, plan)


@pytest.mark.parametrize("seed", some(SEEDS, fast=2))
def test_external_memory_never_raises_the_smallest_budget(seed: int) -> None:
    layout = analyze(lower(random_network(seed)))
    least = [smallest_plan(layout, Target(external_bytes=external))[0].fast_bytes
             for external in (0, 4000, 16 << 20)]
    assert least == sorted(least, reverse=True)


def test_little_external_memory_is_used_for_the_maps_that_fit_it(layout: Layout) -> None:
    """Maps of 3,072 bytes have room outside one at a time, those of 6,144 never."""
    some, none, _ = (smallest_plan(layout, Target(external_bytes=e))[0] for e in (3072, 0, 1 << 20))
    assert some.maps and some.fast_bytes < none.fast_bytes
    plan = make_plan(layout, Target(fast_bytes=some.fast_bytes, external_bytes=3072))
    assert 0 < plan.external_bytes <= 3072
    replay(layout, plan)


def test_an_error_names_operators_briefly(layout: Layout) -> None:
    ops = tuple(replace(op, name="a/" * 600 + f"{op.name};b") for op in layout.program.ops)
    long = analyze(replace(layout.program, ops=ops))
    for cut in ("auto", "blocks"):
        with pytest.raises(Infeasible) as error:
            make_plan(long, Target(fast_bytes=100), cut=cut)
        assert len(str(error.value)) < 300 and ";b" not in str(error.value)


def test_the_operator_that_sets_the_smallest_budget_is_named(layout: Layout) -> None:
    least, operator = smallest_plan(layout, Target())
    alone = {s.name: s.fast_bytes for s in make_plan(layout, Target(), cut="ops").stages}
    assert alone[operator] == max(alone.values()) >= least.fast_bytes


def test_more_memory_never_moves_more(layout: Layout) -> None:
    least, _ = smallest_plan(layout, Target())
    budgets = range(least.fast_bytes, 40_000, 3000)
    moved = []
    for budget in budgets:
        plan = make_plan(layout, Target(fast_bytes=budget), "maps")
        replay(layout, plan)
        assert plan.fast_bytes <= budget
        moved.append(plan.external_read_bytes + plan.external_write_bytes)
    assert moved[0] == max(moved) > 0
    assert moved[-1] == min(moved) == 0


def test_small_budgets_are_searched_as_finely_as_large_ones() -> None:
    layout = analyze(lower(random_network(12)))
    plans = [make_plan(layout, Target(fast_bytes=budget)) for budget in (780, 795)]
    assert not any(plan.external_read_bytes for plan in plans)
    assert plans[1].weight_read_bytes <= plans[0].weight_read_bytes == 966


def test_each_objective_wins_by_its_own_measure(layout: Layout) -> None:
    target = Target(fast_bytes=6000)
    maps, cost = make_plan(layout, target, "maps"), make_plan(layout, target, "cost")
    moved = {p.objective: p.external_read_bytes + p.external_write_bytes for p in (maps, cost)}
    assert moved["maps"] <= moved["cost"]
    assert (moved["cost"] + cost.weight_read_bytes) <= (moved["maps"] + maps.weight_read_bytes)
    assert moved["maps"] < moved["cost"]


@pytest.mark.parametrize("seed", SEEDS)
def test_without_external_memory_a_plan_is_all_fast_or_refused(seed: int) -> None:
    layout = analyze(lower(random_network(seed)))
    least, _ = smallest_plan(layout, Target())
    alone = Target(external_bytes=0)
    assert make_plan(layout, alone).external_bytes == 0
    tight = replace(alone, fast_bytes=least.fast_bytes)
    try:
        plan = make_plan(layout, tight)
    except Infeasible as error:
        assert "and 0 of external memory are too few" in str(error)
        plan = make_plan(layout, replace(alone, fast_bytes=error.smallest))
    assert plan.external_bytes == 0 and not plan.maps
    replay(layout, plan)


def test_cut_ops_stores_every_map_that_crosses(layout: Layout) -> None:
    plan = make_plan(layout, Target(), cut="ops")
    crossing = {s for c in layout.cuts for s in layout.crossing(c)}
    assert {m.stream for m in plan.maps} == crossing
    assert len(plan.stages) == len(layout.cuts) - 1
    replay(layout, plan)


def test_cut_blocks_stores_one_map_per_block(layout: Layout) -> None:
    plan = make_plan(layout, Target(), cut="blocks")
    assert 1 < len(plan.stages) < len(layout.cuts) - 1
    assert len(plan.maps) == len(plan.stages) - 1
    replay(layout, plan)


def test_cut_names_end_stages_there(layout: Layout) -> None:
    names = ["t3", "t10"]
    plan = make_plan(layout, Target(), cut=",".join(names))
    assert [m.name for m in plan.maps] == names
    assert len(plan.stages) == 3
    replay(layout, plan)


def test_a_cut_that_names_nothing_is_one_clear_line(layout: Layout) -> None:
    with pytest.raises(BadInput, match=r"wide: --cut names 'nothing', which no operator makes"):
        make_plan(layout, Target(), cut="t3,nothing")


def test_a_fixed_cut_that_does_not_fit_says_what_it_needs(layout: Layout) -> None:
    whole = make_plan(layout, Target(), cut="blocks")
    assert make_plan(layout, Target(fast_bytes=whole.fast_bytes), cut="blocks") == whole
    with pytest.raises(Infeasible, match=f"needs {whole.fast_bytes} bytes of fast memory") as error:
        make_plan(layout, Target(fast_bytes=whole.fast_bytes - 1), cut="blocks")
    assert error.value.smallest == whole.fast_bytes


def test_an_unknown_objective_lists_the_known_ones(layout: Layout) -> None:
    with pytest.raises(BadInput, match="objective 'speed': expected one of cost, maps"):
        make_plan(layout, Target(), "speed")


def test_planning_is_the_same_every_time(layout: Layout) -> None:
    target = Target(fast_bytes=7000)
    assert make_plan(layout, target) == make_plan(layout, target)


@pytest.mark.parametrize("state", [0, 200, 1500])
@pytest.mark.parametrize("budget", [4000, 6000, 9000])
def test_a_codecs_state_never_drives_more_maps_out_than_coding_saves(layout: Layout, budget: int,
                                                                     state: int) -> None:
    target = Target(fast_bytes=budget)
    coding = Storage(lambda stream: "context", lambda codec, stream: state)
    raw, coded = (make_plan(layout, target, "maps", storage=s) for s in (Storage(), coding))
    moved = [p.external_read_bytes + p.external_write_bytes for p in (raw, coded)]
    assert coded.fast_bytes <= budget
    replay(layout, coded)
    whole = sum(m.codec != "raw" for m in coded.maps) == len(coded.maps)
    assert moved[1] <= moved[0] or (whole and moved[1] * 0.6 <= moved[0])
    if state == 0:
        assert all(m.codec == "context" for m in coded.maps)


@pytest.fixture(scope="module")
def chain() -> Layout:
    """Maps of three sizes, so that a codec's state can cost more than a small one."""
    net = Network(name="chain")
    x = net.input(1, 32, 32, 4)
    for k in range(3):
        x = net.conv(net.conv(x, 16, kernel=1), 8, kernel=5)
        x = net.pool(x) if k == 1 else x
    return analyze(lower(net.graph(net.mean(x))))


def test_some_maps_are_coded_where_not_every_codec_state_fits(chain: Layout) -> None:
    coding = Storage(lambda stream: "context", lambda codec, stream: 500)
    plan = make_plan(chain, Target(fast_bytes=5500), "maps", storage=coding)
    assert {m.codec for m in plan.maps} == {"raw", "context"} and plan.fast_bytes <= 5500
    replay(chain, plan)


@pytest.mark.parametrize(("share", "codecs"), [(1.0, ["raw"]), (0.6, ["raw"]), (0.4, ["context"])])
def test_the_share_expected_to_cross_decides_between_plans(chain: Layout, share: float,
                                                           codecs: list[str]) -> None:
    coding = Storage(lambda stream: "context", lambda codec, stream: 900, share=share)
    plan = make_plan(chain, Target(fast_bytes=7500), "maps", storage=coding)
    assert [m.codec for m in plan.maps] == codecs


@pytest.mark.parametrize("objective", ["maps", "bytes"])
def test_every_objective_has_the_same_smallest_memory(objective: str) -> None:
    layout = analyze(lower(random_network(52519)))
    least, _ = smallest_plan(layout, Target())
    assert smallest_plan(layout, Target(), objective)[0].fast_bytes == least.fast_bytes
    plan = make_plan(layout, Target(fast_bytes=least.fast_bytes), objective)
    assert plan.fast_bytes <= least.fast_bytes


def test_of_equal_prices_the_plan_with_fewer_firings_is_taken() -> None:
    net = Network(1)
    x = net.conv(net.input(1, 16, 16, 4), 12, 1)
    for _ in range(4):
        x = net.conv(net.depthwise(x), 12, 1)
    plan = make_plan(analyze(lower(net.graph(x))), Target(fast_bytes=6000))
    assert plan.external_read_bytes == 0
    assert (len(plan.stages), len(plan.firings)) == (6, 20)
