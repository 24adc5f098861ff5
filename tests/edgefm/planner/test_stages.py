# SPDX-License-Identifier: Apache-2.0
"""What one stage costs: what crosses its ends, its rings, its scratch, its weights."""

import pytest
from networks import Network

from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.program import Op, OpKind
from edgefm.planner import Layout, Target, analyze
from edgefm.planner.stages import Stage, boundary_of, evaluate, round_up, scratch_bytes

ROW = 64 * 8  # bytes of every row below
ROWS = 12


def residual() -> Graph:
    """INPUT conv_a conv_b conv_c add OUTPUT; add reads conv_a's map again."""
    net = Network()
    a = net.conv(net.input(1, ROWS, 64, 8), 8)
    return net.graph(net.add(net.conv(net.conv(a, 8), 8), a))


@pytest.fixture(scope="module")
def layout() -> Layout:
    return analyze(lower(residual()))


def names(layout: Layout, streams: tuple[int, ...]) -> list[str]:
    return [layout.program.streams[s].name for s in streams]


def test_a_stage_loads_what_came_before_and_stores_what_is_read_later(layout: Layout) -> None:
    boundary = boundary_of(layout, 2, 4)
    assert names(layout, boundary.loads) == ["t3"]
    assert names(layout, boundary.stores) == ["t9"]
    boundary = boundary_of(layout, 1, 3)
    assert names(layout, boundary.loads) == ["t0"]
    assert names(layout, boundary.stores) == ["t3", "t6"]


def test_the_whole_network_crosses_nothing(layout: Layout) -> None:
    boundary = boundary_of(layout, 0, len(layout.program.ops))
    assert boundary.loads == boundary.stores == ()


def test_rings_are_heights_times_row_bytes(layout: Layout) -> None:
    cost = evaluate(layout, Stage(0, 6, ROWS), Target())
    by_name = {layout.program.streams[g].name: size for g, size in cost.rings.items()}
    assert by_name == {"t0": 3 * ROW, "t3": 3 * ROW, "t6": 3 * ROW, "t9": ROW, "t10": ROW}
    assert cost.live == {}


def test_a_loaded_ring_has_room_for_the_row_that_is_read_ahead(layout: Layout) -> None:
    ahead = evaluate(layout, Stage(2, 4, ROWS), Target(buffers=2))
    behind = evaluate(layout, Stage(2, 4, ROWS), Target())
    grown = {layout.program.streams[g].name: ahead.rings[g] - behind.rings[g] for g in ahead.rings}
    assert grown == {"t3": ROW, "t6": 0, "t9": ROW}


def test_rings_at_the_port_have_aligned_rows() -> None:
    net = Network()
    x = net.conv(net.input(1, ROWS, 61, 7), 7)
    layout = analyze(lower(net.graph(net.conv(x, 7))))
    cost = evaluate(layout, Stage(2, 4, ROWS), Target(alignment=16))
    (loaded,) = boundary_of(layout, 2, 4).loads
    assert cost.rings[layout.group[loaded]] == 3 * round_up(61 * 7, 16)


def test_a_crossing_map_is_consumed_row_by_row(layout: Layout) -> None:
    cost = evaluate(layout, Stage(2, 4, ROWS), Target())
    by_name = {layout.program.streams[g].name: rows for g, rows in cost.live.items()}
    assert set(by_name) == {"t3", "t9"}
    assert by_name["t3"][0] == ROWS * ROW and by_name["t3"][-1] <= 2 * ROW
    assert by_name["t9"][0] == 0 and by_name["t9"][-1] == ROWS * ROW
    assert all(a >= b for a, b in zip(by_name["t3"], by_name["t3"][1:], strict=False))


def test_weights_are_paid_for_every_firing(layout: Layout) -> None:
    op = layout.program.ops[1]
    section = len(op.weights)
    assert op.kind == OpKind.CONV and section > 0
    assert evaluate(layout, Stage(1, 2, ROWS), Target()).weight_bytes == ROWS * section
    assert evaluate(layout, Stage(1, 2, 3), Target()).weight_bytes == 3 * section
    assert evaluate(layout, Stage(1, 2, 1), Target()).weight_bytes == section


def test_fewer_strips_need_larger_rings(layout: Layout) -> None:
    sizes = [sum(evaluate(layout, Stage(1, 4, strips), Target()).rings.values())
             for strips in (ROWS, 4, 1)]
    assert sizes == sorted(sizes) and sizes[0] < sizes[-1]


def test_passing_scratch_is_shared_and_states_add_up(layout: Layout) -> None:
    def op(scratch: int, accumulates: bool = False) -> Op:
        return Op(OpKind.CONV, "", (), (), scratch=scratch, accumulates=accumulates)

    program = layout.program
    assert scratch_bytes(program, []) == 0
    assert scratch_bytes(program, [op(10), op(30), op(4)]) == 32
    assert scratch_bytes(program, [op(10), op(30, True), op(4, True)]) == 16 + 32 + 8


@pytest.mark.parametrize(("count", "multiple", "rounded"), [(0, 8, 0), (1, 8, 8), (8, 8, 8),
                                                            (9, 8, 16), (5, 3, 6)])
def test_rounding_up(count: int, multiple: int, rounded: int) -> None:
    assert round_up(count, multiple) == rounded
