# SPDX-License-Identifier: Apache-2.0
"""mean, sum, reduce_max and reduce_min over any dimensions.

The runtime reduces the pixels of a row, or pixels and rows. Channels are made pixels for it: a row
is also one pixel of one channel after the other.
"""

from __future__ import annotations

from dataclasses import replace

from edgefm.lower.builder import FLIP, Builder
from edgefm.lower.fixed_point import clamps
from edgefm.lower.row_needs import everything, identity
from edgefm.lower.shape import CHANNELS, PIXELS, ROWS, axes_of
from edgefm.lower.spatial import CELLS_MAX
from edgefm.network.graph import Node
from edgefm.network.program import OpKind
from edgefm.ops.pool import mean_factor

_MULTIPLY = 0  # a mode of MEAN
_KERNEL_MAX = 1 << 16  # of MAX_POOL


def mean(b: Builder, node: Node) -> None:
    """mean and sum -> MEAN, which takes in rows, or ROW_MEAN of each row."""
    tensor, output = b.tensor(node, 0), b.graph.tensors[node.outputs[0]]
    for index in (node.inputs[0], node.outputs[0]):
        b.zero_point(node, index)
    ratio = tensor.scale / output.scale
    b.check_factors(node, ratio)
    reduced = _reduced(b, node)
    source = _as_pixels(b, node, reduced)
    stream, over_rows = b.streams[source], _takes_rows(reduced)
    count = stream.width * (stream.height if over_rows else 1)
    if count > CELLS_MAX:
        raise b.fail(node, f"{count} values to add", f"at most {CELLS_MAX}")
    factor = mean_factor(ratio, count if node.op == "mean" else 1)
    b.emit(node, OpKind.MEAN if over_rows else OpKind.ROW_MEAN, (source,),
           (identity(stream.height),), scratch=4 * stream.channels, accumulates=over_rows,
           params=(int(factor.m[0]), int(factor.shift[0]), _MULTIPLY, *clamps(output, None)),
           shape=(1 if over_rows else stream.height, 1, stream.channels))


def extreme(b: Builder, node: Node) -> None:
    """reduce_max -> MAX_POOL of each row, then of the rows; the smallest value is the largest of
    those in the opposite order."""
    for index in (node.inputs[0], node.outputs[0]):
        b.zero_point(node, index)
    source, reduced = b.source(node, 0), _reduced(b, node)
    height, width, channels = b.shape(node, node.inputs[0])
    if node.op == "reduce_min":
        source = b.flipped(node, source)
    if CHANNELS in reduced:
        source = b.reshaped(node, source, (height, width * channels, 1))
        source = _pooled(b, node, source,
                         (1, width * channels if PIXELS in reduced else channels))
    elif PIXELS in reduced:
        source = _pooled(b, node, source, (1, width))
    if ROWS in reduced:
        source = _pooled(b, node, source, (height, 1))
    if node.op == "reduce_max":
        b.reshape(node, source, node.outputs[0])
        return
    stream = b.streams[source]
    b.emit(node, OpKind.LUT, (source,), (identity(stream.height),), weights=FLIP,
           shape=(stream.height, stream.width, stream.channels))


def _reduced(b: Builder, node: Node) -> set[int]:
    """What is reduced of rows, pixels and channels; of what there is one, nothing is."""
    shape = b.tensor(node, 0).shape
    places = axes_of(shape)
    found = (places[axis] for axis in node.attrs["axes"] if shape[axis] > 1)
    return {place for place in found if place is not None}


def _takes_rows(reduced: set[int]) -> bool:
    return ROWS in reduced and (CHANNELS not in reduced or PIXELS in reduced)


def _as_pixels(b: Builder, node: Node, reduced: set[int]) -> int:
    """The input with what is reduced as the pixels of its rows, or as rows and pixels."""
    source = b.source(node, 0)
    height, width, channels = b.shape(node, node.inputs[0])
    if CHANNELS not in reduced:
        spread = PIXELS not in reduced
        return b.reshaped(node, source, (height, 1, width * channels)) if spread else source
    if reduced >= {ROWS, CHANNELS} and width == 1:
        reduced.add(PIXELS)
    if PIXELS in reduced:
        return b.reshaped(node, source, (height, width * channels, 1))
    if ROWS not in reduced:
        return b.reshaped(node, source, (height * width, channels, 1))
    turned = replace(b.streams[source], name=f"{b.streams[source].name}:turned", height=width,
                     width=height, tensor=-1)
    source = b.append(f"{node.name}:turned", OpKind.TRANSPOSE, source, turned,
                      everything(height, width), params=(height, width, channels, 1, 0, 2))
    return b.reshaped(node, source, (width, height * channels, 1))


def _pooled(b: Builder, node: Node, source: int, window: tuple[int, int]) -> int:
    """The largest value of each window; windows do not overlap."""
    stream = b.streams[source]
    if max(window) > _KERNEL_MAX:
        raise b.fail(node, f"a largest value of {max(window)}", f"at most {_KERNEL_MAX}")
    result = replace(stream, name=f"{node.name}:largest", height=stream.height // window[0],
                     width=stream.width // window[1], tensor=-1, parent=-1)
    needs = identity(stream.height) if window[0] == 1 else everything(stream.height, 1)
    return b.append(f"{node.name}:largest", OpKind.MAX_POOL, source, result, needs,
                    params=(*window, *window, 0, 0, -128, 127))
