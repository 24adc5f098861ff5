# SPDX-License-Identifier: Apache-2.0
"""Other coordinates leave the network what it was, up to the rounding of weights."""

import numpy as np
import pytest
from networks import Network

from edgefm.network.graph import Array, Graph, Quant
from edgefm.ops import run_graph
from edgefm.quantization.dequantize import dequantized_graph
from edgefm.rate_distortion.channel_groups import (
    ChannelGroup,
    Taps,
    channel_groups,
    maps_read,
    transformed,
)
from edgefm.rate_distortion.channel_groups import (
    bottlenecks as bottlenecks_of,
)


@pytest.fixture(scope="module")
def bottlenecks() -> Graph:
    """Two linear bottlenecks with a sum, expansions and depthwise convolutions between."""
    net = Network(5, name="bottlenecks")
    x = net.conv(net.input(1, 10, 8, 3), 6, kernel=1)
    y = net.conv(net.depthwise(net.conv(x, 12, kernel=1, activation="relu")), 6, kernel=1)
    x = net.add(x, y)
    return net.graph(net.dense(net.mean(net.conv(x, 10, kernel=1)), 5))


@pytest.fixture(scope="module")
def sample() -> Array:
    return np.random.default_rng(2).integers(-100, 100, (1, 10, 8, 3)).astype(np.int8)


def stage_of(graph: Graph, maps: int, mixable: bool) -> ChannelGroup:
    return next(s for s in channel_groups(graph) if len(s.maps) == maps and s.mixable is mixable)


def kept(graph: Graph, group: ChannelGroup) -> dict[int, Quant]:
    found = {t: graph.tensors[t].quant for t in group.maps}
    return {t: quant for t, quant in found.items() if quant is not None}


def real(graph: Graph, sample: Array, t: int) -> Array:
    tensor = graph.tensors[t]
    values = run_graph(graph, [sample])[t].astype(np.float64)
    return np.asarray((values - tensor.zero_point) * tensor.scale)


def test_stages_are_tied_by_sums_and_say_what_may_be_mixed(bottlenecks: Graph) -> None:
    found = [(len(s.maps), s.mixable, len(s.writers), len(s.readers))
             for s in channel_groups(bottlenecks)]
    assert found == [(3, True, 2, 2), (1, False, 1, 1), (1, False, 1, 1)]


def test_bottlenecks_are_stages_that_convolutions_widen_and_hold_what_those_read(
        bottlenecks: Graph) -> None:
    for graph in (bottlenecks, dequantized_graph(bottlenecks)):
        group, = bottlenecks_of(graph)
        made = graph.producer()
        assert [graph.nodes[made[t]].op for t in group.maps] == ["conv2d", "conv2d", "add"]
        assert maps_read(graph, group) == (group.maps[0], group.maps[2])


def test_an_order_of_channels_changes_no_bit(bottlenecks: Graph, sample: Array) -> None:
    """A permutation rounds nothing again where the largest weight of each row is 127."""
    group = stage_of(bottlenecks, 3, True)
    whole = transformed(bottlenecks, group, np.eye(6), kept(bottlenecks, group), {})
    order = np.eye(6)[[3, 1, 5, 0, 2, 4]]
    moved = transformed(whole, group, order, kept(whole, group), {})
    before, after = run_graph(whole, [sample]), run_graph(moved, [sample])
    for t in group.maps:
        np.testing.assert_array_equal(before[t][..., [3, 1, 5, 0, 2, 4]], after[t])
    assert (before[bottlenecks.outputs[0]] == after[bottlenecks.outputs[0]]).all()


def test_steps_per_channel_before_a_depthwise_reader_are_exact(bottlenecks: Graph,
                                                               sample: Array) -> None:
    """Only scales change: with powers of two the channels are the old ones in other steps."""
    group = next(s for s in channel_groups(bottlenecks) if s.readers[0].op == "depthwise_conv2d")
    ratio = np.array([1, 0.5, 1, 0.25, 1, 1, 0.5, 1, 1, 1, 1, 0.125])
    changed = transformed(bottlenecks, group, ratio, kept(bottlenecks, group), {})
    for node in (*group.writers, *group.readers):
        a, b = (g.tensors[node.inputs[1]].data for g in (bottlenecks, changed))
        assert a is not None and b is not None and (a == b).all()
    before, after = (real(g, sample, group.maps[0]) for g in (bottlenecks, changed))
    step = bottlenecks.tensors[group.maps[0]].scale
    assert np.abs(after / ratio - before)[..., ratio == 1].max() == 0
    inside = np.abs(before) < 100 * step
    assert (np.abs(after / ratio - before) <= 1.01 * step / ratio)[inside].all()


def test_a_mixed_map_holds_the_matrix_times_the_old_one(bottlenecks: Graph, sample: Array) -> None:
    group = stage_of(bottlenecks, 3, True)
    matrix = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    quants = {t: Quant((q.scale[0] * 2,), (0,)) for t, q in kept(bottlenecks, group).items()}
    changed = transformed(bottlenecks, group, matrix, quants, {})
    before = run_graph(bottlenecks, [sample])
    free = np.all([(before[t] > -128) & (before[t] < 127) for t in group.maps], axis=(0, 4))
    for t in group.maps:
        wanted = real(bottlenecks, sample, t) @ matrix.T
        away = np.abs(real(changed, sample, t) - wanted)[free]
        assert free.sum() > 20 and away.max() < 6 * quants[t].scale[0]
    output = bottlenecks.outputs[0]
    assert np.abs(real(changed, sample, output) - real(bottlenecks, sample, output)).max() < (
        12 * bottlenecks.tensors[output].scale)


def test_biases_make_up_for_rounded_weights(bottlenecks: Graph) -> None:
    """With taps that always hold their mean, what is written is what it was."""
    group = stage_of(bottlenecks, 3, True)
    node, mean = group.writers[0], np.array([100.0, -70.0, 30.0])
    matrix = np.linalg.qr(np.random.default_rng(1).standard_normal((6, 6)))[0]
    seen = {node.inputs[1]: Taps(mean, np.eye(3))}

    def written(graph: Graph) -> Array:
        w, b = (graph.tensors[t] for t in node.inputs[1:])
        assert w.data is not None and w.quant is not None
        assert b.data is not None and b.quant is not None
        rows = w.data.reshape(6, 3) * np.array(w.quant.scale)[:, None]
        return np.asarray(rows @ mean + b.data * np.array(b.quant.scale))

    plain = transformed(bottlenecks, group, matrix, kept(bottlenecks, group), {})
    better = transformed(bottlenecks, group, matrix, kept(bottlenecks, group), seen)
    wanted = matrix @ written(bottlenecks)
    assert np.abs(written(better) - wanted).max() < 1e-3 < np.abs(written(plain) - wanted).max()


def test_maps_that_meet_the_world_or_a_pool_are_in_no_stage(bottlenecks: Graph) -> None:
    net = Network(6)
    x = net.conv(net.input(1, 8, 8, 3), 4)
    graph = net.graph(net.conv(net.pool(x), 5))
    assert channel_groups(graph) == []
