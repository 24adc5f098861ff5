# SPDX-License-Identifier: Apache-2.0
"""Column tiles give the bits of the operators, for any geometry, and read what the plan says."""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest

from edgefm.errors import BadContainer, RuntimeFault
from edgefm.evaluate.diff import random_inputs
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.network.program import OpKind
from edgefm.ops import run_graph
from edgefm.package.container import read_header, seal
from edgefm.package.outline import read_outline
from edgefm.package.records import OPERATOR, Section
from edgefm.package.write import Description, write_package
from edgefm.planner import Layout, Plan, Target, analyze, smallest_plan
from edgefm.planner.build import build_plan
from edgefm.planner.columns import Tiling, in_columns, macs_in_columns, tileable
from edgefm.planner.search import Choice
from edgefm.planner.stages import Stage
from edgefm.runtime import Runtime
from tests.golden import edit
from tests.support.networks import Network, random_network
from tests.support.replay import replay

COUNTED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes", "input_read_bytes",
           "output_write_bytes")
INSIDE = Target().with_budget(1 << 30, 0)


def residual(seed: int) -> Graph:
    """Blocks with sums, kernels of 3 and 5, strides and dilations, on sizes that nothing divides,
    and a classifier behind them."""
    random = np.random.default_rng(seed)
    net = Network(seed, str(random.choice(("int8", "uint8"))))
    height, width = (int(n) for n in random.integers((9, 11), (24, 37)))
    x = net.conv(net.input(1, height, width, int(random.integers(1, 4))), 4,
                 kernel=int(random.choice((3, 5))), stride=int(random.integers(1, 3)),
                 activation="relu6")
    for _ in range(2):
        y = net.conv(x, int(random.integers(3, 12)), kernel=1)
        stride = int(random.integers(1, 3))
        y = net.depthwise(y, kernel=int(random.choice((3, 5))), stride=stride)
        y = net.conv(y, net.shape(x)[3], kernel=1)
        x = y if stride > 1 else net.add(x, y)
    return net.graph(net.softmax(net.dense(net.flat(net.pool(x)), 5)), x)


def branches(seed: int) -> Graph:
    """Several readers of one map, which need other columns of it each, and pools."""
    net = Network(seed, "int8")
    a = net.conv(net.input(1, 13, 17, 2), 3)
    wide = net.conv(a, 3, kernel=3, dilation=2)
    x = net.add(net.conv(a, 3, kernel=5), net.relu(net.add(wide, a)))
    return net.graph(net.conv(net.pool(x, "average_pool", 3, 2), 4, kernel=1))


def tiled(graph: Graph, tiling: Tiling) -> Layout:
    return analyze(in_columns(lower(graph), tiling))


def by_hand(layout: Layout) -> Plan:
    """Each tile a stage, row by row, every map between stages in fast memory."""
    ends = [0, *(c for c in layout.cuts[1:-1] if layout.program.ops[c].kind == OpKind.AGAIN),
            len(layout.program.ops)]
    stages = tuple(Stage(a, b, max(layout.rows[a:b])) for a, b in pairwise(ends))
    fast = frozenset(layout.group)
    return build_plan(layout, Choice(stages, fast, (0.0, 0.0)), INSIDE, "cost")


def agrees(graph: Graph, layout: Layout, plan: Plan) -> None:
    package = write_package(graph, layout.program, plan, {}, Description(""))
    inputs = random_inputs(graph, 1)
    with Runtime(package) as runtime:
        result = runtime.run(inputs)
    expected = run_graph(graph, inputs)
    for t, got in zip(graph.outputs, result.outputs, strict=True):
        np.testing.assert_array_equal(got, expected[t])
    assert {name: getattr(result.counters, name) for name in COUNTED} == {
        name: getattr(plan, name) for name in COUNTED}


def views(seed: int) -> Graph:
    """An input that gets another name, then another scale, before the first window."""
    net = Network(seed, "int8")
    x = net.input(1, 11, 14, 3)
    x = net.alike(net.relu(net.alike(x, x)), net.conv(x, 2))
    return net.graph(net.conv(net.conv(x, 4, kernel=5, stride=2), 2, kernel=1))


@pytest.mark.parametrize("make", [residual, branches, views])
@pytest.mark.parametrize("seed", range(6))
def test_tiles_give_the_bits_of_the_operators(make: Callable[[int], Graph], seed: int) -> None:
    graph = make(seed)
    program = lower(graph)
    for count in tileable(program):
        width = program.streams[program.ops[count - 1].outputs[0]].width
        for tiles in {2, 3, width}:
            layout = tiled(graph, Tiling(count, min(tiles, width, 15)))
            plan = by_hand(layout)
            assert replay(layout, plan) <= plan.fast_bytes
            agrees(graph, layout, plan)


@pytest.mark.parametrize("seed", range(30))
def test_tiles_of_any_network_give_its_bits(seed: int) -> None:
    graph = random_network(seed)
    program = lower(graph)
    for count in tileable(program)[-1:]:
        if program.streams[program.ops[count - 1].outputs[0]].width > 1:
            layout = tiled(graph, Tiling(count, 2))
            plan = by_hand(layout)
            assert replay(layout, plan) <= plan.fast_bytes
            agrees(graph, layout, plan)


def test_multiply_adds_are_those_of_the_tiled_program_and_more() -> None:
    program = lower(residual(3))
    for count in tileable(program):
        tiling = Tiling(count, 2)
        made = sum(op.macs for op in in_columns(program, tiling).ops)
        assert made == macs_in_columns(program, tiling) >= sum(op.macs for op in program.ops)


def test_weights_of_tiles_are_in_the_package_once() -> None:
    graph = residual(2)
    sizes = []
    for tiles in (2, 3):
        layout = tiled(graph, Tiling(tileable(lower(graph))[-1], tiles))
        plan, _ = smallest_plan(layout, INSIDE)
        package = write_package(graph, layout.program, plan, {}, Description(""))
        with Runtime(package) as runtime:
            sizes.append(next(s.bytes for s in runtime.info.sections if s.name == "weights"))
    assert sizes[0] == sizes[1]


def test_rows_of_the_input_are_pulled_once_per_tile_in_order() -> None:
    graph = residual(1)
    layout = tiled(graph, Tiling(tileable(lower(graph))[-1], 2))
    plan, _ = smallest_plan(layout, INSIDE)
    assert sum(op.kind == OpKind.AGAIN for op in plan.ops) == 1
    package = write_package(graph, layout.program, plan, {}, Description(""))
    outline = read_outline(lambda at, count: package[at:at + count], len(package), "net")
    data = random_inputs(graph, 1)[0]
    assert outline.stream([data]) == 2 * data.tobytes()
    assert plan.input_read_bytes == 2 * data.nbytes


def small() -> tuple[Graph, bytes]:
    graph = branches(0)
    layout = tiled(graph, Tiling(tileable(lower(graph))[-1], 2))
    return graph, write_package(graph, layout.program, by_hand(layout), {}, Description(""))


def first(package: bytes, kind: OpKind) -> tuple[int, tuple[int, ...]]:
    """Number and record of the first operator of a kind."""
    rows = list(OPERATOR.iter_unpack(edit.table(package)[Section.OPERATORS][1]))
    return next((i, row) for i, row in enumerate(rows) if row[0] == kind)


def status_of(package: bytes, inputs: list[Array]) -> str:
    try:
        with Runtime(package) as runtime:
            runtime.run(inputs)
    except (BadContainer, RuntimeFault) as error:
        return str(error)
    return "EFM_OK"


@pytest.mark.parametrize("kind, offset, value", [
    (OpKind.AGAIN, 36, 1), (OpKind.AGAIN, 36, 2**32 - 1), (OpKind.AGAIN, 32, 12),
    (OpKind.AGAIN, 1, 1), (OpKind.COLUMNS, 32, 12), (OpKind.COLUMNS, 12, 0)])
def test_forged_operators_are_refused(kind: OpKind, offset: int, value: int) -> None:
    graph, package = small()
    index, _ = first(package, kind)
    how = "B" if offset == 1 else "I"
    forged = edit.record(Section.OPERATORS, index, offset, how, value)(package)
    assert "EFM_BAD_OPERATOR" in status_of(forged, random_inputs(graph, 1))


@pytest.mark.parametrize("value", [-1, 17, 2**31 - 1, -2**31, 16])
def test_columns_that_are_not_there_are_refused(value: int) -> None:
    graph, package = small()
    params = first(package, OpKind.COLUMNS)[1][5]
    forged = edit.record(Section.PARAMS, params, 0, "i", value)(package)
    assert "EFM_BAD_OPERATOR" in status_of(forged, random_inputs(graph, 1))


def test_a_forged_package_does_nothing_outside_its_arena() -> None:
    graph, package = small()
    inputs = random_inputs(graph, 1)
    random = np.random.default_rng(0)
    head = read_header(package, "").head_bytes
    for _ in range(400):
        broken = bytearray(package)
        broken[int(random.integers(96, head))] ^= 1 << int(random.integers(8))
        status_of(seal(bytes(broken)), inputs)  # canaries end the test
