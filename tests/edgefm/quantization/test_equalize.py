# SPDX-License-Identifier: Apache-2.0
"""Equalization keeps outputs and evens out channels."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph, Node
from edgefm.ops import run_graph
from edgefm.quantization.calibrate import observe
from edgefm.quantization.equalize import can_equalize, equalized

Samples = Callable[[int], list[Array]]


def unevenness(graph: Graph, node: Node, samples: list[Array]) -> float:
    peaks = observe(graph, samples).peaks[node.outputs[0]]
    return float(peaks.max() / peaks[peaks > 0].mean())


@pytest.mark.parametrize("name", ["relu", "relu6"])
def test_outputs_stay_and_channels_even_out(name: str, float_nets: dict[str, Graph],
                                            float_samples: Samples) -> None:
    graph, samples = float_nets[name], float_samples(6)
    result = equalized(graph, observe(graph, samples))
    for sample in samples:
        old, new = run_graph(graph, [sample]), run_graph(result, [sample])
        np.testing.assert_allclose(new[result.outputs[0]], old[graph.outputs[0]],
                                   rtol=1e-4, atol=1e-4)
    expand = graph.nodes[1]
    assert unevenness(result, expand, samples) < 0.8 * unevenness(graph, expand, samples)


def test_channels_at_the_ceiling_of_relu6_keep_their_size(float_nets: dict[str, Graph],
                                                          float_samples: Samples) -> None:
    graph, samples = float_nets["relu6"], [4 * sample for sample in float_samples(6)]
    seen = observe(graph, samples)
    result = equalized(graph, seen)
    node = graph.nodes[1]
    full = seen.peaks[node.outputs[0]] >= 6
    assert full.any() and not full.all()
    old, new = (g.tensors[node.inputs[1]].data for g in (graph, result))
    assert old is not None and new is not None
    np.testing.assert_array_equal(new[full], old[full])
    assert not np.array_equal(new[~full], old[~full])


def test_network_without_depthwise_convolutions_is_left_alone(float_nets: dict[str, Graph]) -> None:
    assert not can_equalize(float_nets["fire"])
    assert can_equalize(float_nets["relu6"])


def test_map_that_is_an_output_is_left_alone(float_nets: dict[str, Graph],
                                             float_samples: Samples) -> None:
    graph = float_nets["relu"]
    middle = tuple(node.outputs[0] for node in graph.nodes)
    assert not can_equalize(replace(graph, outputs=middle))


def test_weights_that_two_nodes_share_are_left_alone(float_nets: dict[str, Graph]) -> None:
    graph = float_nets["relu"]
    depthwise = graph.nodes[2]
    twin = replace(depthwise, inputs=(graph.nodes[2].outputs[0], *depthwise.inputs[1:]))
    other = Graph("net", graph.tensors, (*graph.nodes[:3], twin), graph.inputs, twin.outputs)
    assert not can_equalize(other)
