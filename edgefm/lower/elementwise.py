# SPDX-License-Identifier: Apache-2.0
"""Two operands -> ADD, MUL and the like; one -> LUT; the ways in and out of float."""

from __future__ import annotations

import struct
from dataclasses import replace

import numpy as np

from edgefm.lower.builder import Builder
from edgefm.lower.fixed_point import SHIFT, clamps, pairs, signed
from edgefm.lower.moves import broadcast
from edgefm.lower.row_needs import everything, identity
from edgefm.network.graph import Node, Tensor
from edgefm.network.program import OpKind
from edgefm.ops import table
from edgefm.ops.elementwise import mul_factor, sum_factors
from edgefm.ops.pairwise import difference_factors, div_factor, inverses, prelu_factors

STREAM, PIXEL, CHANNELS, MAP = range(4)  # what the second operand is
Operand = tuple[int, int, int, bytes]  # kind, stream or -1, zero point, constant values
_CLAMPED = {OpKind.ADD, OpKind.MUL, OpKind.DIV}


def add(b: Builder, node: Node) -> None:
    """add and sub: both operands rescaled to a common fine scale, summed, rescaled."""
    first, second, swapped = _operands(b, node)
    factors = sum_factors(b.tensor(node, 0), b.tensor(node, 1), b.graph.tensors[node.outputs[0]])
    b.check_factors(node, *factors)
    of_first, of_second, of_sum = pairs(list(factors)).tolist()
    terms = [(*of_first, 1), (*of_second, -1 if node.op == "sub" else 1)]
    if swapped:
        terms.reverse()
    _emit(b, node, OpKind.ADD, first, second, (*terms[0], *terms[1], *of_sum))


def mul(b: Builder, node: Node) -> None:
    """mul: the product of both operands, rescaled once."""
    first, second, _ = _operands(b, node)
    factor = mul_factor(b.tensor(node, 0), b.tensor(node, 1), b.graph.tensors[node.outputs[0]])
    b.check_factors(node, factor)
    _emit(b, node, OpKind.MUL, first, second, tuple(pairs(factor)[0].tolist()))


def extreme(b: Builder, node: Node) -> None:
    """maximum and minimum of stored values."""
    first, second, _ = _operands(b, node)
    _emit(b, node, OpKind.EXTREME, first, second, (int(node.op == "minimum"),))


def squared_difference(b: Builder, node: Node) -> None:
    """Both operands on a common scale, their difference squared and rescaled."""
    first, second, swapped = _operands(b, node)
    factors = difference_factors(b.tensor(node, 0), b.tensor(node, 1),
                                 b.graph.tensors[node.outputs[0]])
    b.check_factors(node, *factors)
    of_first, of_second, of_square = pairs(list(factors)).tolist()
    if swapped:
        of_first, of_second = of_second, of_first
    _emit(b, node, OpKind.SQUARED_DIFFERENCE, first, second,
          (*of_first, *of_second, *of_square))


def prelu(b: Builder, node: Node) -> None:
    """A factor above zero, another one for the product with the slope below."""
    first, second = _ordered(b, node)
    factors = prelu_factors(b.tensor(node, 0), b.tensor(node, 1),
                            b.graph.tensors[node.outputs[0]])
    b.check_factors(node, *factors)
    _emit(b, node, OpKind.PRELU, first, second, tuple(pairs(list(factors)).ravel().tolist()))


def div(b: Builder, node: Node) -> None:
    """The reciprocal of each distance from zero that the divisor can have, and one factor."""
    first, second = _ordered(b, node)
    factor = div_factor(b.tensor(node, 0), b.tensor(node, 1), b.graph.tensors[node.outputs[0]])
    b.check_factors(node, factor)
    reciprocals = inverses(np.arange(256))[0].astype("<i4").tobytes()
    _emit(b, node, OpKind.DIV, first, second, tuple(pairs(factor)[0].tolist()), reciprocals)


def _ordered(b: Builder, node: Node) -> tuple[Operand, Operand]:
    """The operands of an operator that tells them apart; the first one has the output's shape."""
    shape = b.shape(node, node.outputs[0])
    first, second = (_operand(b, node, k, shape, widen=k == 0) for k in (0, 1))
    if first[0] != STREAM:
        raise b.fail(node, f"a constant {b.tensor(node, 0).name!r} first", "a computed tensor")
    return first, second


def _operands(b: Builder, node: Node) -> tuple[Operand, Operand, bool]:
    """The operand that has the output's shape, the other one, and whether they changed places."""
    shape = b.shape(node, node.outputs[0])
    operands = [_operand(b, node, k, shape) for k in (0, 1)]
    if all(kind != STREAM for kind, *_ in operands):
        computed = [k for k in (0, 1) if operands[k][1] >= 0]
        if not computed:
            raise b.fail(node, "two constant operands", "a computed one")
        operands[computed[0]] = _operand(b, node, computed[0], shape, True)
    swapped = operands[0][0] != STREAM
    if swapped:
        operands.reverse()
    return operands[0], operands[1], swapped


def _operand(b: Builder, node: Node, k: int, shape: tuple[int, int, int],
             widen: bool = False) -> Operand:
    """Operand k; a computed one that neither has the shape nor is one pixel gets it, and with
    `widen` that pixel too."""
    tensor, index = b.tensor(node, k), node.inputs[k]
    zero_point = b.zero_point(node, index)
    if tensor.data is not None:
        kind, values = _constant(b, node, tensor, shape)
        return kind, -1, zero_point, values
    own = b.shape(node, index)
    if own == shape:
        return STREAM, b.source(node, k), zero_point, b""
    if own == (1, 1, shape[2]) and not widen:
        return PIXEL, b.source(node, k), zero_point, b""
    return STREAM, broadcast(b, node, k), zero_point, b""


def _constant(b: Builder, node: Node, tensor: Tensor,
              shape: tuple[int, int, int]) -> tuple[int, bytes]:
    """A constant operand spread to one value per channel, or to the whole map."""
    assert tensor.data is not None
    values = signed(tensor.data)
    if values.size == 1 or values.shape[-1:] == (values.size,) == shape[2:]:
        return CHANNELS, np.broadcast_to(values.reshape(-1), shape[2]).tobytes()
    try:
        spread = np.broadcast_to(values, b.graph.tensors[node.outputs[0]].shape)
    except ValueError:
        raise b.fail(node, f"constant {tensor.name!r} of shape {tensor.shape}",
                     "a shape that broadcasts to the output's") from None
    return MAP, spread.tobytes()


def _emit(b: Builder, node: Node, kind: OpKind, first: Operand, second: Operand,
          params: tuple[int, ...], head: bytes = b"") -> None:
    output = node.outputs[0]
    b.zero_point(node, output)
    height = b.shape(node, output)[0]
    inputs, needs = [first[1]], [identity(height)]
    if second[1] >= 0:
        inputs.append(second[1])
        needs.append(identity(height) if second[0] == STREAM else everything(1, height))
    b.emit(node, kind, inputs, needs, weights=head + second[3],
           params=(second[0], second[2] if second[1] < 0 else 0, *params, *(
               clamps(b.graph.tensors[output], node.attrs.get("activation"))
               if kind in _CLAMPED else ())))


def unary(b: Builder, node: Node) -> None:
    """Unary operators and 8-bit quantize -> LUT, a table of 256 values, or a view."""
    source = b.source(node, 0)
    kind, section = _looked_up(b, node, 0)
    b.emit(node, kind, (source,), (identity(b.streams[source].height),), weights=section)


def requantized(b: Builder, node: Node, k: int, source: int) -> int:
    """Part k of a concat, `source`, on the output's scale: itself, or a table's result."""
    tensor, output = b.tensor(node, k), b.graph.tensors[node.outputs[0]]
    if tensor.quant is None or (tensor.scale, tensor.zero_point) == (output.scale,
                                                                     output.zero_point):
        return source
    kind, section = _looked_up(b, node, k)
    stream = replace(b.streams[source], name=f"{tensor.name}:scaled", tensor=-1,
                     zero_point=b.zero_point(node, node.outputs[0]))
    return b.append(f"{node.name}:{k}", kind, source, stream, identity(stream.height), section)


def _looked_up(b: Builder, node: Node, k: int) -> tuple[OpKind, bytes]:
    """LUT and the operator's result for every 8-bit value of input k, from -128 on; or VIEW."""
    tensor, output = b.tensor(node, k), b.graph.tensors[node.outputs[0]]
    b.zero_point(node, node.inputs[k])
    b.zero_point(node, node.outputs[0])
    attrs = {"axis": 0} if node.op == "concat" else node.attrs
    results = signed(table(node.op, attrs, tensor, output))
    if np.array_equal(results, np.arange(-128, 128)):
        return OpKind.VIEW, b""
    return OpKind.LUT, results.tobytes()


def quantize(b: Builder, node: Node) -> None:
    """float32 -> 8 bits, or a change of 8-bit scale."""
    tensor, output = b.tensor(node, 0), b.graph.tensors[node.outputs[0]]
    if tensor.dtype in SHIFT:
        unary(b, node)
        return
    if tensor.dtype != "float32":
        raise b.fail(node, f"{tensor.dtype} input", "float32 or 8 bits")
    b.zero_point(node, node.outputs[0])
    source = b.source(node, 0)
    b.emit(node, OpKind.QUANTIZE, (source,), (identity(b.streams[source].height),),
           weights=struct.pack("<f", output.scale))


def dequantize(b: Builder, node: Node) -> None:
    """8 bits -> float32."""
    b.zero_point(node, node.inputs[0])
    source = b.source(node, 0)
    b.emit(node, OpKind.DEQUANTIZE, (source,), (identity(b.streams[source].height),),
           weights=struct.pack("<f", b.tensor(node, 0).scale))
