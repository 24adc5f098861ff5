# SPDX-License-Identifier: Apache-2.0
"""Fusion keeps the outputs of float graphs, and does what it promises to their nodes."""

from typing import Any

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph, Node, Tensor
from edgefm.network.rewrite import fuse, prune
from edgefm.ops import run_graph

RNG = np.random.default_rng(5)
WINDOW = {"stride": (1, 1), "dilation": (1, 1), "padding": ((1, 1), (1, 1)), "activation": None}


class Sketch:
    """A graph that is put together step by step; x is [1,6,5,4]."""

    def __init__(self) -> None:
        self.tensors = [Tensor("x", (1, 6, 5, 4), "float32")]
        self.nodes: list[Node] = []

    def constant(self, data: Array) -> int:
        self.tensors.append(Tensor("c", data.shape, str(data.dtype), data=data))
        return len(self.tensors) - 1

    def node(self, op: str, inputs: tuple[int, ...], shape: tuple[int, ...], **attrs: Any) -> int:
        self.tensors.append(Tensor(f"{op}{len(self.nodes)}", shape, "float32"))
        self.nodes.append(Node(op, op, inputs, (len(self.tensors) - 1,), attrs))
        return len(self.tensors) - 1

    def conv(self, x: int, channels: int, depth: int = 4, bias: bool = True) -> int:
        ends = (self.constant(floats(channels, 3, 3, depth)),
                self.constant(floats(channels)) if bias else -1)
        return self.node("conv2d", (x, *ends), (1, 6, 5, channels), **WINDOW)

    def graph(self, *outputs: int) -> Graph:
        return Graph("net", tuple(self.tensors), tuple(self.nodes), (0,), outputs)


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def fused(graph: Graph) -> Graph:
    """The fused graph, after a look at whether its outputs are still the same."""
    result = fuse(graph)
    x = floats(*graph.tensors[graph.inputs[0]].shape)
    before, after = run_graph(graph, [x]), run_graph(result, [x])
    for old, new in zip(graph.outputs, result.outputs, strict=True):
        np.testing.assert_allclose(after[new], before[old], rtol=1e-4, atol=1e-4)
        assert result.tensors[new].name == graph.tensors[old].name
    return result


def ops(graph: Graph) -> list[tuple[str, str | None]]:
    return [(node.op, node.attrs.get("activation")) for node in graph.nodes]


@pytest.mark.parametrize("linear", ["conv2d", "depthwise_conv2d", "fully_connected"])
@pytest.mark.parametrize("bias", [True, False])
def test_scales_and_offsets_go_into_the_weights(linear: str, bias: bool) -> None:
    s = Sketch()
    if linear == "conv2d":
        y = s.conv(0, 3, bias=bias)
    elif linear == "depthwise_conv2d":
        ends = (s.constant(floats(1, 3, 3, 8)), s.constant(floats(8)) if bias else -1)
        y = s.node(linear, (0, *ends), (1, 6, 5, 8), **WINDOW, multiplier=2)
    else:
        flat = s.node("reshape", (0,), (1, 120))
        ends = (s.constant(floats(7, 120)), s.constant(floats(7)) if bias else -1)
        y = s.node(linear, (flat, *ends), (1, 7), activation=None, keep_dims=False)
    shape = s.tensors[y].shape
    column = (1,) * (len(shape) - 1) + shape[-1:]
    y = s.node("mul", (y, s.constant(floats(*column))), shape, activation=None)
    y = s.node("add", (s.constant(floats(shape[-1])), y), shape, activation=None)
    y = s.node("sub", (s.constant(floats(1)), y), shape, activation="relu")
    assert ops(fused(s.graph(y)))[-1] == (linear, "relu")
    assert len(fuse(s.graph(y)).nodes) == (2 if linear == "fully_connected" else 1)


@pytest.mark.parametrize("op", ["relu", "relu6"])
def test_activation_joins_the_operator_before(op: str) -> None:
    s = Sketch()
    y = s.node(op, (s.conv(0, 4),), (1, 6, 5, 4))
    y = s.node(op, (s.node("add", (y, 0), (1, 6, 5, 4), activation=None),), (1, 6, 5, 4))
    pool = s.node("max_pool", (y,), (1, 3, 2, 4), kernel=(2, 2), stride=(2, 2),
                  padding=((0, 0), (0, 0)), activation=None)
    y = s.node(op, (pool,), (1, 3, 2, 4))
    assert ops(fused(s.graph(y))) == [("conv2d", op), ("add", op), ("max_pool", op)]


def test_map_with_two_readers_keeps_its_value() -> None:
    s = Sketch()
    conv = s.conv(0, 4)
    relu = s.node("relu", (conv,), (1, 6, 5, 4))
    y = s.node("add", (relu, conv), (1, 6, 5, 4), activation=None)
    assert ops(fused(s.graph(y))) == [("conv2d", None), ("relu", None), ("add", None)]


def test_graph_output_keeps_its_value() -> None:
    s = Sketch()
    conv = s.conv(0, 4)
    scaled = s.node("mul", (conv, s.constant(floats(4))), (1, 6, 5, 4), activation=None)
    relu = s.node("relu", (scaled,), (1, 6, 5, 4))
    assert len(fused(s.graph(conv, scaled, relu)).nodes) == 3


def test_scale_after_an_activation_stays() -> None:
    s = Sketch()
    relu = s.node("relu", (s.conv(0, 4),), (1, 6, 5, 4))
    y = s.node("mul", (relu, s.constant(floats(4))), (1, 6, 5, 4), activation=None)
    assert ops(fused(s.graph(y))) == [("conv2d", "relu"), ("mul", None)]


def test_constant_per_row_is_not_taken_for_one_per_channel() -> None:
    s = Sketch()
    y = s.node("mul", (s.conv(0, 6), s.constant(floats(1, 6, 1, 1))), (1, 6, 5, 6),
               activation=None)
    assert ops(fused(s.graph(y))) == [("conv2d", None), ("mul", None)]


def test_pad_joins_every_convolution_after_it() -> None:
    s = Sketch()
    pad = s.node("pad", (0,), (1, 9, 5, 4), padding=((0, 0), (1, 2), (0, 0), (0, 0)))
    windows = {**WINDOW, "padding": ((0, 0), (1, 1))}
    first = s.node("conv2d", (pad, s.constant(floats(2, 3, 3, 4)), -1), (1, 7, 5, 2), **windows)
    second = s.node("depthwise_conv2d", (pad, s.constant(floats(1, 3, 3, 4)), -1), (1, 7, 5, 4),
                    **windows, multiplier=1)
    result = fused(s.graph(first, second))
    assert [node.attrs["padding"] for node in result.nodes] == [((1, 2), (1, 1))] * 2


def test_pad_of_channels_and_pad_before_a_pool_stay() -> None:
    s = Sketch()
    wide = s.node("pad", (0,), (1, 6, 5, 6), padding=((0, 0), (0, 0), (0, 0), (1, 1)))
    conv = s.conv(wide, 2, depth=6)
    tall = s.node("pad", (conv,), (1, 8, 5, 2), padding=((0, 0), (1, 1), (0, 0), (0, 0)))
    y = s.node("max_pool", (tall,), (1, 4, 2, 2), kernel=(2, 2), stride=(2, 2),
               padding=((0, 0), (0, 0)), activation=None)
    assert [op for op, _ in ops(fused(s.graph(y)))] == ["pad", "conv2d", "pad", "max_pool"]


def test_flatten_in_channel_first_order_becomes_an_order_of_weights() -> None:
    s = Sketch()
    moved = s.node("transpose", (0,), (1, 4, 6, 5), perm=(0, 3, 1, 2))
    flat = s.node("reshape", (s.node("reshape", (moved,), (4, 30)),), (1, 120))
    y = s.node("fully_connected", (flat, s.constant(floats(7, 120)), -1), (1, 7),
               activation=None, keep_dims=False)
    assert [op for op, _ in ops(fused(s.graph(y)))] == ["reshape", "fully_connected"]


def test_weights_behind_dequantize_or_transpose_are_computed() -> None:
    s = Sketch()
    half = s.constant(floats(3, 4, 3, 3).astype(np.float16))
    weights = s.node("dequantize", (half,), (3, 4, 3, 3))
    weights = s.node("transpose", (weights,), (3, 3, 3, 4), perm=(0, 2, 3, 1))
    y = s.node("conv2d", (0, weights, -1), (1, 6, 5, 3), **WINDOW)
    result = fuse(s.graph(y))
    assert [op for op, _ in ops(result)] == ["conv2d"]
    stored, source = result.tensors[result.nodes[0].inputs[1]].data, s.tensors[half].data
    assert stored is not None and source is not None
    np.testing.assert_array_equal(stored, source.transpose(0, 2, 3, 1).astype(np.float32))


def test_prune_removes_what_no_output_needs_and_keeps_inputs() -> None:
    s = Sketch()
    kept = s.conv(0, 2)
    s.node("relu", (s.conv(0, 3),), (1, 6, 5, 3))
    graph = s.graph(kept)
    result = prune(graph)
    assert len(result.nodes) == 1 and len(result.tensors) == 4
    assert result.tensors[result.inputs[0]].name == "x"
    x = floats(1, 6, 5, 4)
    np.testing.assert_array_equal(run_graph(result, [x])[result.outputs[0]],
                                  run_graph(graph, [x])[kept])


def test_fuse_does_not_change_its_argument() -> None:
    s = Sketch()
    y = s.node("mul", (s.conv(0, 4), s.constant(floats(4))), (1, 6, 5, 4), activation=None)
    graph = s.graph(y)
    before = [None if t.data is None else t.data.copy() for t in graph.tensors]
    fuse(graph)
    assert ops(graph) == [("conv2d", None), ("mul", None)]
    for tensor, data in zip(graph.tensors, before, strict=True):
        np.testing.assert_array_equal(tensor.data, data)
