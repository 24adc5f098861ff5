# SPDX-License-Identifier: Apache-2.0
"""Small quantized networks for tests: built by hand one operator at a time, or drawn at random."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from edgefm.network.graph import Array, Graph, Node, Quant, Tensor

Pair = tuple[int, int]
UNPADDED = ((0, 0), (0, 0))
PROBABILITY = {"int8": -128, "uint8": 0}  # zero point of a scale of 1/256
LIMITS = {"int8": (-128, 128), "uint8": (0, 256)}


def scale(*values: float) -> tuple[float, ...]:
    """Scales as model files hold them: float32 numbers."""
    return tuple(float(np.float32(v)) for v in values)


def same(size: int, kernel: int, stride: int = 1, dilation: int = 1) -> tuple[int, Pair]:
    """Output size and (before, after) padding of TFLite's SAME."""
    out = -(-size // stride)
    total = max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - size)
    return out, (total // 2, total - total // 2)


class Network:
    """A graph under construction. Every operator takes tensor indices and gives its output's."""

    def __init__(self, seed: int = 0, dtype: str = "int8", name: str = "net") -> None:
        self.random = np.random.default_rng(seed)
        self.dtype = dtype
        self.name = name
        self.tensors: list[Tensor] = []
        self.nodes: list[Node] = []
        self.inputs: list[int] = []

    def graph(self, *outputs: int) -> Graph:
        """What was built so far."""
        return Graph(self.name, tuple(self.tensors), tuple(self.nodes), tuple(self.inputs), outputs)

    def shape(self, x: int) -> tuple[int, ...]:
        return self.tensors[x].shape

    def tensor(self, shape: Sequence[int], quant: Quant | None = None, dtype: str = "") -> int:
        """A map; its scale is 0.05 and its zero point random where no `quant` is given."""
        dtype = dtype or self.dtype
        if quant is None and dtype in LIMITS:
            zero_point = LIMITS[dtype][0] + 128 + int(self.random.integers(-20, 20))
            quant = Quant(scale(0.05), (zero_point,))
        self.tensors.append(Tensor(f"t{len(self.tensors)}", tuple(shape), dtype, quant))
        return len(self.tensors) - 1

    def constant(self, data: Array, quant: Quant) -> int:
        name = f"c{len(self.tensors)}"
        self.tensors.append(Tensor(name, data.shape, str(data.dtype), quant, data))
        return len(self.tensors) - 1

    def input(self, *shape: int, dtype: str = "") -> int:
        self.inputs.append(self.tensor(shape, dtype=dtype))
        return self.inputs[-1]

    def node(self, op: str, inputs: Sequence[int], shape: Sequence[int], quant: Quant | None = None,
             dtype: str = "", **attrs: Any) -> int:
        out = self.tensor(shape, quant, dtype)
        self.nodes.append(Node(op, f"{op}_{len(self.nodes)}", tuple(inputs), (out,), attrs))
        return out

    # -- weights -----------------------------------------------------------------------------------

    def _weights(self, shape: Sequence[int], axis: int, reduced: int) -> tuple[int, Quant]:
        """Random weights whose products summed over `reduced` values fill the output's range."""
        low, high = LIMITS[self.dtype]
        data = self.random.integers(low, high, shape).astype(self.dtype)
        spread = 0.0073 / reduced ** 0.5
        if self.dtype == "uint8":  # the old type has one scale per tensor
            quant = Quant(scale(spread), (int(self.random.integers(100, 150)),))
        else:
            scales = self.random.uniform(0.5, 1.5, shape[axis]) * spread
            quant = Quant(scale(*scales), (0,) * shape[axis], axis)
        return self.constant(data, quant), quant

    def _bias(self, x: int, weights: Quant, channels: int) -> int:
        scales = tuple(self.tensors[x].scale * s for s in weights.scale)
        data = self.random.integers(-2000, 2000, channels).astype(np.int32)
        axis = 0 if len(scales) > 1 else None
        return self.constant(data, Quant(scales, (0,) * len(scales), axis))

    # -- operators ---------------------------------------------------------------------------------

    def conv(self, x: int, channels: int, kernel: int = 3, stride: int = 1, dilation: int = 1,
             pads: tuple[Pair, Pair] | None = None, activation: str | None = None,
             result: Quant | None = None) -> int:
        """A convolution, SAME unless `pads` are given; `result` is its output's quantization."""
        c = self.shape(x)[3]
        weights, quant = self._weights((channels, kernel, kernel, c), 0, kernel * kernel * c)
        return self._convolution("conv2d", x, weights, quant, channels, kernel, stride, dilation,
                                 pads, activation, result)

    def depthwise(self, x: int, multiplier: int = 1, kernel: int = 3, stride: int = 1,
                  dilation: int = 1, activation: str | None = None) -> int:
        """A SAME depthwise convolution."""
        channels = self.shape(x)[3] * multiplier
        weights, quant = self._weights((1, kernel, kernel, channels), 3, kernel * kernel)
        return self._convolution("depthwise_conv2d", x, weights, quant, channels, kernel, stride,
                                 dilation, None, activation, None, multiplier=multiplier)

    def _convolution(self, op: str, x: int, weights: int, quant: Quant, channels: int, kernel: int,
                     stride: int, dilation: int, pads: tuple[Pair, Pair] | None,
                     activation: str | None, result: Quant | None, **attrs: Any) -> int:
        _, h, w, _ = self.shape(x)
        reach = (kernel - 1) * dilation + 1
        if pads is None:
            (oh, top), (ow, left) = (same(n, kernel, stride, dilation) for n in (h, w))
            pads = top, left
        else:
            oh, ow = ((n + sum(p) - reach) // stride + 1 for n, p in zip((h, w), pads, strict=True))
        bias = self._bias(x, quant, channels)
        return self.node(op, (x, weights, bias), (1, oh, ow, channels), result, padding=pads,
                         stride=(stride, stride), dilation=(dilation, dilation),
                         activation=activation, **attrs)

    def dense(self, x: int, channels: int) -> int:
        """A fully connected layer over a [1, N] tensor."""
        n = self.shape(x)[-1]
        weights, quant = self._weights((channels, n), 0, n)
        if len(quant.scale) > 1:
            quant = Quant(quant.scale[:1], (0,))
            data = self.tensors[weights].data
            assert data is not None
            weights = self.constant(data, quant)
        return self.node("fully_connected", (x, weights, self._bias(x, quant, channels)),
                         (1, channels), activation=None, keep_dims=False)

    def add(self, a: int, b: int, op: str = "add", activation: str | None = None) -> int:
        """add, sub or mul of two maps of one shape."""
        quant = Quant(scale(0.15 if op == "mul" else 0.07), (self.tensors[a].zero_point,))
        return self.node(op, (a, b), self.shape(a), quant, activation=activation)

    def concat(self, *parts: int, axis: int = 3, quant: Quant | None = None) -> int:
        """Parts side by side; on the first part's scale unless `quant` is given."""
        shape = list(self.shape(parts[0]))
        shape[axis] = sum(self.shape(p)[axis] for p in parts)
        return self.node("concat", parts, shape, quant or self.tensors[parts[0]].quant, axis=axis)

    def alike(self, x: int, template: int) -> int:
        """The map on the template's scale, through a requantization."""
        return self.node("quantize", (x,), self.shape(x), self.tensors[template].quant)

    def pool(self, x: int, op: str = "max_pool", kernel: int = 2, stride: int = 2) -> int:
        """A SAME average_pool or max_pool."""
        _, h, w, c = self.shape(x)
        (oh, ph), (ow, pw) = same(h, kernel, stride), same(w, kernel, stride)
        return self.node(op, (x,), (1, oh, ow, c), self.tensors[x].quant, kernel=(kernel, kernel),
                         stride=(stride, stride), padding=(ph, pw), activation=None)

    def mean(self, x: int, keep_dims: bool = False) -> int:
        """The mean over rows and pixels."""
        channels = self.shape(x)[3]
        shape = (1, 1, 1, channels) if keep_dims else (1, channels)
        return self.node("mean", (x,), shape, axes=(1, 2), keep_dims=keep_dims)

    def reshape(self, x: int, *shape: int) -> int:
        return self.node("reshape", (x,), shape, self.tensors[x].quant)

    def flat(self, x: int) -> int:
        """[1, N]"""
        return self.reshape(x, 1, int(np.prod(self.shape(x))))

    def softmax(self, x: int) -> int:
        quant = Quant((1 / 256,), (PROBABILITY[self.dtype],))
        return self.node("softmax", (x,), self.shape(x), quant, beta=1.0)

    def logistic(self, x: int) -> int:
        quant = Quant((1 / 256,), (PROBABILITY[self.dtype],))
        return self.node("logistic", (x,), self.shape(x), quant)

    def relu(self, x: int, op: str = "relu", **attrs: float) -> int:
        """A rectifier, or another unary operator with a scale of its own."""
        return self.node(op, (x,), self.shape(x), **attrs)

    def pad(self, x: int, rows: Pair, pixels: Pair) -> int:
        _, h, w, c = self.shape(x)
        return self.node("pad", (x,), (1, h + sum(rows), w + sum(pixels), c), self.tensors[x].quant,
                         padding=((0, 0), rows, pixels, (0, 0)))

    def resize(self, x: int, height: int, width: int, op: str = "resize_bilinear",
               half_pixel_centers: bool = False) -> int:
        return self.node(op, (x,), (1, height, width, self.shape(x)[3]), self.tensors[x].quant,
                         align_corners=False, half_pixel_centers=half_pixel_centers)

    def transpose(self, x: int, *perm: int) -> int:
        shape = tuple(self.shape(x)[p] for p in perm)
        return self.node("transpose", (x,), shape, self.tensors[x].quant, perm=perm)

    def argmax(self, x: int) -> int:
        return self.node("argmax", (x,), self.shape(x)[:-1], dtype="int32",
                         axis=len(self.shape(x)) - 1)

    def dequantize(self, x: int) -> int:
        return self.node("dequantize", (x,), self.shape(x), dtype="float32")

    def detect(self, x: int, classes: int, most: int = 3) -> tuple[int, ...]:
        """Boxes, classes, scores and count out of one anchor per position of a map; background
        is a class before the `classes`."""
        _, h, w, _ = self.shape(x)
        codes = self.reshape(self.conv(x, 4, kernel=1), 1, h * w, 4)
        logits = self.reshape(self.conv(x, 1 + classes, kernel=1), 1, h * w, 1 + classes)
        anchors = [((i + 0.5) / h, (j + 0.5) / w, 0.8 / h, 0.8 / w)
                   for i in range(h) for j in range(w)]
        real = (self.dequantize(codes), self.dequantize(self.logistic(logits)),
                self.constant(np.array(anchors, np.float32), Quant((1.0,), (0,))))
        found = tuple(self.tensor(shape, dtype="float32")
                      for shape in ((1, most, 4), (1, most), (1, most), (1,)))
        self.nodes.append(Node("detection_postprocess", "boxes", real, found, {
            "max_detections": most, "max_classes_per_detection": 1, "num_classes": classes,
            "y_scale": 10.0, "x_scale": 10.0, "h_scale": 5.0, "w_scale": 5.0,
            "nms_score_threshold": 0.3, "nms_iou_threshold": 0.5, "use_regular_nms": False}))
        return found


# -- random networks -------------------------------------------------------------------------------

Draw = Callable[[Network, list[int]], int]


def _any(net: Network, maps: list[int]) -> int:
    """One of the maps, the newest most often, so that chains and side branches both occur."""
    newest_first = maps[::-1]
    return newest_first[min(int(net.random.geometric(0.6)) - 1, len(maps) - 1)]


def _conv(net: Network, maps: list[int]) -> int:
    kernel, stride, dilation = net.random.choice(
        ((1, 1, 1), (3, 1, 1), (3, 2, 1), (3, 1, 2), (1, 2, 1)))
    return net.conv(_any(net, maps), int(net.random.integers(1, 9)), int(kernel), int(stride),
                    int(dilation), activation=str(net.random.choice(("relu", "relu6"))))


def _depthwise(net: Network, maps: list[int]) -> int:
    kernel, stride = net.random.choice(((3, 1), (3, 2), (5, 1)))
    return net.depthwise(_any(net, maps), int(net.random.integers(1, 3)), int(kernel), int(stride))


def _merge(net: Network, maps: list[int]) -> int:
    """An operator on a map and another of its shape, or one made for it."""
    a = _any(net, maps)
    others = [m for m in maps if m != a and net.shape(m) == net.shape(a)]
    b = int(net.random.choice(others)) if others else net.conv(a, net.shape(a)[3], 1)
    return net.add(a, b, str(net.random.choice(("add", "sub", "mul"))))


def _concat(net: Network, maps: list[int]) -> int:
    """Two branches of one map side by side or one below the other, copied or in place."""
    a = _any(net, maps)
    parts = [net.conv(a, int(net.random.integers(1, 6)), int(net.random.choice((1, 3))))]
    shared = net.tensors[parts[0]].quant if net.random.random() < 0.5 else None
    parts += [net.conv(a, int(net.random.integers(1, 6)), 3, result=shared)
              for _ in range(int(net.random.integers(0, 3)))]
    if net.random.random() < 0.3:
        parts.append(net.depthwise(a))
    axis = 3
    if net.random.random() < 0.3:
        parts, axis = [net.conv(a, 3, 1), net.conv(a, 3, 3, 2)], 1
        _, h, w, _ = net.shape(parts[0])
        parts[1] = net.resize(parts[1], h, w, "resize_nearest")
    if net.random.random() < 0.5:
        parts = [parts[0], *(net.alike(p, parts[0]) for p in parts[1:])]
    return net.concat(*parts, axis=axis)


def _pool(net: Network, maps: list[int]) -> int:
    kernel, stride = net.random.choice(((2, 2), (3, 2), (3, 1)))
    op = str(net.random.choice(("max_pool", "average_pool")))
    return net.pool(_any(net, maps), op, int(kernel), int(stride))


def _resize(net: Network, maps: list[int]) -> int:
    a = _any(net, maps)
    _, h, w, _ = net.shape(a)
    rows, columns = (h, w) if net.dtype == "uint8" else map(int, net.random.integers(0, 4, 2))
    op, half = (("resize_bilinear", False), ("resize_bilinear", True),
                ("resize_nearest", False))[int(net.random.integers(3))]
    return net.resize(a, h + rows, w + columns, op, half)


def _move(net: Network, maps: list[int]) -> int:
    """The same values in other places."""
    a = _any(net, maps)
    _, h, w, c = net.shape(a)
    kind = int(net.random.integers(4))
    if kind == 0:
        return net.reshape(a, 1, w, h, c)
    if kind == 1:
        return net.transpose(a, 0, 2, 1, 3)
    if kind == 2:
        top, left = (int(v) for v in net.random.integers(0, 3, 2))
        return net.pad(a, (top, 1), (left, 0))
    return net.reshape(a, 1, h * w, 1, c)


def _point(net: Network, maps: list[int]) -> int:
    a = _any(net, maps)
    return [lambda: net.softmax(a), lambda: net.logistic(a), lambda: net.relu(a),
            lambda: net.relu(a, "relu6")][int(net.random.integers(4))]()


DRAWS: tuple[tuple[int, Draw], ...] = (
    (5, _conv), (4, _depthwise), (3, _merge), (2, _concat), (2, _pool), (1, _resize), (1, _move),
    (1, _point))


def random_network(seed: int) -> Graph:
    """Some two to twenty operators with branches, one or two inputs and one to three outputs."""
    random = np.random.default_rng(seed)
    net = Network(seed, str(random.choice(("int8", "int8", "uint8"))), f"random{seed}")
    maps = [net.input(1, *(int(v) for v in random.integers((5, 5, 1), (18, 14, 5))))
            for _ in range(int(random.choice((1, 1, 1, 2))))]
    weights = np.array([w for w, _ in DRAWS], float)
    for _ in range(int(random.integers(2, 10))):
        draw = DRAWS[int(random.choice(len(DRAWS), p=weights / weights.sum()))][1]
        made = draw(net, maps)
        if np.prod(net.shape(made)) < 4000:
            maps.append(made)
    outputs = [_ending(net, maps[-1], int(random.integers(6)))]
    read = {t for node in net.nodes for t in node.inputs}
    outputs += [t for t in maps[:-1] if t not in read and t not in net.inputs][:2]
    return net.graph(*dict.fromkeys(outputs))


def _ending(net: Network, x: int, kind: int) -> int:
    """How the network ends: classifier, mask, or the map itself."""
    if kind == 0:
        return net.softmax(net.dense(net.flat(x), 5))
    if kind == 1:
        return net.softmax(net.dense(net.mean(x), 4))
    if kind == 2:
        return net.argmax(x)
    if kind == 3:
        return net.mean(x, keep_dims=True)
    if kind == 4:
        return net.dequantize(x)
    return x


def small_classifier() -> Graph:
    net = Network(11, name="small")
    x = net.conv(net.input(1, 20, 24, 3), 8, activation="relu6")
    x = net.conv(net.depthwise(x, stride=2), 12, 1)
    return net.graph(net.softmax(net.dense(net.mean(x), 4)))
