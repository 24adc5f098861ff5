# SPDX-License-Identifier: Apache-2.0
"""Operators that give values other places -> GATHER.

What such an operator does is done to a map of positions instead of values. A result that no stream
can carry (five dimensions, many batches) stays such a map until an operator gives one that can be
carried, so that a chain of them (a channel shuffle, an up-sampling) is one GATHER.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from edgefm.lower.builder import Builder, Moved
from edgefm.lower.fixed_point import SHIFT
from edgefm.lower.positions import FILL, GatherTables, tables
from edgefm.network.graph import Node, Quant, Tensor, rows_of
from edgefm.network.operators import REARRANGES
from edgefm.network.program import OpKind
from edgefm.ops import MEANINGS
from edgefm.ops.call import Call

_FILLS = {"pad", "pad_with", "space_to_batch"}
_MOST_ELEMENTS = 1 << 24  # of a map that is rearranged: positions take eight bytes each
_MOST_HELD = 1 << 26  # of all maps that are nowhere yet


def move(b: Builder, node: Node) -> None:
    """A reordering operator: remembered, a view, or GATHER."""
    place(b, node, moved(b, node, origin(b, node, 0)))


def origin(b: Builder, node: Node, k: int) -> Moved:
    """Where the values of input k are: in its own stream, or still in another one."""
    index = node.inputs[k]
    if index in b.moved:
        return b.moved[index]
    tensor = b.tensor(node, k)
    _check_size(b, node, tensor)
    _check_size(b, node, b.graph.tensors[node.outputs[0]])
    count = math.prod(tensor.shape)
    return Moved(b.source(node, k), np.arange(count).reshape(tensor.shape))


def _check_size(b: Builder, node: Node, tensor: Tensor) -> None:
    if math.prod(tensor.shape) > _MOST_ELEMENTS:
        raise b.fail(node, f"a map of {math.prod(tensor.shape)} values to rearrange",
                     f"at most {_MOST_ELEMENTS}")


def moved(b: Builder, node: Node, source: Moved) -> Moved:
    """`source` after the operator."""
    output, fill = b.graph.tensors[node.outputs[0]], source.fill
    _check_size(b, node, output)
    if node.op in _FILLS:
        own = node.attrs["value"] if node.op == "pad_with" else _zero(output)
        if fill is not None and fill != own and (source.index == FILL).any():
            raise b.fail(node, f"filled with {own} what was filled with {fill}", "one value")
        fill = own
    positions = Tensor("", source.index.shape, "int64", Quant((1.0,), (FILL,)))
    call = Call({**node.attrs, "value": FILL}, (positions,), (source.index,),
                (replace(positions, shape=output.shape),))
    made = MEANINGS[node.op](call)
    assert not isinstance(made, tuple)
    return Moved(source.stream, made, fill)


def _zero(output: Tensor) -> int:
    return output.zero_point if output.quant is not None else 0


def place(b: Builder, node: Node, source: Moved) -> None:
    """Make the node's output of values that are elsewhere, if a stream can carry it."""
    output = node.outputs[0]
    if not carried(b, output):
        _check_passing(b, node)
        b.moved[output] = source
        if sum(one.index.size for one in b.moved.values()) > _MOST_HELD:
            raise b.fail(node, "too many values on their way", f"at most {_MOST_HELD}")
        b.folded.append(b.graph.tensors[output].name)
        return
    if np.array_equal(source.index.ravel(), np.arange(b.elements(source.stream))):
        b.reshape(node, source.stream, output)
        return
    height, width, channels = b.shape(node, output)
    for shape in ((height, width, channels), (height, 1, width * channels),
                  (1, 1, height * width * channels)):
        for stream in dict.fromkeys((source.stream, *_in_one_row(b, node, source.stream, shape))):
            found = tables(source.index.reshape(shape), b.row_elements(stream))
            if found is not None:
                _gather(b, node, stream, found, source.fill, shape)
                return
    raise b.fail(node, f"a rearrangement of {source.index.size} values", "fewer values")


def _check_passing(b: Builder, node: Node) -> None:
    """Refuse a tensor that no stream can carry where its values are needed."""
    output = node.outputs[0]
    if output in b.graph.outputs or any(
            reader.op not in REARRANGES for reader in b.consumers(output)):
        b.shape(node, output)


def carried(b: Builder, index: int) -> bool:
    """True when a stream can be the tensor."""
    try:
        rows_of(b.graph.tensors[index].shape)
    except ValueError:
        return False
    return True


def join(b: Builder, node: Node, parts: Sequence[int]) -> None:
    """concat and pack of streams in shapes or numbers that the operators for it do not take: rows
    side by side, which are then rearranged."""
    if len({b.streams[part].height for part in parts}) > 1:
        parts = [b.reshaped(node, part, (1, 1, b.elements(part))) for part in parts]
    joined, before, indices = b.side_by_side(node, parts), 0, []
    for k, part in enumerate(parts):
        row, own = np.divmod(np.arange(b.elements(part)), b.row_elements(part))
        index = row * b.row_elements(joined) + before + own
        indices.append(index.reshape(b.tensor(node, k).shape))
        before += b.row_elements(part)
    weave = np.stack if node.op == "pack" else np.concatenate
    place(b, node, Moved(joined, weave(indices, axis=node.attrs["axis"])))


def settled(b: Builder, node: Node, k: int) -> int:
    """The stream of input k; a tensor that is nowhere yet gets one of a single row."""
    if node.inputs[k] not in b.moved:
        return b.source(node, k)
    source = b.moved[node.inputs[k]]
    return arranged(b, node, k, source, (1, 1, source.index.size))


def arranged(b: Builder, node: Node, k: int, source: Moved, shape: tuple[int, int, int]) -> int:
    """An anonymous stream of this shape with the values of input k as `source` has them."""
    tensor = b.tensor(node, k)
    if np.array_equal(source.index.ravel(), np.arange(b.elements(source.stream))):
        return b.reshaped(node, source.stream, shape)
    found = tables(source.index.reshape(shape), b.row_elements(source.stream))
    stream = source.stream
    if found is None:
        stream = b.reshaped(node, stream, (1, 1, b.elements(stream)))
        found = tables(source.index.reshape(shape), b.row_elements(stream))
    if found is None:
        raise b.fail(node, f"operand {tensor.name!r} of shape {tensor.shape} in another order",
                     "an order that three tables describe")
    height, width, channels = shape
    result = replace(b.streams[stream], name=f"{tensor.name}:arranged", height=height, width=width,
                     channels=channels, tensor=-1, parent=-1)
    return b.append(f"{node.name}:{k}", OpKind.GATHER, stream, result, found.needs(),
                    found.section(), _params(found, tensor, source.fill))


def broadcast(b: Builder, node: Node, k: int) -> int:
    """The stream of input k in the shape of the output, as NumPy broadcasts it."""
    source = origin(b, node, k)
    wide = np.broadcast_to(source.index, b.graph.tensors[node.outputs[0]].shape)
    return arranged(b, node, k, replace(source, index=wide), b.shape(node, node.outputs[0]))


def _in_one_row(b: Builder, node: Node, stream: int, shape: tuple[int, int, int]) -> list[int]:
    """The source in a single row, made only where it may be the remedy."""
    if shape[0] == 1 or b.streams[stream].height == 1:
        return []
    return [b.reshaped(node, stream, (1, 1, b.elements(stream)))]


def _gather(b: Builder, node: Node, stream: int, found: GatherTables, fill: int | None,
            shape: tuple[int, int, int]) -> None:
    tensor = b.graph.tensors[node.outputs[0]]
    b.emit(node, OpKind.GATHER, (stream,), (found.needs(),), shape=shape,
           params=_params(found, tensor, fill), weights=found.section())


def _params(found: GatherTables, tensor: Tensor, fill: int | None) -> tuple[int, int, int]:
    value = 0 if fill is None else fill - SHIFT.get(tensor.dtype, 0)
    return len(found.places), found.run, value
