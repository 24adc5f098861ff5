# SPDX-License-Identifier: Apache-2.0
"""The model definitions, against logits that torchvision itself computed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.importers.definitions import NetworkSize, mobilenet_v2, squeezenet
from edgefm.network.graph import Array, Graph
from edgefm.ops import run_graph
from edgefm.training.shapes import Shapes, mobilenet_v2_shapes, squeezenet_shapes

FIRES_1_0 = [(s, e, e) for s, e in
             ((16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256))]
BLOCKS_HALF = [(1, 8), *((6, c) for c in (16, 16, 16, 16, 16, 32, 32, 32, 32, 48, 48, 48,
                                          80, 80, 80, 160))]
SMALL_FIRES = [(2, 4, 6)] * 8
SMALL_BLOCKS = [(1, 4)] + [(2, 4)] * 16

Definition = Callable[[dict[str, Array], str, NetworkSize], Graph]

# Logits of torchvision 0.28 for the weights and the input that `fill` and `pattern` make.
TORCHVISION = {
    "squeezenet 1.0": (
        squeezenet, squeezenet_shapes(7, 96, FIRES_1_0, 10), (75, 66),
        (0.69074, 0.0, 1.13864, 0.0, 0.01846, 0.0558, 0.0, 1.27502, 0.0, 1.69324)),
    "squeezenet 1.1": (
        squeezenet, squeezenet_shapes(3, 64, FIRES_1_0, 10), (64, 49),
        (0.0, 0.67827, 0.0, 1.32778, 0.0, 1.28227, 0.0, 0.08525, 0.28718, 0.0)),
    "mobilenet_v2 x0.5": (
        mobilenet_v2, mobilenet_v2_shapes(16, BLOCKS_HALF, 1280, 10), (65, 48),
        (-1.17335, -7.04068, -9.85508, -7.36753, -6.79311, -2.36202, 4.54246, 8.98876, 8.43425,
         5.86748)),
}


def pattern(count: int, seed: int) -> Array:
    """Numbers in [-0.5, 0.5) that look random and are the same on every machine."""
    n = np.arange(count, dtype=np.uint64) + np.uint64(seed * 7919)
    return n * np.uint64(2654435761) % np.uint64(2**32) / 2**32 - 0.5


def fill(shapes: Shapes) -> dict[str, Array]:
    """Weights of unit gain; normalization around 1."""
    weights = {}
    for seed, (name, shape) in enumerate(sorted(shapes.items())):
        values = pattern(int(np.prod(shape)), seed).reshape(shape)
        if len(shape) > 1:
            values = values * (12 / np.prod(shape[1:])) ** 0.5
        elif name.endswith(("weight", "running_var")):
            values = values + 1
        weights[name] = np.asarray(values, np.float32)
    return weights


def run(graph: Graph, image: Array) -> Array:
    """The graph's output for an image [H, W, C]."""
    return run_graph(graph, [np.ascontiguousarray(image[None], np.float32)])[graph.outputs[0]]


@pytest.mark.parametrize("name", TORCHVISION)
def test_logits_equal_torchvisions(name: str) -> None:
    definition, shapes, size, expected = TORCHVISION[name]
    image = (pattern(3 * size[0] * size[1], 99) * 4).reshape(3, *size).transpose(1, 2, 0)
    logits = run(definition(fill(shapes), name, NetworkSize(size)), image)
    np.testing.assert_allclose(logits[0], expected, rtol=1e-4, atol=2e-4)


@pytest.mark.parametrize(("size", "expected"), [
    ((224, 224), [(55, 55), (27, 27), (13, 13)]),
    ((64, 49), [(15, 12), (7, 6), (3, 3)]),
    ((31, 32), [(7, 7), (3, 3), (1, 1)]),
])
def test_ceil_mode_pools_get_explicit_padding(size: tuple[int, int],
                                              expected: list[tuple[int, int]]) -> None:
    graph = squeezenet(fill(squeezenet_shapes(3, 4, SMALL_FIRES, 3)), "small", NetworkSize(size))
    pools = [node for node in graph.nodes if node.op == "max_pool"]
    assert [graph.tensors[node.outputs[0]].shape[1:3] for node in pools] == expected
    for node in pools:
        sizes = zip(graph.tensors[node.inputs[0]].shape[1:3],
                    graph.tensors[node.outputs[0]].shape[1:3],
                    node.attrs["padding"], strict=True)
        for before, after, (top, bottom) in sizes:
            assert (top, bottom) == (0, max(0, 2 * (after - 1) + 3 - before))
            assert 2 * (after - 1) < before, "a window that starts beyond the map"


def test_first_stride_of_one_keeps_the_full_height() -> None:
    shapes = mobilenet_v2_shapes(4, SMALL_BLOCKS, 8, 3)
    graph = mobilenet_v2(fill(shapes), "small", NetworkSize((20, 24), 1))
    assert graph.tensors[graph.nodes[0].outputs[0]].shape == (1, 20, 24, 4)


def test_residuals_are_added_only_where_shapes_agree() -> None:
    graph = mobilenet_v2(fill(mobilenet_v2_shapes(4, SMALL_BLOCKS, 8, 3)), "small", NetworkSize())
    added = [node.name for node in graph.nodes if node.op == "add"]
    assert added == [f"features.{i}" for i in (1, 3, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16, 17)]


@pytest.mark.parametrize(("name", "shape", "message"), [
    ("features.4.squeeze.weight", None, r"'features.4.squeeze.weight' is missing, expected with "
                                        r"shape \[any, 10, 1, 1\]"),
    ("features.4.squeeze.weight", (2, 9, 1, 1), r"has shape \[2, 9, 1, 1\], "
                                                r"expected \[any, 10, 1, 1\]"),
    ("features.9.expand3x3.bias", (1,), r"'features.9.expand3x3.bias' has shape \[1\], "
                                        r"expected \[6\]"),
    ("features.0.weight", (4, 3, 5, 5), "kernel of 5, expected 7"),
    ("features.0.weight", (0, 3, 3, 3), r"has shape \[0, 3, 3, 3\]"),
    ("classifier.1.weight", (3, 10), r"has shape \[3, 10\]"),
    ("features.13.squeeze.weight", (1,), "'features.13.squeeze.weight' has no place"),
])
def test_squeezenet_names_the_tensor_that_does_not_fit(
        name: str, shape: tuple[int, ...] | None, message: str) -> None:
    weights = fill(squeezenet_shapes(3, 4, SMALL_FIRES, 3))
    if shape is None:
        del weights[name]
    else:
        weights[name] = np.zeros(shape, np.float32)
    with pytest.raises(BadInput, match=message):
        squeezenet(weights, "small", NetworkSize())


@pytest.mark.parametrize(("name", "shape", "message"), [
    ("features.5.conv.3.running_var", None, "'features.5.conv.3.running_var' is missing"),
    ("features.5.conv.1.0.weight", (8, 2, 3, 3), r"has shape \[8, 2, 3, 3\], "
                                                 r"expected \[8, 1, 3, 3\]"),
    ("features.17.conv.0.0.weight", None, "'features.17.conv.0.0.weight' is missing"),
    ("classifier.1.bias", (4,), r"'classifier.1.bias' has shape \[4\], expected \[3\]"),
])
def test_mobilenet_v2_names_the_tensor_that_does_not_fit(
        name: str, shape: tuple[int, ...] | None, message: str) -> None:
    weights = fill(mobilenet_v2_shapes(4, SMALL_BLOCKS, 8, 3))
    if shape is None:
        del weights[name]
    else:
        weights[name] = np.zeros(shape, np.float32)
    with pytest.raises(BadInput, match=message):
        mobilenet_v2(weights, "small", NetworkSize())


def test_negative_variance_is_refused() -> None:
    weights = fill(mobilenet_v2_shapes(4, SMALL_BLOCKS, 8, 3))
    weights["features.0.1.running_var"][2] = -1
    with pytest.raises(BadInput, match=r"'features.0.1.running_var' holds a negative variance"):
        mobilenet_v2(weights, "small", NetworkSize())


@pytest.mark.parametrize("size", [(1, 1), (2, 224), (20, 20)])
def test_input_too_small_for_the_pools_is_refused(size: tuple[int, int]) -> None:
    weights = fill(squeezenet_shapes(3, 4, SMALL_FIRES, 3))
    with pytest.raises(BadInput, match="the input size is too small"):
        squeezenet(weights, "small", NetworkSize(size))
