# SPDX-License-Identifier: Apache-2.0
"""What goes changes no output, and what must stay stays."""

from dataclasses import replace

import numpy as np
import pytest
from networks import Network, random_network

from edgefm.evaluate.diff import random_inputs
from edgefm.network.graph import Graph
from edgefm.ops import run_graph
from edgefm.shrink.channels import UNREAD, shrunk

DEAD = -(1 << 27)  # a bias that no input makes up for


def with_constant(graph: Graph, index: int, change: object) -> Graph:
    """The graph with another constant: `change` alters a copy of the data in place."""
    tensors = list(graph.tensors)
    data = tensors[index].data
    assert data is not None
    data = data.copy()
    change(data)  # type: ignore[operator]
    tensors[index] = replace(tensors[index], data=data)
    return replace(graph, tensors=tuple(tensors))


def killed(graph: Graph, node: int, channels: list[int], bias: int = DEAD) -> Graph:
    """The graph with dead output channels of one convolution."""
    def kill(data: object) -> None:
        data[channels] = bias  # type: ignore[index]

    return with_constant(graph, graph.nodes[node].inputs[2], kill)


def same_outputs(a: Graph, b: Graph, seeds: int = 4) -> None:
    for seed in range(seeds):
        inputs = random_inputs(a, seed)
        x, y = run_graph(a, inputs), run_graph(b, inputs)
        for t in a.outputs:
            np.testing.assert_array_equal(x[t], y[t])


def chain(dtype: str = "int8", kernel: int = 1) -> Graph:
    """A convolution, a depthwise one with padding, and a convolution that reads them."""
    net = Network(3, dtype)
    x = net.conv(net.input(1, 6, 5, 3), 8, kernel=1, activation="relu")
    return net.graph(net.conv(net.depthwise(x, activation="relu"), 5, kernel=kernel))


@pytest.mark.parametrize("seed", range(30))
def test_random_networks_with_dead_channels_keep_their_outputs(seed: int) -> None:
    graph = random_network(seed)
    random = np.random.default_rng(seed)
    for k, node in enumerate(graph.nodes):
        if node.op in ("conv2d", "depthwise_conv2d") and len(node.inputs) > 2:
            size = graph.tensors[node.outputs[0]].shape[-1]
            sign = int(random.choice([-1, 1]))
            graph = killed(graph, k, random.choice(size, size // 2).tolist(), sign * DEAD)
    less, removed = shrunk(graph)
    same_outputs(graph, less)
    for t, one in removed.items():
        assert less.tensors[t].shape[-1] == one.kept.size
        assert sorted([*one.kept, *one.gone]) == list(range(graph.tensors[t].shape[-1]))


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_a_dead_channel_goes_through_a_depthwise_layer(dtype: str) -> None:
    graph = killed(killed(chain(dtype), 0, [1, 6]), 1, [1])
    less, removed = shrunk(graph)
    first, second = (node.outputs[0] for node in graph.nodes[:2])
    assert removed[first].gone.tolist() == removed[second].gone.tolist()
    assert 1 in removed[first].gone
    same_outputs(graph, less)


def test_the_constants_that_went_are_what_the_source_has_there() -> None:
    graph = killed(chain(), 1, [0, 5])
    graph = killed(graph, 0, [0, 5])
    _, removed = shrunk(graph)
    values = run_graph(graph, random_inputs(graph, 9))
    assert removed
    for t, one in removed.items():
        for channel, constant in zip(one.gone, one.constant, strict=True):
            assert constant == UNREAD or (values[t][..., channel] == constant).all()


def test_a_constant_that_padding_does_not_have_stays() -> None:
    """After SAME padding a channel that is not the zero point is not constant."""
    net = Network(5)
    x = net.conv(net.input(1, 6, 5, 3), 6, kernel=1)
    padded = killed(net.graph(net.conv(x, 4, kernel=3)), 0, [2], -DEAD)
    assert shrunk(padded)[1] == {}
    net = Network(5)
    x = net.conv(net.input(1, 6, 5, 3), 6, kernel=1)
    inside = killed(net.graph(net.conv(x, 4, kernel=3, pads=((0, 0), (0, 0)))), 0, [2], -DEAD)
    less, removed = shrunk(inside)
    assert [one.gone.tolist() for one in removed.values()] == [[2]]
    same_outputs(inside, less)


def test_a_channel_that_nobody_reads_goes() -> None:
    graph = chain()

    def forget(data: object) -> None:
        data[..., 3] = 0  # type: ignore[index]

    graph = with_constant(graph, graph.nodes[2].inputs[1], forget)
    less, removed = shrunk(graph)
    assert {tuple(one.gone) for one in removed.values()} == {(3,)}
    assert all(one.constant.tolist() == [UNREAD] for one in removed.values())
    same_outputs(graph, less)


def test_outputs_and_the_last_channel_stay() -> None:
    net = Network(6)
    x = net.conv(net.input(1, 4, 4, 2), 3, kernel=1)
    graph = killed(net.graph(x, net.conv(x, 2, kernel=1)), 0, [0, 1, 2])
    assert shrunk(graph)[1] == {}
    graph = killed(chain(), 1, list(range(8)))
    graph = killed(graph, 0, list(range(8)))
    less, removed = shrunk(graph)
    assert all(one.kept.tolist() == [0] for one in removed.values())
    same_outputs(graph, less)


def test_a_network_without_such_channels_is_the_same_one() -> None:
    graph = chain()
    less, removed = shrunk(graph)
    assert less is graph
    assert removed == {}
