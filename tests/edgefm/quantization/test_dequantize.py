# SPDX-License-Identifier: Apache-2.0
"""The float graph of an integer one computes what that approximates."""

import numpy as np
import pytest
from networks import Network, random_network

from edgefm.importers.check import check_graph
from edgefm.network.graph import Graph
from edgefm.ops import run_graph
from edgefm.ops.quantize import dequantized
from edgefm.quantization.dequantize import dequantized_graph


def network() -> Graph:
    net = Network(4)
    x = net.conv(net.input(1, 9, 8, 3), 6, activation="relu")
    y = net.conv(net.depthwise(x), 6, kernel=1)
    return net.graph(net.softmax(net.dense(net.mean(net.add(x, y)), 5)))


def test_values_are_those_of_the_integer_network_up_to_its_steps() -> None:
    graph = network()
    real = dequantized_graph(graph)
    sample = np.random.default_rng(3).integers(-60, 60, (1, 9, 8, 3)).astype(np.int8)
    whole = run_graph(graph, [sample])
    into = graph.tensors[graph.inputs[0]]
    floats = run_graph(real, [dequantized(sample, into)])
    names = {tensor.name: t for t, tensor in enumerate(real.tensors)}
    checked = 0
    for t, values in whole.items():
        tensor, found = graph.tensors[t], floats[names[graph.tensors[t].name]]
        low, high = ((end - tensor.zero_point) * tensor.scale for end in (-128, 127))
        clipped = np.clip(found, low, high)
        assert np.abs(dequantized(values, tensor) - clipped).max() <= 3 * tensor.scale
        checked += 1
    assert checked == len(graph.nodes) + 1


def test_nothing_integer_is_left_and_the_graph_is_sound() -> None:
    for seed in range(30):
        real = check_graph(dequantized_graph(random_network(seed)))
        kinds = {tensor.dtype for tensor in real.tensors if tensor.quant is None}
        assert all(tensor.quant is None for tensor in real.tensors)
        assert kinds <= {"float32", "int32", "int64"}  # what argmax gives
        assert not {"quantize", "dequantize"} & {node.op for node in real.nodes}


def test_weights_keep_their_scale_per_channel() -> None:
    graph = network()
    node = graph.nodes[0]
    weights = graph.tensors[node.inputs[1]]
    assert weights.quant is not None and weights.data is not None and weights.quant.axis == 0
    real = dequantized_graph(graph)
    found = real.tensors[real.nodes[0].inputs[1]].data
    scale = np.array(weights.quant.scale).reshape(-1, 1, 1, 1)
    np.testing.assert_allclose(found, weights.data * scale, rtol=1e-6)


def test_a_float_graph_stays_what_it_is(float_squeezenet: Graph) -> None:
    again = dequantized_graph(float_squeezenet)
    assert [n.op for n in again.nodes] == [n.op for n in float_squeezenet.nodes]
    assert again.is_float()


@pytest.fixture
def float_squeezenet() -> Graph:
    from edgefm import importers
    from edgefm.demo.bundled import demo_models

    return importers.load(next(m.weights for m in demo_models() if "squeeze" in m.name))
