# SPDX-License-Identifier: Apache-2.0
"""Other coordinates for a map's channels, folded into the operators that write and read it.

A group is a set of maps that one change of coordinates y = A x must hit together: what convolutions
write, the sums those enter, and what convolutions read again. Writers get A W and A b, readers
W inverse(A); sums of maps stay sums. Nothing is computed at run time: the result is an ordinary
integer graph, exact to its own .tflite. A diagonal A is a step per channel, since a map has one
scale; then writers change their scales only, rectified maps may take part (relu scales with its
input, relu6 where the cap is out of reach), and depthwise readers too, whose scales it becomes.

The weights of a reader that is not a depthwise convolution are rounded again, and so are those of a
writer when A mixes channels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgefm.network.graph import Graph, Node, Quant, Tensor
from edgefm.network.operators import CONVOLUTIONS, output_axis
from edgefm.quantization.refine import rounded

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class ChannelGroup:
    """Maps that share channels: `maps` in order of index; which nodes write and read them.

    `mixable`: any invertible A will do, not only a diagonal one.
    """

    maps: tuple[int, ...]
    writers: tuple[Node, ...]
    readers: tuple[Node, ...]
    mixable: bool


def maps_read(graph: Graph, group: ChannelGroup) -> tuple[int, ...]:
    """The maps of a group that a convolution reads; the others are only summands."""
    return tuple(t for t in group.maps if any(t in node.inputs for node in group.readers))


def bottlenecks(graph: Graph) -> list[ChannelGroup]:
    """Groups without a relu6 that convolutions read which make more channels of them: MobileNetV2's
    linear bottlenecks, SqueezeNet's squeezed maps."""
    return [group for group in channel_groups(graph)
            if all(node.attrs["activation"] != "relu6" for node in group.writers)
            and all(node.op == "conv2d" and _outputs(graph, node) > _channels(graph, group)
                    for node in group.readers)]


def _outputs(graph: Graph, node: Node) -> int:
    return graph.tensors[node.outputs[0]].shape[-1]


def _channels(graph: Graph, group: ChannelGroup) -> int:
    return graph.tensors[group.maps[0]].shape[-1]


@dataclass(frozen=True, slots=True, eq=False)
class Taps:
    """What the K taps of a convolution hold: their mean [K] and covariance [K, K], real units."""

    mean: Floats
    covariance: Floats

    def through(self, matrix: Floats) -> Taps:
        """The same taps when their C channels, the fastest of K, are mixed by a matrix [C, C]."""
        blocks = np.kron(np.eye(len(self.mean) // len(matrix)), matrix)
        return Taps(blocks @ self.mean, blocks @ self.covariance @ blocks.T)


def channel_groups(graph: Graph) -> list[ChannelGroup]:
    """Every group of an int8 or float graph that can change its coordinates, in order of its first
    map."""
    found = {maps[0]: maps for maps in _tied(graph)}
    made = (_group(graph, maps) for _, maps in sorted(found.items()))
    return [group for group in made if group]


def _tied(graph: Graph) -> Iterator[tuple[int, ...]]:
    """Computed maps, tied where an add joins them."""
    group = {t: {t} for node in graph.nodes for t in node.outputs}
    for node in graph.nodes:
        if node.op == "add":
            joined: set[int] = set()
            for t in (*node.inputs, *node.outputs):
                joined |= group.get(t, {t})
            group.update(dict.fromkeys(joined, joined))
    for members in group.values():
        yield tuple(sorted(members))


def _group(graph: Graph, maps: tuple[int, ...]) -> ChannelGroup | None:
    members = set(maps)
    writers = [node for node in graph.nodes if members.intersection(node.outputs)]
    readers = [node for node in graph.nodes if members.intersection(node.inputs)]
    sums = [node for node in writers if node.op == "add"]
    writers = [node for node in writers if node.op != "add"]
    readers = [node for node in readers if node.op != "add"]
    ends = members.intersection((*graph.inputs, *graph.outputs))
    shapes = {graph.tensors[t].shape for t in maps}
    if (ends or len(shapes) != 1 or not writers or not readers
            or any(node.attrs["activation"] for node in sums)
            or not all(_own_constants(graph, node) for node in (*writers, *readers))
            or any(node.inputs[0] not in members for node in readers)
            or any(node.attrs["activation"] not in (None, "relu", "relu6") for node in writers)
            or any(graph.tensors[t].dtype not in ("int8", "float32") for t in maps)):
        return None
    if any(node.op == "depthwise_conv2d" and node.attrs["multiplier"] != 1 for node in readers):
        return None
    mixable = (all(node.op == "conv2d" and not node.attrs["activation"] for node in writers)
               and all(node.op == "conv2d" for node in readers))
    return ChannelGroup(maps, tuple(writers), tuple(readers), mixable)


def _own_constants(graph: Graph, node: Node) -> bool:
    """Weights, with a scale per channel if they are integers, and a bias, both constant and read by
    this node alone."""
    if node.op not in CONVOLUTIONS or node.inputs[2] < 0:
        return False
    uses = [t for other in graph.nodes for t in other.inputs]
    weights, bias = (graph.tensors[t] for t in node.inputs[1:])
    return (weights.data is not None and bias.data is not None
            and (weights.dtype == "float32" or _per_channel(weights, bias, output_axis(node.op)))
            and all(uses.count(t) == 1 for t in node.inputs[1:]))


def _per_channel(weights: Tensor, bias: Tensor, axis: int) -> bool:
    return (weights.quant is not None and bias.quant is not None
            and len(weights.quant.scale) == len(bias.quant.scale) == weights.shape[axis])


def transformed(graph: Graph, group: ChannelGroup, matrix: Floats, quants: Mapping[int, Quant],
                seen: Mapping[int, Taps]) -> Graph:
    """`graph` with y = matrix x for every map x of the group; `quants` are their new scales.

    A matrix [C] stands for a diagonal one. The group must be `mixable` for any other. Where weights
    are rounded again, `seen` (by these weights) says what their taps hold: the error of each weight
    is passed on to the others, and the bias cancels the average of the remaining error.
    """
    tensors = list(graph.tensors)
    for t, quant in quants.items():
        tensors[t] = replace(tensors[t], quant=quant)
    for node in group.writers:
        _write(graph, tensors, node, matrix, seen.get(node.inputs[1]))
    for node in group.readers:
        _read(graph, tensors, node, matrix, seen.get(node.inputs[1]))
    return replace(graph, tensors=tuple(tensors))


def _write(graph: Graph, tensors: list[Tensor], node: Node, matrix: Floats,
           seen: Taps | None) -> None:
    """The outputs of a convolution in new coordinates."""
    rows, bias = _real_weights(graph, node), _real_bias(graph, node)
    old = graph.tensors[node.inputs[1]].quant
    assert old is not None
    if matrix.ndim == 1:
        shape = [1] * rows.ndim
        shape[output_axis(node.op)] = -1
        _put(tensors, node, rows * matrix.reshape(shape), bias * matrix,
             np.array(old.scale) * matrix)
    else:
        mixed = np.tensordot(matrix, rows, axes=(1, 0))
        _put(tensors, node, mixed, matrix @ bias, _fitting(mixed), seen)


def _read(graph: Graph, tensors: list[Tensor], node: Node, matrix: Floats,
          seen: Taps | None) -> None:
    """The inputs of a convolution in new coordinates; they are the last axis of its weights."""
    rows, bias = _real_weights(graph, node), _real_bias(graph, node)
    old = graph.tensors[node.inputs[1]].quant
    assert old is not None
    if node.op == "depthwise_conv2d":
        _put(tensors, node, rows / matrix, bias, np.array(old.scale) / matrix)
        return
    whole = np.diag(matrix) if matrix.ndim == 1 else matrix
    mixed = rows / matrix if matrix.ndim == 1 else rows @ np.linalg.inv(matrix)
    _put(tensors, node, mixed, bias, _fitting(mixed), seen and seen.through(whole))


def _fitting(rows: Floats) -> Floats:
    """Scales [O] at which the largest weight of each output channel is 127."""
    peaks = np.abs(rows.reshape(len(rows), -1)).max(axis=1)
    return np.asarray(np.where(peaks > 0, peaks, 1.0) / 127)


def _real_weights(graph: Graph, node: Node) -> Floats:
    tensor = graph.tensors[node.inputs[1]]
    assert tensor.data is not None and tensor.quant is not None
    shape = [1] * tensor.data.ndim
    shape[output_axis(node.op)] = -1
    return np.asarray(tensor.data * np.array(tensor.quant.scale).reshape(shape), np.float64)


def _real_bias(graph: Graph, node: Node) -> Floats:
    tensor = graph.tensors[node.inputs[2]]
    assert tensor.data is not None and tensor.quant is not None
    return np.asarray(tensor.data * np.array(tensor.quant.scale), np.float64)


def _put(tensors: list[Tensor], node: Node, rows: Floats, bias: Floats, scale: Floats,
         seen: Taps | None = None) -> None:
    """Store real weights and biases at scales that are float32 numbers, as in model files."""
    scale = scale.astype(np.float32).astype(np.float64)
    axis = output_axis(node.op)
    shape = [1] * rows.ndim
    shape[axis] = -1
    if seen is None:
        steps = np.clip(np.rint(rows / scale.reshape(shape)), -128, 127)
    else:
        flat = rows.reshape(len(rows), -1)
        steps = rounded(flat[None], scale[None], seen.covariance[None])[0]
        bias = bias + (flat - steps * scale[:, None]) @ seen.mean
    steps = steps.reshape(rows.shape).astype(np.int8)
    entry = tensors[node.inputs[0]].scale
    bias_scale = (scale * entry).astype(np.float32).astype(np.float64)
    zeros = (0,) * len(scale)
    w, b = node.inputs[1], node.inputs[2]
    tensors[w] = replace(tensors[w], data=np.ascontiguousarray(steps),
                         quant=Quant(tuple(map(float, scale)), zeros, axis))
    tensors[b] = replace(tensors[b], data=np.rint(bias / bias_scale).astype(np.int32),
                         quant=Quant(tuple(map(float, bias_scale)), zeros, 0))
