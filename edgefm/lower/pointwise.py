# SPDX-License-Identifier: Apache-2.0
"""Spelled-out activations: operators that take one 8-bit map value by value -> one LUT.

SiLU written as x * logistic(x), a GELU or a hard swish in a dozen steps, a clamp by minimum and
maximum, a detour through float32: whatever they do, an output value depends on one value of one
map, and 256 results are all there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefm.lower.builder import Builder
from edgefm.lower.fixed_point import SHIFT, signed
from edgefm.lower.row_needs import identity
from edgefm.network.graph import Array, Node
from edgefm.network.operators import Kind, of_kind
from edgefm.network.program import OpKind
from edgefm.ops import MEANINGS
from edgefm.ops.call import Call

_POINTWISE = of_kind(Kind.UNARY, Kind.ARITHMETIC, Kind.PAIRWISE, Kind.CONVERSION)


@dataclass(frozen=True, slots=True, eq=False)
class _Function:
    """A tensor as a function of one 8-bit map: its values for each of the map's 256, and how many
    operators were computed for it."""

    source: int
    values: Array
    operators: int = 0


def fuse(b: Builder, node: Node) -> bool:
    """Emit a LUT for the node and what leads to it, where that spares an operator; False if not.

    A float32 result on the way is left to the operator that ends in 8 bits again.
    """
    output = node.outputs[0]
    if node.op not in _POINTWISE:
        return False
    if b.graph.tensors[output].dtype not in SHIFT:
        return _is_passed(b, node)
    made = _function(b, node)
    if made is None or (made.operators < 2 and not _is_simpler(b, node)):
        return False
    stream = b.stream_of[made.source]
    b.zero_point(node, made.source)
    b.zero_point(node, output)
    b.emit(node, OpKind.LUT, (stream,), (identity(b.streams[stream].height),),
           weights=signed(made.values).tobytes())
    return True


def _is_simpler(b: Builder, node: Node) -> bool:
    """True for one operator that a table spares: of a map with itself, or one that has no other
    way to take a constant."""
    kind_of_its_own = node.op in of_kind(Kind.PAIRWISE)
    return kind_of_its_own or (len(node.inputs) == 2 and node.inputs[0] == node.inputs[1])


def _is_passed(b: Builder, node: Node) -> bool:
    """True for a float32 result that only other such operators read, each from 8 bits to 8 bits."""
    output = node.outputs[0]
    readers = b.consumers(output)
    return (output not in b.graph.outputs and bool(readers)
            and all(reader.op in _POINTWISE for reader in readers)
            and all(_ends_in_bytes(b, reader) for reader in readers))


def _ends_in_bytes(b: Builder, node: Node) -> bool:
    if b.graph.tensors[node.outputs[0]].dtype in SHIFT:
        return _function(b, node) is not None
    return _is_passed(b, node)


def _function(b: Builder, node: Node) -> _Function | None:
    """The node's output as a function of one map, None where it is not."""
    operands = [_operand(b, node, t) for t in node.inputs]
    found = [one for one in operands if isinstance(one, _Function)]
    sources = {one.source for one in found}
    if None in operands or len(sources) != 1:
        return None
    shape = b.graph.tensors[node.outputs[0]].shape
    if any(b.graph.tensors[t].shape != shape for t in (*sources, *node.inputs)
           if b.graph.tensors[t].data is None):
        return None
    values = tuple(one.values if isinstance(one, _Function) else one for one in operands
                   if one is not None)
    call = Call(node.attrs, tuple(b.graph.tensors[t] for t in node.inputs), values,
                tuple(b.graph.tensors[t] for t in node.outputs))
    with np.errstate(all="ignore"):
        made = MEANINGS[node.op](call)
    assert not isinstance(made, tuple)
    return _Function(sources.pop(), made, 1 + sum(one.operators for one in found))


def _operand(b: Builder, node: Node, index: int) -> _Function | Array | None:
    """What an operand is: a function of a map, a constant of one value, or neither."""
    tensor = b.graph.tensors[index] if index >= 0 else None
    if tensor is None:
        return None
    if tensor.data is not None:
        return tensor.data.reshape(()) if tensor.data.size == 1 else None
    maker = b.maker(index)
    inner = maker is not None and maker.op in _POINTWISE and index not in b.graph.outputs and (
        {id(reader) for reader in b.consumers(index)} == {id(node)})
    function = _function(b, maker) if inner and maker is not None else None
    if function is not None:
        return function
    if tensor.dtype not in SHIFT or index not in b.stream_of:
        return None
    low = np.iinfo(tensor.dtype).min
    return _Function(index, np.arange(low, low + 256).astype(tensor.dtype))
