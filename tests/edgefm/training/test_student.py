# SPDX-License-Identifier: Apache-2.0
"""A graph in torch computes what it computes in NumPy."""

import numpy as np
import pytest
from networks import Network, random_network

from edgefm.errors import UnsupportedModel
from edgefm.network.graph import Graph
from edgefm.ops import run_graph
from edgefm.quantization.dequantize import dequantized_graph

torch = pytest.importorskip("torch", reason="needs the Python package torch (extra 'train')")

from edgefm.training import student  # noqa: E402

SEEDS = 60


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def single_image(seed: int) -> Graph | None:
    """A random float network of one input whose first output is not the place of a maximum."""
    graph = dequantized_graph(random_network(seed))
    ends = {node.op for node in graph.nodes if graph.outputs[0] in node.outputs}
    return graph if len(graph.inputs) == 1 and not ends & {"argmax", "softmax"} else None


def test_maps_are_those_of_the_graph() -> None:
    got, refused = set(), set()
    for graph in filter(None, map(single_image, range(SEEDS))):
        x = np.random.default_rng(2).normal(size=graph.tensors[graph.inputs[0]].shape)
        expected = run_graph(graph, [x.astype(np.float32)])
        found = {}

        def keep(t: int, value: torch.Tensor, found: dict[int, torch.Tensor] = found
                 ) -> torch.Tensor:
            found[t] = value
            return value

        try:
            with torch.no_grad():
                said = student.scores(graph, student.parameters(graph),
                                      student.images([x.astype(np.float32)]), keep)
        except UnsupportedModel as error:
            refused.add(str(error).split(": ")[1].split(" ")[0])
            continue
        for t, value in found.items():
            rows = value.permute(0, 2, 3, 1) if value.ndim == 4 else value
            np.testing.assert_allclose(rows.numpy(), expected[t], rtol=1e-3, atol=1e-4)
        last = expected[graph.outputs[0]]
        assert said.shape == (1, last.size)
        got.update(node.op for node in graph.nodes)
    assert refused <= {"pad", "transpose", "resize_bilinear", "resize_nearest", "argmax"}
    assert got >= {"conv2d", "depthwise_conv2d", "add", "mul", "concat", "max_pool",
                   "average_pool", "mean"}


def test_scores_are_those_before_the_softmax_for_several_images() -> None:
    net = Network(3)
    x = net.conv(net.input(1, 6, 5, 2), 4, activation="relu6")
    graph = dequantized_graph(net.graph(net.softmax(net.dense(net.flat(x), 7))))
    images = [np.random.default_rng(s).normal(size=(1, 6, 5, 2)).astype(np.float32)
              for s in range(3)]
    with torch.no_grad():
        said = student.scores(graph, student.parameters(graph), student.images(images))
    expected = [run_graph(graph, [image])[graph.outputs[0]] for image in images]
    np.testing.assert_allclose(said.softmax(1).numpy(), np.concatenate(expected), rtol=1e-4)


def test_what_a_store_gives_back_is_computed_with_and_gradients_reach_parameters() -> None:
    net = Network(3)
    first = net.conv(net.input(1, 6, 5, 2), 4)
    graph = dequantized_graph(net.graph(net.mean(net.conv(first, 3, kernel=1))))
    own = {t: value.requires_grad_() for t, value in student.parameters(graph).items()}
    image = torch.ones((1, 2, 6, 5))
    nothing = student.scores(graph, own, image,
                             lambda t, x: x * 0 if x.shape[1] == 4 else x)
    last = graph.nodes[1].inputs
    assert torch.allclose(nothing[0], own[last[2]])
    nothing.sum().backward()
    assert own[last[2]].grad is not None and own[last[2]].grad.abs().sum() > 0
    changed = student.with_parameters(graph, {last[2]: torch.zeros(3)})
    data = changed.tensors[last[2]].data
    assert data is not None and not data.any()
