# SPDX-License-Identifier: Apache-2.0
"""Small float networks with the structures that quantization has to get right."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefm.network.graph import Array, Graph, Node, Tensor

_WINDOW = {"stride": (1, 1), "dilation": (1, 1), "padding": ((1, 1), (1, 1))}
_POINT = {"stride": (1, 1), "dilation": (1, 1), "padding": ((0, 0), (0, 0))}


class _Net:
    """A graph that grows by one node at a time from the input [1,12,10,3]."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.tensors = [Tensor("x", (1, 12, 10, 3), "float32")]
        self.nodes: list[Node] = []

    def normal(self, *shape: int) -> int:
        data = self.rng.standard_normal(shape).astype(np.float32)
        self.tensors.append(Tensor(f"c{len(self.tensors)}", shape, "float32", data=data))
        return len(self.tensors) - 1

    def node(self, op: str, inputs: tuple[int, ...], shape: tuple[int, ...], **attrs: Any) -> int:
        self.tensors.append(Tensor(f"{op}{len(self.nodes)}", shape, "float32"))
        self.nodes.append(Node(op, op, inputs, (len(self.tensors) - 1,), attrs))
        return len(self.tensors) - 1

    def conv(self, x: int, channels: int, kernel: int, activation: str | None) -> int:
        n, h, w, depth = self.tensors[x].shape
        weights = self.normal(channels, kernel, kernel, depth)
        self._spread(weights, (-1, 1, 1, 1))
        return self.node("conv2d", (x, weights, self.normal(channels)), (n, h, w, channels),
                         **(_WINDOW if kernel == 3 else _POINT), activation=activation)

    def depthwise(self, x: int, activation: str | None) -> int:
        shape = self.tensors[x].shape
        weights = self.normal(1, 3, 3, shape[3])
        self._spread(weights, (1, 1, 1, -1))
        return self.node("depthwise_conv2d", (x, weights, self.normal(shape[3])), shape,
                         **_WINDOW, activation=activation, multiplier=1)

    def _spread(self, weights: int, column: tuple[int, ...]) -> None:
        """Channels of very different size, as trained depthwise networks have them."""
        data = self.tensors[weights].data
        assert data is not None
        count = data.shape[column.index(-1)]
        data *= 2.0 ** self.rng.uniform(-4, -1, count).reshape(column)

    def graph(self, *outputs: int) -> Graph:
        return Graph("net", tuple(self.tensors), tuple(self.nodes), (0,), outputs)


def _fire() -> Graph:
    """SqueezeNet's structures: concat, pools, a global mean, logits and softmax."""
    net = _Net(1)
    x = net.conv(0, 8, 3, "relu")
    x = net.node("max_pool", (x,), (1, 6, 5, 8), kernel=(3, 3), stride=(2, 2),
                 padding=((0, 1), (0, 1)), activation=None)
    parts = net.conv(x, 6, 1, "relu"), net.conv(x, 6, 3, "relu")
    x = net.node("concat", parts, (1, 6, 5, 12), axis=3)
    x = net.node("mean", (net.conv(x, 10, 1, "relu"),), (1, 10), axes=(1, 2), keep_dims=False)
    return net.graph(net.node("softmax", (x,), (1, 10), beta=1.0))


def _inverted(activation: str) -> Graph:
    """MobileNet's structures: depthwise chains, a residual, average pool, fully connected."""
    net = _Net(2)
    start = net.conv(0, 4, 3, None)
    x = net.depthwise(net.conv(start, 12, 1, activation), activation)
    x = net.node("add", (net.conv(x, 4, 1, None), start), (1, 12, 10, 4), activation=None)
    x = net.node("average_pool", (x,), (1, 4, 5, 4), kernel=(3, 2), stride=(3, 2),
                 padding=((0, 0), (0, 0)), activation=None)
    x = net.node("reshape", (x,), (1, 80))
    x = net.node("fully_connected", (x, net.normal(10, 80), net.normal(10)), (1, 10),
                 activation=None, keep_dims=False)
    return net.graph(x)


def _mixed() -> Graph:
    """What else can be quantized: constants beside maps, pad, resize, a sigmoid gate."""
    net = _Net(3)
    x = net.node("pad", (0,), (1, 14, 11, 3), padding=((0, 0), (1, 1), (1, 0), (0, 0)))
    x = net.node("sub", (x, net.normal(1, 1, 1, 3)), (1, 14, 11, 3), activation=None)
    gate = net.node("logistic", (net.conv(x, 3, 1, None),), (1, 14, 11, 3))
    x = net.node("mul", (x, gate), (1, 14, 11, 3), activation="relu")
    x = net.node("resize_nearest", (x,), (1, 28, 22, 3), align_corners=False,
                 half_pixel_centers=False)
    x = net.node("relu6", (x,), (1, 28, 22, 3))
    return net.graph(net.node("transpose", (x,), (1, 3, 28, 22), perm=(0, 3, 1, 2)), gate)


@pytest.fixture(scope="session")
def float_nets() -> dict[str, Graph]:
    """Float graphs by name; input [1,12,10,3] everywhere."""
    return {"fire": _fire(), "relu": _inverted("relu"), "relu6": _inverted("relu6"),
            "mixed": _mixed()}


@pytest.fixture(scope="session")
def float_samples() -> Callable[[int], list[Array]]:
    """`float_samples(n)`: n inputs for `float_nets`."""

    def make(count: int) -> list[Array]:
        rng = np.random.default_rng(9)
        return [rng.uniform(-2, 2.5, (1, 12, 10, 3)).astype(np.float32) for _ in range(count)]

    return make
