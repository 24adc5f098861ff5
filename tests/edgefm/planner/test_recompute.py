# SPDX-License-Identifier: Apache-2.0
"""Column tiles are chosen where nothing else fits: those with the fewest multiply-adds."""

import pytest

from edgefm.compiler.load import Model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled, compile_loaded
from edgefm.errors import BadInput, Infeasible
from edgefm.evaluate.diff import random_inputs
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.ops import run_graph
from edgefm.planner import Layout, Storage, Target, analyze, smallest_plan
from edgefm.planner.columns import macs_in_columns
from edgefm.planner.recompute import in_tiles, tiling_for
from edgefm.runtime import Runtime
from tests.support.networks import Network

NOTHING_OUTSIDE = Target().with_budget(1 << 30, 0)


def plain(layout: Layout) -> Storage:
    return Storage()


def wide() -> Graph:
    """A network whose first rows are wide and whose maps become small early."""
    net = Network(5, name="wide")
    x = net.conv(net.input(1, 64, 96, 3), 8, stride=2, activation="relu6")
    x = net.depthwise(net.conv(x, 32, kernel=1, activation="relu6"), stride=2, activation="relu6")
    x = net.depthwise(net.conv(x, 8, kernel=1), stride=2, activation="relu6")
    x = net.conv(net.depthwise(x, kernel=5, stride=2), 8, kernel=1)
    return net.graph(net.dense(net.flat(x), 4))


def needed(graph: Graph) -> int:
    return smallest_plan(analyze(lower(graph)), NOTHING_OUTSIDE)[0].fast_bytes


def compiled(graph: Graph, fast: int, **options: object) -> Compiled:
    return compile_loaded(Model(graph, graph, None, ""),
                          CompileOptions(fast=fast, external=0, **options))  # type: ignore[arg-type]


def test_the_fewest_multiply_adds_that_fit_are_chosen() -> None:
    layout = analyze(lower(wide()))
    least = needed(wide())
    found = [tiling_for(layout, NOTHING_OUTSIDE.with_budget(int(part * least), 0), "cost", 3.0,
                        plain) for part in (0.8, 0.7)]
    macs = [macs_in_columns(layout.program, tiling) for tiling in found if tiling]
    assert len(macs) == 2 and macs[0] < macs[1]
    for tiling, part in zip(found, (0.8, 0.7), strict=True):
        assert tiling is not None
        plan, _ = smallest_plan(in_tiles(layout, tiling), NOTHING_OUTSIDE)
        assert plan.fast_bytes <= part * least


def test_no_more_multiply_adds_are_made_than_allowed() -> None:
    layout = analyze(lower(wide()))
    tight = NOTHING_OUTSIDE.with_budget(int(0.7 * needed(wide())), 0)
    assert tiling_for(layout, tight, "cost", 1.001, plain) is None


def test_a_network_compiles_into_less_memory_than_its_rows_take() -> None:
    graph = wide()
    fast = int(0.8 * needed(graph))
    with pytest.raises(Infeasible):
        compiled(graph, fast)
    made = compiled(graph, fast, recompute=1.5)
    assert made.plan.fast_bytes <= fast
    assert made.plan.macs <= 1.5 * sum(op.macs for op in lower(graph).ops)
    inputs = random_inputs(graph, 1)
    with Runtime(made.package) as runtime:
        result = runtime.run(inputs)
    assert (result.outputs[0] == run_graph(graph, inputs)[graph.outputs[0]]).all()
    assert result.counters.weight_read_bytes == made.plan.weight_read_bytes
    assert result.counters.input_read_bytes == made.plan.input_read_bytes > inputs[0].nbytes


def test_plans_that_fit_have_no_tiles() -> None:
    graph = wide()
    fast = needed(graph)
    assert compiled(graph, fast, recompute=2.0).package == compiled(graph, fast).package


@pytest.mark.parametrize("times", [0.5, 17.0, float("nan")])
def test_times_out_of_range_are_refused(times: float) -> None:
    with pytest.raises(BadInput, match="--recompute .*; expected 1 to 16"):
        compiled(wide(), 1 << 20, recompute=times)


def test_recompute_with_fixed_cuts_is_refused() -> None:
    with pytest.raises(BadInput, match="--recompute with --cut"):
        compiled(wide(), 1 << 20, recompute=1.5, cut="ops")
