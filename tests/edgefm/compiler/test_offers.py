# SPDX-License-Identifier: Apache-2.0
"""What an error offers where nothing fits: it works when it is done."""

import re

import pytest
from networks import Network

from edgefm.compiler.map_storage import storage_for
from edgefm.compiler.offers import plan_or_offers
from edgefm.errors import Infeasible
from edgefm.lower import lower
from edgefm.planner import Layout, Target, analyze, find_plan, smallest_plan


@pytest.fixture(scope="module")
def layout() -> Layout:
    """Four blocks whose maps of 12,288 bytes are small only when they are coded."""
    net = Network(8, name="blocks")
    x = net.conv(net.input(1, 96, 16, 3), 8)
    for _ in range(4):
        x = net.conv(net.depthwise(net.conv(x, 64, kernel=1)), 8, kernel=1)
    x = net.conv(x, 16, stride=2)
    return analyze(lower(net.graph(net.dense(net.mean(x), 4))))


def refusal(layout: Layout, target: Target) -> str:
    storage = storage_for(layout.program, "raw")
    with pytest.raises(Infeasible) as error:
        plan_or_offers(layout, target, "cost", "auto", storage)
    return str(error.value)


def test_external_memory_is_offered_where_it_suffices(layout: Layout) -> None:
    least, _ = smallest_plan(layout, Target(external_bytes=0))
    told = refusal(layout, Target(fast_bytes=least.fast_bytes - 1, external_bytes=0))
    assert f"smallest feasible budget is {least.fast_bytes} bytes" in told
    offered = re.search(r"suffice with --external (\d+)", told)
    assert offered and find_plan(layout, Target(fast_bytes=least.fast_bytes - 1,
                                                external_bytes=int(offered[1])))


def test_nothing_is_offered_that_does_not_help(layout: Layout) -> None:
    assert "suffice" not in refusal(layout, Target(fast_bytes=300, external_bytes=0))
    least, _ = smallest_plan(layout, Target())
    assert "suffice" not in refusal(layout, Target(fast_bytes=least.fast_bytes - 1))
