# SPDX-License-Identifier: Apache-2.0
"""The network as importers deliver it: tensors, nodes, nothing else.

A `Graph` is in execution order and channel-last. Operators carry TFLite's meaning under the names
below; geometry is explicit (a SAME padding is resolved by the importer), so that no later pass has
to know where a model came from.

| op | inputs | attrs |
|---|---|---|
| conv2d | x [1,H,W,I], w [O,kh,kw,I], bias [O] or -1 | stride, dilation, padding; activation |
| depthwise_conv2d | x, w [1,kh,kw,I*M], bias or -1 | as conv2d, and multiplier M |
| fully_connected | x, w [O,I], bias or -1 | activation, keep_dims |
| add, sub, mul | a, b (broadcast as NumPy does; either may be constant) | activation |
| div | a, b (either may be constant) | activation |
| maximum, minimum, squared_difference | a, b (either may be constant) | - |
| prelu | x, slope below zero (constant or not) | - |
| concat | x0, x1, ... | axis (>= 0) |
| average_pool, max_pool | x | kernel, stride (h, w); padding; activation |
| mean, sum, reduce_max, reduce_min | x | axes (>= 0), keep_dims |
| softmax | x | beta |
| log_softmax, l2_normalization | x (over the last dimension) | - |
| batch_matmul | a [...,M,K], b [...,K,N] | adj_x, adj_y: the last two dimensions change places |
| logistic, relu, relu6, hard_swish | x | - |
| relu_n1_to_1, relu_0_to_1, tanh, elu, exp, log, abs, neg, sqrt, rsqrt | x | - |
| gelu | x | approximate (by tanh, not erf) |
| leaky_relu | x | alpha (the slope below zero) |
| reshape | x | - (the output tensor's shape; squeeze and flatten are reshapes) |
| pad | x | padding: (before, after) per dimension |
| pad_with | x | padding; value (of the tensor's type) |
| mirror_pad | x | padding; reflect (the edge is not repeated) or not |
| slice | x | begin, size, stride per dimension; dropped: dimensions of 1 that the output lacks |
| tile | x | repeats, per dimension of the output |
| gather | x | axis, indices (of any shape: the output's tells it) |
| depth_to_space, space_to_depth | x | block |
| space_to_batch | x | block (h, w); padding of rows and columns |
| batch_to_space | x | block (h, w); crops of rows and columns |
| pack | x0, x1, ... | axis (of the output) |
| transpose | x | perm |
| quantize, dequantize | x | - |
| resize_bilinear, resize_nearest | x | align_corners, half_pixel_centers |
| argmax, argmin | x | axis (>= 0) |
| detection_postprocess | boxes [1,N,4], scores [1,N,C], anchors [N,4] | its options by name |

`activation` is None, "relu", "relu6" or "relu_n1_to_1". `stride` and `dilation` are (h, w),
`padding` is ((top, bottom), (left, right)) in rows and columns.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy.typing as npt

from edgefm.network.operators import LINEAR

Array = npt.NDArray[Any]

MOST_NAME: Final = 1024  # characters of a tensor's name


@dataclass(frozen=True, slots=True)
class Quant:
    """Affine quantization: real = scale * (q - zero_point), per tensor or along `axis`."""

    scale: tuple[float, ...]
    zero_point: tuple[int, ...]
    axis: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Tensor:
    """One edge of the graph; `data` is set for constants and then has `shape` and `dtype`."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    quant: Quant | None = None
    data: Array | None = None

    @property
    def scale(self) -> float:
        """The per-tensor scale; ValueError when the tensor has none or one per channel."""
        if self.quant is None or len(self.quant.scale) != 1:
            raise ValueError(f"tensor {self.name!r} has no single scale")
        return self.quant.scale[0]

    @property
    def zero_point(self) -> int:
        """The per-tensor zero point; ValueError when there is none or one per channel."""
        if self.quant is None or len(set(self.quant.zero_point)) != 1:
            raise ValueError(f"tensor {self.name!r} has no single zero point")
        return self.quant.zero_point[0]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One operator; indices point into `Graph.tensors`, -1 means "left out"."""

    op: str
    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    attrs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Graph:
    """A network: nodes in an order in which they can run.

    Importers see to it that no two tensors have the same name (`with_distinct_names`), so that
    passes and files may use names as keys; comparisons of values go by index.
    """

    name: str
    tensors: tuple[Tensor, ...]
    nodes: tuple[Node, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    def __repr__(self) -> str:
        return f"<Graph {self.name}: {len(self.nodes)} operators, {len(self.tensors)} tensors>"

    def producer(self) -> dict[int, int]:
        """Map each computed tensor to the node that makes it."""
        return {t: i for i, node in enumerate(self.nodes) for t in node.outputs}

    def is_float(self) -> bool:
        """True when the network still computes in float32: its weights, or all without any."""
        weights = [node.inputs[1] for node in self.nodes
                   if node.op in LINEAR]
        if not weights:
            return all(tensor.quant is None for tensor in self.tensors)
        return any(self.tensors[t].dtype == "float32" for t in weights)


def distinct(names: Sequence[str], taken: Collection[str] = ()) -> list[str]:
    """The names, each once: one that is in `taken` or was there before gets its index.

    No made name equals one that was given. Empty names become `tensor_INDEX`, long ones are cut.
    """
    given, used = {*names, *taken}, set(taken)
    made = []
    for i, name in enumerate(names):
        one = name[:MOST_NAME] or f"tensor_{i}"
        while one in used or (one != name and one in given):
            one = f"{one}#{i}"
        used.add(one)
        made.append(one)
    return made


def with_distinct_names(tensors: Sequence[Tensor]) -> list[Tensor]:
    """The tensors under names of which each is there once; most stay as they are."""
    names = distinct([tensor.name for tensor in tensors])
    return [tensor if tensor.name == name else replace(tensor, name=name)
            for tensor, name in zip(tensors, names, strict=True)]


def rows_of(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """The row stream of a shape: (height, width, channels).

    [1,H,W,C] -> (H, W, C); [1,A,B] -> (A, 1, B); [A,B,C] -> (A, B, C); [A,B] -> (A, 1, B);
    [N] -> (1, 1, N); [] -> (1, 1, 1). Raises ValueError for a batch other than 1 and for more
    dimensions.
    """
    if len(shape) >= 4:
        if shape[0] != 1 or len(shape) > 4:
            raise ValueError(f"shape {shape} is not a batch of one image")
        return shape[1], shape[2], shape[3]
    if len(shape) == 3:
        return (shape[1], 1, shape[2]) if shape[0] == 1 else (shape[0], shape[1], shape[2])
    if len(shape) == 2:
        return shape[0], 1, shape[1]
    return 1, 1, shape[0] if shape else 1
