# SPDX-License-Identifier: Apache-2.0
"""What planning knows of a program: order, storage groups, readers and cuts."""

from dataclasses import replace

import pytest
from networks import Network, random_network

from edgefm.errors import BadInput
from edgefm.lower import lower
from edgefm.network.program import OpKind
from edgefm.planner import Layout, analyze


def group_of(layout: Layout, net: Network, tensor: int) -> int:
    names = [s.name for s in layout.program.streams]
    return layout.group[names.index(net.tensors[tensor].name)]


def test_an_input_comes_just_before_its_first_reader() -> None:
    net = Network()
    late, early = net.input(1, 6, 6, 2), net.input(1, 6, 6, 2)
    x = net.conv(net.conv(early, 2), 2)
    layout = analyze(lower(net.graph(net.add(x, late))))
    names = [op.name for op in layout.program.ops]
    assert names.index(net.tensors[late].name) == names.index("add_2") - 1
    assert names[0] == net.tensors[early].name


def test_an_output_comes_just_after_its_maker() -> None:
    net = Network()
    x = net.conv(net.input(1, 6, 6, 2), 2)
    y = net.conv(x, 2)
    layout = analyze(lower(net.graph(y, x)))
    assert [op.kind for op in layout.program.ops] == [
        OpKind.INPUT, OpKind.CONV, OpKind.OUTPUT, OpKind.CONV, OpKind.OUTPUT]


def test_an_input_that_is_an_output_at_once_is_kept() -> None:
    net = Network()
    x = net.input(1, 6, 6, 2)
    layout = analyze(lower(net.graph(x)))
    assert [op.kind for op in layout.program.ops] == [OpKind.INPUT, OpKind.OUTPUT]


def test_parts_written_straight_into_a_concat_share_its_storage() -> None:
    net = Network()
    x = net.input(1, 6, 6, 2)
    a = net.conv(x, 3)
    b = net.conv(x, 5, result=net.tensors[a].quant)
    whole = net.concat(a, b)
    layout = analyze(lower(net.graph(net.conv(whole, 2))))
    assert group_of(layout, net, a) == group_of(layout, net, b) == group_of(layout, net, whole)
    assert layout.group_bytes(group_of(layout, net, whole)) == 6 * 8
    assert group_of(layout, net, x) != group_of(layout, net, whole)


def test_a_view_shares_the_storage_of_what_it_views() -> None:
    net = Network()
    x = net.conv(net.input(1, 4, 6, 2), 2)
    y = net.reshape(x, 1, 4, 1, 12)
    layout = analyze(lower(net.graph(net.relu(y))))
    assert any(op.kind == OpKind.VIEW for op in layout.program.ops)
    assert group_of(layout, net, x) == group_of(layout, net, y)


def test_no_cut_separates_a_concat_from_its_parts() -> None:
    net = Network()
    x = net.input(1, 6, 6, 2)
    a = net.conv(x, 3)
    b = net.conv(x, 5, result=net.tensors[a].quant)
    y = net.concat(a, b)
    layout = analyze(lower(net.graph(net.conv(y, 2))))
    kinds = [op.kind for op in layout.program.ops]
    first, last = kinds.index(OpKind.CONV), kinds.index(OpKind.CONCAT_CHANNELS)
    assert not [c for c in layout.cuts if first < c <= last]
    assert {0, first, last + 1, len(kinds)} <= set(layout.cuts)


def test_crossing_names_what_is_made_before_and_read_after() -> None:
    net = Network()
    x = net.input(1, 6, 6, 2)
    a = net.conv(x, 2)
    y = net.add(net.conv(a, 2), a)
    layout = analyze(lower(net.graph(y)))
    names = [{layout.program.streams[s].name for s in layout.crossing(c)} for c in range(6)]
    assert names == [set(), {"t0"}, {"t3"}, {"t3", "t6"}, {"t7"}, set()]


def test_a_map_with_more_rows_than_the_device_counts_is_refused() -> None:
    net = Network()
    program = lower(net.graph(net.conv(net.input(1, 4, 6, 2), 2)))
    streams = (replace(program.streams[0], height=0x10000), *program.streams[1:])
    with pytest.raises(BadInput, match=r"t0 has 65536 rows, at most 65535 are supported"):
        analyze(replace(program, streams=streams))


@pytest.mark.parametrize("seed", range(20))
def test_readers_and_producers_tell_the_same(seed: int) -> None:
    layout = analyze(lower(random_network(seed)))
    for i, op in enumerate(layout.program.ops):
        assert all(layout.producer[s] == i for s in op.outputs)
        assert all(i in layout.readers[s] and layout.producer[s] < i for s in op.inputs)
    assert layout.cuts[0] == 0 and layout.cuts[-1] == len(layout.program.ops)
