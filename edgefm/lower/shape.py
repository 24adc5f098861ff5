# SPDX-License-Identifier: Apache-2.0
"""reshape, concat, pack, pad and transpose: rearrangements that have operators of their own."""

from __future__ import annotations

from collections.abc import Sequence

from edgefm.lower.builder import PARTS_MAX, Builder
from edgefm.lower.elementwise import requantized
from edgefm.lower.fixed_point import SHIFT
from edgefm.lower.moves import carried, join, move, settled
from edgefm.lower.row_needs import everything, identity, shifted
from edgefm.network.graph import Node
from edgefm.network.operators import CONVOLUTIONS
from edgefm.network.program import OpKind

ROWS, PIXELS, CHANNELS = range(3)


def axes_of(shape: Sequence[int]) -> tuple[int | None, ...]:
    """What each dimension is to the row stream of `rows_of`: rows, pixels, channels or None."""
    rank = len(shape)
    if rank == 4 or (rank == 3 and shape[0] != 1):
        return (None, ROWS, PIXELS, CHANNELS)[4 - rank:]
    if rank == 3:
        return None, ROWS, CHANNELS
    return (ROWS, CHANNELS)[2 - rank:]


def reshape(b: Builder, node: Node) -> None:
    """VIEW when rows stay rows, else RESHAPE."""
    if node.inputs[0] in b.moved or not carried(b, node.outputs[0]):
        move(b, node)
        return
    b.reshape(node, b.source(node, 0), node.outputs[0])


def concat(b: Builder, node: Node) -> None:
    """CONCAT_ROWS or CONCAT_CHANNELS; pixels side by side are channels of one wide pixel."""
    output = b.graph.tensors[node.outputs[0]]
    parts = [requantized(b, node, k, settled(b, node, k)) for k in range(len(node.inputs))]
    unusual = len(parts) > PARTS_MAX or not carried(b, node.outputs[0])
    if unusual or any(t in b.moved for t in node.inputs):
        join(b, node, parts)
        return
    axis = axes_of(output.shape)[node.attrs["axis"]]
    height, width, channels = b.shape(node, node.outputs[0])
    if axis == ROWS:
        _concat_rows(b, node, parts, height)
        return
    if axis is None:
        raise b.fail(node, f"axis {node.attrs['axis']} of shape {output.shape}", "a batch of 1")
    if axis == PIXELS:
        parts = [b.reshaped(node, p, (height, 1, b.streams[p].width * b.streams[p].channels))
                 for p in parts]
        width, channels = 1, width * channels
    b.emit(node, OpKind.CONCAT_CHANNELS, parts, [identity(height)] * len(parts),
           params=(1,) * len(parts), shape=(height, width, channels))


def pack(b: Builder, node: Node) -> None:
    """Parts side by side, rearranged."""
    join(b, node, [settled(b, node, k) for k in range(len(node.inputs))])


def _concat_rows(b: Builder, node: Node, parts: Sequence[int], height: int) -> None:
    needs, offset = [], 0
    for part in parts:
        needs.append(shifted(offset, b.streams[part].height, height))
        offset += b.streams[part].height
    b.emit(node, OpKind.CONCAT_ROWS, parts, needs)


def pad(b: Builder, node: Node) -> None:
    """Nothing when one convolution takes the padding over, else PAD."""
    tensor = b.tensor(node, 0)
    around = {CHANNELS: (0, 0), ROWS: (0, 0), PIXELS: (0, 0)}
    if node.inputs[0] in b.moved or len(tensor.shape) > 4 or not carried(b, node.outputs[0]):
        move(b, node)
        return
    for axis, edges in zip(axes_of(tensor.shape), node.attrs["padding"], strict=True):
        if any(edges) and axis in (None, CHANNELS):
            move(b, node)
            return
        if axis is not None:
            around[axis] = (int(edges[0]), int(edges[1]))
    top, left = around[ROWS][0], around[PIXELS][0]
    if _folds(b, node):
        b.pads[node.outputs[0]] = (node.inputs[0], top, left)
        b.folded.append(b.graph.tensors[node.outputs[0]].name)
        return
    source = b.source(node, 0)
    b.zero_point(node, node.outputs[0])
    height = b.shape(node, node.outputs[0])[0]
    b.emit(node, OpKind.PAD, (source,), (shifted(top, b.streams[source].height, height),),
           params=(top, left))


def _folds(b: Builder, node: Node) -> bool:
    """True when a single convolution reads the padded map and nothing else does."""
    output = node.outputs[0]
    readers = b.consumers(output)
    return (len(readers) == 1 and readers[0].op in CONVOLUTIONS
            and readers[0].inputs[0] == output and output not in b.graph.outputs
            and node.inputs[0] in b.stream_of and b.tensor(node, 0).dtype in SHIFT
            and len(b.graph.tensors[output].shape) == 4)


def transpose(b: Builder, node: Node) -> None:
    """TRANSPOSE, or a reshape when only dimensions of 1 move."""
    if node.inputs[0] in b.moved or not carried(b, node.outputs[0]):
        move(b, node)
        return
    shape, perm = b.tensor(node, 0).shape, tuple(node.attrs["perm"])
    kept = [axis for axis in perm if shape[axis] != 1]
    if kept == sorted(kept):
        reshape(b, node)
        return
    if len(shape) == 4:
        if shape[0] != 1 or perm[0] != 0:
            raise b.fail(node, f"permutation {perm} of shape {shape}", "the batch of 1 kept first")
        shape, perm = shape[1:], tuple(axis - 1 for axis in perm[1:])
    missing = 3 - len(shape)
    dims = (1,) * missing + tuple(shape)
    order = (*range(missing), *(axis + missing for axis in perm))
    source = b.source(node, 0)
    height = b.shape(node, node.outputs[0])[0]
    b.emit(node, OpKind.TRANSPOSE, (source,), (everything(b.streams[source].height, height),),
           params=(*dims, *order))
