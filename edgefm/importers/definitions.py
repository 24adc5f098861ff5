# SPDX-License-Identifier: Apache-2.0
"""SqueezeNet and MobileNetV2 written down once: weights under torchvision's names -> float `Graph`.

Names and shapes say almost everything about these networks: every channel count, hence any width.
What they do not say (where a stride or a max pool sits) is in the two tables below; the input size
and the stride of the first convolution come in a `NetworkSize`.

Sources: Iandola et al., "SqueezeNet" (arXiv:1602.07360, versions 1.0 and 1.1) and Sandler et al.,
"MobileNetV2" (arXiv:1801.04381); module numbering as torchvision saves it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput
from edgefm.importers.check import MOST_ELEMENTS
from edgefm.network.graph import Array, Graph, Node, Tensor

Weights = Mapping[str, Array]
Floats = npt.NDArray[np.float32]
Padding = tuple[tuple[int, int], tuple[int, int]]

SQUEEZENET_POOLS: Mapping[int, tuple[int, ...]] = {7: (2, 6, 11), 3: (2, 5, 8)}
"""First kernel -> which of `features` are max pools: 7x7 is version 1.0, 3x3 is version 1.1."""

SQUEEZENET_LAST_FIRE = 12

MOBILENET_V2_STRIDES = (1, 2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
"""Stride of the depthwise convolution in inverted residuals `features.1` to `features.17`."""

BATCH_NORM_EPSILON = 1e-5

NO_PADDING: Padding = ((0, 0), (0, 0))


@dataclass(frozen=True, slots=True)
class NetworkSize:
    """What weights do not tell about a network: input (height, width) and the first stride."""

    input_size: tuple[int, int] = (224, 224)
    first_stride: int = 2


@dataclass(slots=True)
class _Sketch:
    """A graph while it is drawn; `used` collects the names of the weights it has taken."""

    weights: Weights
    tensors: list[Tensor] = field(default_factory=list)
    nodes: list[Node] = field(default_factory=list)
    used: set[str] = field(default_factory=set)


def squeezenet(weights: Weights, name: str, variant: NetworkSize) -> Graph:
    """The float graph of a SqueezeNet 1.0 or 1.1 of any width; the output is [1, classes] logits.

    Raises BadInput, naming the tensor, for one that is missing, superfluous or of another shape,
    and for an input that is too small for the pools.
    """
    sketch = _Sketch(weights)
    kernel = _take(sketch, "features.0.weight", (None, None, None, None)).shape[2]
    if kernel not in SQUEEZENET_POOLS:
        raise BadInput(f"tensor 'features.0.weight' has a kernel of {kernel}, expected 7 "
                       "(SqueezeNet 1.0) or 3 (SqueezeNet 1.1)")
    x = _input(sketch, "features.0.weight", variant)
    x = _conv(sketch, "features.0", x, kernel, "relu", variant.first_stride)
    for index in range(2, SQUEEZENET_LAST_FIRE + 1):
        block = f"features.{index}"
        pool = index in SQUEEZENET_POOLS[kernel]
        x = _ceil_max_pool(sketch, block, x) if pool else _fire(sketch, block, x)
    x = _conv(sketch, "classifier.1", x, 1, "relu")
    x = _global_mean(sketch, "classifier.3", x)
    return _finish(sketch, name, x)


def mobilenet_v2(weights: Weights, name: str, variant: NetworkSize) -> Graph:
    """The float graph of a MobileNetV2 of any width, batch normalization folded; logits out.

    Raises BadInput, naming the tensor, for one that is missing, superfluous or of another shape.
    """
    sketch = _Sketch(weights)
    x = _input(sketch, "features.0.0.weight", variant)
    x = _conv_bn(sketch, "features.0.0", "features.0.1", x, 3, "relu6", variant.first_stride)
    for index, stride in enumerate(MOBILENET_V2_STRIDES, start=1):
        x = _inverted_residual(sketch, f"features.{index}", x, stride)
    last = f"features.{len(MOBILENET_V2_STRIDES) + 1}"
    x = _conv_bn(sketch, f"{last}.0", f"{last}.1", x, 1, "relu6")
    x = _global_mean(sketch, "avgpool", x)
    x = _fully_connected(sketch, "classifier.1", x)
    return _finish(sketch, name, x)


def _fire(sketch: _Sketch, block: str, x: int) -> int:
    """Squeeze to few channels, then 1x1 and 3x3 side by side, joined along the channels."""
    squeezed = _conv(sketch, f"{block}.squeeze", x, 1, "relu")
    ones = _conv(sketch, f"{block}.expand1x1", squeezed, 1, "relu")
    threes = _conv(sketch, f"{block}.expand3x3", squeezed, 3, "relu", pad=1)
    height, width, channels = _size(sketch, ones)
    shape = (1, height, width, channels + _size(sketch, threes)[2])
    return _node(sketch, "concat", block, (ones, threes), shape, {"axis": 3})


def _inverted_residual(sketch: _Sketch, block: str, x: int, stride: int) -> int:
    """Expand 1x1 (absent where the factor is 1), depthwise 3x3, project 1x1; add where x fits."""
    first, norm = f"{block}.conv.0.0", f"{block}.conv.0.1"
    expands = _take(sketch, f"{first}.weight", (None, None, None, None)).shape[2] == 1
    y = _conv_bn(sketch, first, norm, x, 1, "relu6") if expands else x
    at = 1 if expands else 0
    y = _depthwise_bn(sketch, f"{block}.conv.{at}.0", f"{block}.conv.{at}.1", y, stride)
    y = _conv_bn(sketch, f"{block}.conv.{at + 1}", f"{block}.conv.{at + 2}", y, 1, None)
    shape = sketch.tensors[x].shape
    if stride != 1 or shape != sketch.tensors[y].shape:
        return y
    return _node(sketch, "add", block, (x, y), shape, {"activation": None})


def _conv(sketch: _Sketch, name: str, x: int, kernel: int, activation: str | None,
          stride: int = 1, pad: int = 0) -> int:
    """A convolution with its own bias (SqueezeNet)."""
    weight = _kernel(sketch, name, x, kernel)
    bias = _take(sketch, f"{name}.bias", (weight.shape[0],))
    return _convolution(sketch, name, x, (weight, bias), activation, stride, pad)


def _conv_bn(sketch: _Sketch, name: str, norm: str, x: int, kernel: int, activation: str | None,
             stride: int = 1) -> int:
    """A convolution without bias followed by batch normalization (MobileNetV2)."""
    folded = _fold_norm(sketch, norm, _kernel(sketch, name, x, kernel))
    return _convolution(sketch, name, x, folded, activation, stride, kernel // 2)


def _kernel(sketch: _Sketch, name: str, x: int, kernel: int) -> Floats:
    """Weights [O, I, k, k] that fit the input tensor x."""
    return _take(sketch, f"{name}.weight", (None, _size(sketch, x)[2], kernel, kernel))


def _convolution(sketch: _Sketch, name: str, x: int, parameters: tuple[Floats, Floats],
                 activation: str | None, stride: int, pad: int) -> int:
    """A conv2d node; the weight arrives as [O, I, k, k] and is stored as [O, k, k, I]."""
    weight, bias = parameters
    shape = _window_shape(sketch, name, x, weight.shape[0], weight.shape[2], stride, pad)
    inputs = (x, _constant(sketch, f"{name}.weight", weight.transpose(0, 2, 3, 1)),
              _constant(sketch, f"{name}.bias", bias))
    return _node(sketch, "conv2d", name, inputs, shape, _geometry(stride, pad, activation))


def _depthwise_bn(sketch: _Sketch, name: str, norm: str, x: int, stride: int) -> int:
    """A 3x3 depthwise convolution and its batch normalization: [C, 1, 3, 3] -> [1, 3, 3, C]."""
    channels = _size(sketch, x)[2]
    weight, bias = _fold_norm(sketch, norm, _take(sketch, f"{name}.weight", (channels, 1, 3, 3)))
    inputs = (x, _constant(sketch, f"{name}.weight", weight.transpose(1, 2, 3, 0)),
              _constant(sketch, f"{name}.bias", bias))
    shape = _window_shape(sketch, name, x, channels, 3, stride, 1)
    attrs = {**_geometry(stride, 1, "relu6"), "multiplier": 1}
    return _node(sketch, "depthwise_conv2d", name, inputs, shape, attrs)


def _fold_norm(sketch: _Sketch, norm: str, weight: Floats) -> tuple[Floats, Floats]:
    """Weight and bias of the convolution that equals `weight`, then batch normalization `norm`."""
    gamma, beta, mean, variance = (
        _take(sketch, f"{norm}.{part}", (weight.shape[0],)).astype(np.float64)
        for part in ("weight", "bias", "running_mean", "running_var"))
    if variance.min() < 0:
        raise BadInput(f"tensor '{norm}.running_var' holds a negative variance")
    factor = gamma / np.sqrt(variance + BATCH_NORM_EPSILON)
    scaled = weight * factor[:, None, None, None]
    return scaled.astype(np.float32), (beta - mean * factor).astype(np.float32)


def _fully_connected(sketch: _Sketch, name: str, x: int) -> int:
    """A fully connected layer on a [1, C] tensor."""
    weight = _take(sketch, f"{name}.weight", (None, sketch.tensors[x].shape[1]))
    bias = _take(sketch, f"{name}.bias", (weight.shape[0],))
    inputs = (x, _constant(sketch, f"{name}.weight", weight),
              _constant(sketch, f"{name}.bias", bias))
    return _node(sketch, "fully_connected", name, inputs, (1, weight.shape[0]),
                 {"activation": None, "keep_dims": False})


def _ceil_max_pool(sketch: _Sketch, name: str, x: int) -> int:
    """A 3x3 max pool of stride 2 whose last window may hang over the edge (torch's ceil mode).

    With H >= 3 the last window always starts inside the map: the overhang is at most one row.
    """
    height, width, channels = _size(sketch, x)
    if min(height, width) < 3:
        raise BadInput(f"layer {name!r} pools 3x3 but gets a map of {height}x{width}: "
                       "the input size is too small")
    overhang = ((0, (height - 3) % 2), (0, (width - 3) % 2))
    shape = (1, height // 2, width // 2, channels)
    return _node(sketch, "max_pool", name, (x,), shape,
                 {"kernel": (3, 3), "stride": (2, 2), "padding": overhang, "activation": None})


def _global_mean(sketch: _Sketch, name: str, x: int) -> int:
    """The mean over height and width: [1, H, W, C] -> [1, C]."""
    shape = (1, _size(sketch, x)[2])
    return _node(sketch, "mean", name, (x,), shape, {"axes": (1, 2), "keep_dims": False})


def _geometry(stride: int, pad: int, activation: str | None) -> dict[str, Any]:
    """The attributes of a square, symmetric convolution."""
    return {"stride": (stride, stride), "dilation": (1, 1), "padding": ((pad, pad), (pad, pad)),
            "activation": activation}


def _window_shape(sketch: _Sketch, name: str, x: int, channels: int, kernel: int, stride: int,
                  pad: int) -> tuple[int, int, int, int]:
    """The output shape of a square window; BadInput when the map is smaller than the window."""
    height, width, _ = _size(sketch, x)
    rows, columns = ((n + 2 * pad - kernel) // stride + 1 for n in (height, width))
    if rows < 1 or columns < 1:
        raise BadInput(f"layer {name!r} has a {kernel}x{kernel} kernel but gets a map of "
                       f"{height}x{width}: the input size is too small")
    return 1, rows, columns, channels


def _size(sketch: _Sketch, x: int) -> tuple[int, int, int]:
    """Height, width and channels of a map."""
    _, height, width, channels = sketch.tensors[x].shape
    return height, width, channels


def _input(sketch: _Sketch, first_weight: str, variant: NetworkSize) -> int:
    """The graph input; its channels are those that the first weight expects."""
    channels = _take(sketch, first_weight, (None, None, None, None)).shape[1]
    return _add(sketch, Tensor("input", (1, *variant.input_size, channels), "float32"))


def _take(sketch: _Sketch, name: str, shape: tuple[int | None, ...]) -> Floats:
    """The named weight as float32; None in `shape` means any number of at least one."""
    sketch.used.add(name)
    if name not in sketch.weights:
        raise BadInput(f"tensor {name!r} is missing, expected with shape {_spell(shape)}")
    found = sketch.weights[name]
    fits = found.ndim == len(shape) and all(
        n > 0 and want in (None, n) for n, want in zip(found.shape, shape, strict=True))
    if not fits:
        raise BadInput(f"tensor {name!r} has shape {_spell(found.shape)}, "
                       f"expected {_spell(shape)}")
    return found.astype(np.float32)


def _spell(shape: tuple[int | None, ...]) -> str:
    """A shape for a message, `any` where every size will do."""
    return "[" + ", ".join("any" if n is None else str(n) for n in shape) + "]"


def _constant(sketch: _Sketch, name: str, data: Floats) -> int:
    """A constant tensor."""
    packed = np.ascontiguousarray(data)
    return _add(sketch, Tensor(name, packed.shape, "float32", data=packed))


def _node(sketch: _Sketch, op: str, name: str, inputs: tuple[int, ...], shape: tuple[int, ...],
          attrs: Mapping[str, Any]) -> int:
    """Append a node; its one output tensor carries the node's name."""
    if prod(shape) > MOST_ELEMENTS:
        raise BadInput(f"layer {name!r} makes a map of {list(shape)}, expected at most "
                       f"{MOST_ELEMENTS} elements")
    out = _add(sketch, Tensor(name, shape, "float32"))
    sketch.nodes.append(Node(op, name, inputs, (out,), attrs))
    return out


def _add(sketch: _Sketch, tensor: Tensor) -> int:
    sketch.tensors.append(tensor)
    return len(sketch.tensors) - 1


def _finish(sketch: _Sketch, name: str, output: int) -> Graph:
    """The finished graph, once every weight has found its place."""
    unused = sorted(set(sketch.weights) - sketch.used)
    if unused:
        raise BadInput(f"tensor {unused[0]!r} has no place in this network, expected "
                       f"{len(sketch.used)} tensors, got {len(sketch.weights)}")
    return Graph(name, tuple(sketch.tensors), tuple(sketch.nodes), (0,), (output,))
