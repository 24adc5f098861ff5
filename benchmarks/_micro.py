# SPDX-License-Identifier: Apache-2.0
"""Small networks that have every kind of work in many sizes, for counts of its units.

They are drawn at random from seeds. None of them is a network that predictions are tested on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from edgefm.network.graph import Graph, Quant, Tensor
from tests.support.networks import Network, scale

CHANNELS = (1, 3, 8, 12, 16, 20, 24, 32, 36, 40, 48, 56, 64, 80, 96, 100, 128, 160, 192, 256)


class Maker:
    """Operators of sizes that a seed draws."""

    def __init__(self, seed: int, dtype: str = "int8") -> None:
        self.random = np.random.default_rng(seed)
        self.net = Network(seed, dtype, f"micro {dtype} {seed}")

    def one_of(self, *values: int) -> int:
        return int(self.random.choice(values))

    def channels(self, most: int = 256) -> int:
        return self.one_of(*(c for c in CHANNELS if c <= most))

    def activation(self) -> str | None:
        return (None, "relu6")[self.one_of(0, 1)]

    def most_for(self, *wanted: int, depth: int) -> int:
        """Channels whose products stay few enough to be counted soon."""
        return max(8, min(256, 600_000 // max(depth, 1)))


def convolutions(m: Maker) -> Graph:
    """Windows of one pixel and of more, on maps of many sizes."""
    net, side = m.net, m.one_of(5, 7, 9, 12, 16, 21)
    x = net.input(1, side, side + m.one_of(0, 1, 3), m.channels(64))
    for _ in range(6):
        _, h, w, c = net.shape(x)
        kernel = m.one_of(1, 1, 3, 3, 5)
        stride = m.one_of(1, 1, 1, 2) if min(h, w) > 4 else 1
        depth = h * w * kernel * kernel * c // stride ** 2
        x = net.conv(x, m.channels(m.most_for(depth=depth)), kernel, stride,
                     activation=m.activation())
    return net.graph(net.conv(x, 8, 1))


def residuals(m: Maker) -> Graph:
    """Windows of 3x3 on as many channels as networks have, and sums on other scales."""
    net, side, wide = m.net, m.one_of(6, 8, 11, 16, 20), m.one_of(8, 16, 24, 32, 48, 64)
    while side > 5 and side * side * wide * wide > 200_000:
        side -= 3
    x = net.conv(net.input(1, side, side, m.one_of(3, 8)), wide, 1, activation=m.activation())
    for _ in range(2):
        stride = m.one_of(1, 1, 2)
        y = net.conv(x, wide, 3, stride, activation=m.activation())
        zero_point = 123 if net.dtype == "uint8" else -5
        z = net.conv(x, net.shape(y)[3], 1, stride, result=Quant(scale(0.03), (zero_point,)))
        x = net.add(y, z, activation=m.activation())
    return net.graph(x)


def pointwise(m: Maker) -> Graph:
    """Windows of one pixel alone, narrow and wide by turns."""
    net, side = m.net, m.one_of(1, 2, 3, 4, 6, 7, 10, 14, 20)
    x = net.input(1, side, m.one_of(side, side, side + 5), m.channels(128))
    for _ in range(6):
        depth = int(np.prod(net.shape(x)))
        x = net.conv(x, m.channels(m.most_for(depth=depth)), 1, activation=m.activation())
    return net.graph(x)


def odd_channels(m: Maker) -> Graph:
    """Numbers of channels that no vector divides."""
    net, side = m.net, m.one_of(2, 3, 5, 6, 9, 12)
    x = net.input(1, side, side, m.one_of(5, 10, 18, 27))
    for _ in range(3):
        x = net.conv(x, m.one_of(10, 18, 27, 35, 62, 106), m.one_of(1, 1, 1, 3),
                     activation=m.activation())
    return net.graph(net.depthwise(x, activation=m.activation()))


def zeros(m: Maker) -> Graph:
    """Windows whose weights have a zero point, as those of uint8 have."""
    net, side = Network(m.one_of(*range(1000)), "uint8", "micro zeros"), m.one_of(14, 19, 24, 30)
    x = net.conv(net.input(1, side, side, m.one_of(1, 3)), m.one_of(8, 16, 24), m.one_of(3, 5),
                 m.one_of(1, 2), activation="relu6")
    x = net.depthwise(x, kernel=m.one_of(3, 5), stride=m.one_of(1, 2), activation=m.activation())
    x = net.conv(x, m.one_of(16, 24, 32, 40), m.one_of(1, 3), dilation=m.one_of(1, 2))
    x = net.depthwise(x, kernel=m.one_of(3, 5), activation="relu6")
    x = net.conv(net.pool(x), m.one_of(32, 48, 64), 1)
    return net.graph(net.dense(net.mean(x), m.one_of(4, 10, 30)))


def depthwise(m: Maker) -> Graph:
    net, side = m.net, m.one_of(4, 6, 7, 11, 14, 20, 28)
    channels = m.channels(192 if side < 20 else 64)
    x = net.input(1, side, side + m.one_of(0, 1, 2, 9), channels)
    for _ in range(5):
        _, h, w, _ = net.shape(x)
        kernel, stride = m.one_of(3, 3, 3, 5), m.one_of(1, 1, 2) if min(h, w) > 4 else 1
        x = net.depthwise(x, kernel=kernel, stride=stride, activation=m.activation())
    if m.one_of(0, 1) and channels <= 64:
        x = net.depthwise(x, multiplier=2, activation="relu6")
    return net.graph(x)


def few_channels(m: Maker) -> Graph:
    """The first layers of networks: pictures of one channel or three."""
    net = m.net
    x = net.input(1, m.one_of(20, 24, 33, 40), m.one_of(10, 20, 33, 48), m.one_of(1, 3))
    if net.shape(x)[3] == 1 and m.one_of(0, 1):
        x = net.depthwise(x, m.one_of(4, 8, 16), stride=m.one_of(1, 2), activation="relu6",
                          kernel=m.one_of(3, 5))
    else:
        x = net.conv(x, m.one_of(8, 16, 24, 32), m.one_of(3, 3, 5, 7), m.one_of(1, 2),
                     activation=m.activation())
    return net.graph(net.depthwise(x, stride=m.one_of(1, 2), activation="relu6"))


def dense(m: Maker) -> Graph:
    net = m.net
    x = net.input(1, m.one_of(10, 64, 196, 256, 500, 640))
    for _ in range(5):
        x = net.dense(x, m.one_of(2, 8, 10, 12, 64, 100, 128, 200, 256, 640))
    return net.graph(net.softmax(net.dense(x, m.one_of(2, 5, 10, 100))))


def values(m: Maker) -> Graph:
    """Operators whose work is by values."""
    net, side = m.net, m.one_of(4, 7, 9, 14)
    a = net.input(1, side, side + m.one_of(0, 3), m.channels(96))
    b = net.conv(a, net.shape(a)[3], 1)
    x = net.add(a, b, ("add", "sub", "mul")[m.one_of(0, 1, 2)], m.activation())
    x = net.add(x, net.relu(b), "add")
    x = net.logistic(x) if m.one_of(0, 1) else net.relu(x, "relu6")
    y = net.pool(x, ("average_pool", "max_pool")[m.one_of(0, 1)], m.one_of(2, 3), m.one_of(1, 2))
    z = net.pad(y, (1, m.one_of(0, 1)), (0, m.one_of(1, 2)))
    _, h, w, _ = net.shape(z)
    kind = m.one_of(0, 1, 2, 3)
    if kind == 0:
        z = net.resize(z, 2 * h, 2 * w, ("resize_bilinear", "resize_nearest")[m.one_of(0, 1)])
    elif kind == 1:
        z = net.transpose(z, 0, 2, 1, 3)
    elif kind == 2:
        z = net.softmax(z)
    else:
        z = net.concat(z, net.conv(z, m.channels(32), 1))
    return net.graph(z)


def endings(m: Maker) -> Graph:
    """Means, average pools over the map, gates, tables and softmax."""
    net, side = m.net, m.one_of(3, 4, 7, 8, 12)
    x = net.input(1, side, side, m.channels(192))
    c = net.shape(x)[3]
    if m.one_of(0, 1):
        gate = net.logistic(net.conv(net.mean(x, keep_dims=True), c, 1))
        x = net.add(x, gate, "mul")
    y = (net.pool(x, "average_pool", side, side) if m.one_of(0, 1)
         else net.mean(x, keep_dims=True))
    y = net.flat(y)
    return net.graph(net.softmax(net.dense(y, m.one_of(2, 4, 10, 35, 100))))


KINDS: tuple[tuple[Callable[[Maker], Graph], int], ...] = (
    (convolutions, 14), (pointwise, 10), (depthwise, 12), (few_channels, 12), (dense, 4),
    (values, 14), (endings, 10), (residuals, 20),
    (few_channels, 14), (odd_channels, 8), (zeros, 14))


def networks() -> Iterator[Graph]:
    """All of them; some have uint8 maps, whose weights have a zero point."""
    seed = 1000
    for make, count in KINDS:
        for n in range(count):
            seed += 1
            made = make(Maker(seed, "uint8" if n % 5 == 4 else "int8"))
            yield made if n % 4 == 3 else with_smaller_weights(made, 4 if n % 2 == 0 else 1)


def with_smaller_weights(graph: Graph, divisor: int) -> Graph:
    """The same with weights as trained networks have them: none is -128, and with a divisor they
    are small. Some kernels have less to do with those."""
    def smaller(tensor: Tensor) -> Tensor:
        if tensor.data is None or tensor.data.dtype != np.int8:
            return tensor
        data = np.maximum(tensor.data, -127) if divisor == 1 else tensor.data // divisor
        return replace(tensor, data=data.astype(np.int8))

    return replace(graph, tensors=tuple(smaller(tensor) for tensor in graph.tensors))
