# SPDX-License-Identifier: Apache-2.0
"""Spelled-out activations: operators that take one 8-bit map value by value -> one LUT.

SiLU written as x * logistic(x), a GELU or a hard swish in a dozen steps, a clamp by minimum and
maximum, a detour through float32: whatever they do, an output value depends on one value of one
map, and 256 results are all there are.
"""

from __future__ import annotations

import numpy as np

from edgefm.lower.builder import Builder, Function
from edgefm.lower.fixed_point import SHIFT, signed
from edgefm.lower.row_needs import identity
from edgefm.network.graph import Array, Node
from edgefm.network.operators import Kind, of_kind
from edgefm.network.program import OpKind
from edgefm.ops import MEANINGS
from edgefm.ops.call import Call

_PAIRWISE = of_kind(Kind.PAIRWISE)
_POINTWISE = of_kind(Kind.UNARY, Kind.ARITHMETIC, Kind.PAIRWISE, Kind.CONVERSION)


def fuse(b: Builder, node: Node) -> bool:
    """Emit a LUT for the node and what leads to it, where that spares an operator; False if not.

    A float32 result that only one such operator reads is left to it.
    """
    if node.op not in _POINTWISE:
        return False
    output, made = node.outputs[0], _function(b, node)
    if made is None:
        return False
    b.functions[output] = made
    if b.graph.tensors[output].dtype not in SHIFT:
        return _only_reader(b, output) is not None
    if made.operators < 2 and not _is_simpler(node):
        return False
    stream = b.stream_of[made.source]
    b.zero_point(node, made.source)
    b.zero_point(node, output)
    b.emit(node, OpKind.LUT, (stream,), (identity(b.streams[stream].height),),
           weights=signed(made.values).tobytes())
    return True


def _is_simpler(node: Node) -> bool:
    """True for one operator that a table spares: of a map with itself, or one that has no other
    way to take a constant."""
    return node.op in _PAIRWISE or (len(node.inputs) == 2 and node.inputs[0] == node.inputs[1])


def _only_reader(b: Builder, index: int) -> Node | None:
    """The one operator of this sort that alone reads a tensor, if that is so."""
    readers = {id(reader): reader for reader in b.consumers(index)}
    reader = next(iter(readers.values())) if len(readers) == 1 else None
    if reader is None or reader.op not in _POINTWISE or index in b.graph.outputs:
        return None
    return reader


def _function(b: Builder, node: Node) -> Function | None:
    """The node's output as a function of one map, None where it is not."""
    operands = [_operand(b, node, t) for t in node.inputs]
    found = [one for one in operands if isinstance(one, Function)]
    sources = {one.source for one in found}
    if any(one is None for one in operands) or len(sources) != 1:
        return None
    shape = b.graph.tensors[node.outputs[0]].shape
    if any(b.graph.tensors[t].shape != shape for t in (*sources, *node.inputs)
           if b.graph.tensors[t].data is None):
        return None
    values = tuple(one.values if isinstance(one, Function) else one for one in operands
                   if one is not None)
    call = Call(node.attrs, tuple(b.graph.tensors[t] for t in node.inputs), values,
                tuple(b.graph.tensors[t] for t in node.outputs))
    with np.errstate(all="ignore"):
        made = MEANINGS[node.op](call)
    assert not isinstance(made, tuple)
    return Function(sources.pop(), made, 1 + sum(one.operators for one in set(found)))


def _operand(b: Builder, node: Node, index: int) -> Function | Array | None:
    """What an operand is: a function of a map, a constant of one value, or neither."""
    if index < 0:
        return None
    tensor = b.graph.tensors[index]
    if tensor.data is not None:
        return tensor.data.reshape(()) if tensor.data.size == 1 else None
    if index in b.functions and _only_reader(b, index) is node:
        return b.functions[index]
    if tensor.dtype not in SHIFT or index not in b.stream_of:
        return None
    low = np.iinfo(tensor.dtype).min
    return Function(index, np.arange(low, low + 256).astype(tensor.dtype))
