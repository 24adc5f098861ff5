# SPDX-License-Identifier: Apache-2.0
"""Caps out of row lengths and a budget: what they promise, and that none is left unused."""

import numpy as np
import pytest
from networks import Network
from packages import Built, capped

from edgefm.codecs import CODECS
from edgefm.codecs.shift import HEAD_BYTES
from edgefm.compiler.caps import DEPTH_ROWS, Capping, shared_out, usual_cap, with_caps
from edgefm.compiler.deployed import Deployed
from edgefm.errors import BadInput
from edgefm.network.graph import Graph
from edgefm.package.write import CodedMap
from edgefm.planner import Plan, Target
from edgefm.runtime.coder import code_map

TARGET = Target(alignment=4, buffers=2, burst=16)


@pytest.fixture(scope="module")
def graph() -> Graph:
    """Two maps of 24 rows and one that ends the network."""
    net = Network(3)
    x = net.conv(net.input(1, 24, 12, 3), 8)
    return net.graph(net.conv(net.conv(x, 6, kernel=1), 4))


@pytest.fixture(scope="module")
def samples() -> list[np.ndarray]:
    random = np.random.default_rng(4)
    return [(random.integers(-9, 9, (1, 24, 12, 3)) * (1 + i)).astype(np.int8) for i in range(5)]


@pytest.fixture(scope="module")
def built(graph: Graph) -> Built:
    return capped(graph, TARGET, Capping([], TARGET, None).loose, "zvc")


def test_a_cap_is_set_by_the_usual_picture() -> None:
    cap = usual_cap([[10, 20], [15, 15], [90, 110]])
    assert (cap.per_row, cap.depth) == (16, DEPTH_ROWS * 16)
    assert usual_cap([[10, 20]], 2).depth == 32


def usual_of(built: Built, samples: list[np.ndarray], budget: int | None = 1 << 20
             ) -> tuple[Capping, Plan]:
    capping = Capping(samples, TARGET, budget)
    coded = {i: CodedMap(CODECS["zvc"].id, b"") for i, _ in enumerate(built.plan.maps)}
    return capping, capping.usual(Deployed(built.graph, built.layout, built.plan, coded))


def test_usual_caps_count_whole_transfers(built: Built, samples: list[np.ndarray]) -> None:
    _, usual = usual_of(built, samples)
    assert usual.maps and all(m.cap and m.cap != old.cap and m.cap.depth == m.cap.per_row * 3
                              for m, old in zip(usual.maps, built.plan.maps, strict=True))
    rows = np.full((24, 12, 8), 3, np.int8)
    length = len(code_map(CODECS["zvc"].id, b"", 0, rows).rows[0])
    cap = Capping([], TARGET, None)._usual([[length] * 24], 24)
    assert cap.per_row == TARGET.transfer_bytes(length + HEAD_BYTES)


@pytest.mark.parametrize("share", [0.2, 0.5, 0.9, 1.5])
def test_the_widest_caps_use_the_budget_up_and_no_more(
        built: Built, samples: list[np.ndarray], share: float) -> None:
    most = with_caps(built.plan, {}).most_map_bytes
    capping, usual = usual_of(built, samples, int(share * most))
    plan = capping.widest(usual)
    assert plan.most_map_bytes <= min(share * most, most)
    assert plan.most_map_bytes > 0.9 * min(share * most, most)


def test_a_budget_that_no_cap_keeps_is_refused(built: Built, samples: list[np.ndarray]) -> None:
    capping, usual = usual_of(built, samples, 100)
    with pytest.raises(BadInput, match="the budget is 100"):
        capping.widest(usual)


def test_without_a_budget_caps_stay_as_they_are(built: Built, samples: list[np.ndarray]) -> None:
    capping, usual = usual_of(built, samples, None)
    assert usual is built.plan and capping.widest(usual) is built.plan


def test_files_that_set_caps_are_not_judged_by(samples: list[np.ndarray]) -> None:
    own, others = shared_out(samples)
    assert len(own) == 2 and len(others) == 3
    assert not {id(x) for x in own} & {id(x) for x in others}
    with pytest.raises(BadInput, match="4 at least"):
        shared_out(samples[:3])
