# SPDX-License-Identifier: Apache-2.0
"""The slow, obvious meaning of every operator in NumPy, and of a graph made of them.

Integer graphs give the bits of TFLite's reference kernels in every tensor. Float graphs are for
calibration and comparison: right to float32 accuracy.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from edgefm.errors import BadInput, UnsupportedModel
from edgefm.network.graph import Array, Graph, Node, Tensor
from edgefm.network.operators import by_operator
from edgefm.ops import (
    conv,
    detection,
    elementwise,
    matmul,
    moves,
    norm,
    pairwise,
    pool,
    quantize,
    resize,
    shape,
    softmax,
    unary,
)
from edgefm.ops.call import Call

Meaning = Callable[[Call], Array | tuple[Array, ...]]

MEANINGS: Mapping[str, Meaning] = by_operator("ops", {
    "conv2d": conv.conv2d,
    "depthwise_conv2d": conv.depthwise_conv2d,
    "fully_connected": conv.fully_connected,
    "add": elementwise.add,
    "sub": elementwise.sub,
    "mul": elementwise.mul,
    "div": pairwise.div,
    "maximum": pairwise.maximum,
    "minimum": pairwise.minimum,
    "squared_difference": pairwise.squared_difference,
    "prelu": pairwise.prelu,
    "concat": shape.concat,
    "average_pool": pool.average_pool,
    "max_pool": pool.max_pool,
    "mean": pool.mean,
    "sum": pool.total,
    "reduce_max": pool.largest,
    "reduce_min": pool.smallest,
    "softmax": softmax.softmax,
    "log_softmax": softmax.log_softmax,
    "l2_normalization": norm.l2_normalization,
    "batch_matmul": matmul.batch_matmul,
    "reshape": moves.reshape,
    "pad": moves.pad,
    "transpose": moves.transpose,
    "pad_with": moves.pad_with,
    "mirror_pad": moves.mirror_pad,
    "slice": moves.slice_of,
    "tile": moves.tile,
    "gather": moves.gather,
    "depth_to_space": moves.depth_to_space,
    "space_to_depth": moves.space_to_depth,
    "space_to_batch": moves.space_to_batch,
    "batch_to_space": moves.batch_to_space,
    "pack": moves.pack,
    "quantize": quantize.quantize,
    "dequantize": quantize.dequantize,
    "resize_bilinear": resize.resize_bilinear,
    "resize_nearest": resize.resize_nearest,
    "argmax": shape.argmax,
    "argmin": shape.argmin,
    "detection_postprocess": detection.detection_postprocess,
    **unary.UNARY,
})


def run_graph(graph: Graph, inputs: Sequence[Array]) -> dict[int, Array]:
    """Value of every graph input and every computed tensor, by tensor index; no constants.

    `inputs` are in the order of `graph.inputs`, each with its tensor's shape and dtype, else
    BadInput. Raises UnsupportedModel for an operator that has no meaning here.
    """
    _check_inputs(graph, inputs)
    values = dict(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        values.update(zip(node.outputs, run_node(graph, node, values), strict=True))
    return values


def run_node(graph: Graph, node: Node, values: Mapping[int, Array]) -> tuple[Array, ...]:
    """The outputs of one node; `values` holds its inputs, except constants."""
    if node.op not in MEANINGS:
        raise UnsupportedModel(f"{graph.name}: {node.name}: unknown operator {node.op!r}")
    present = tuple(t for t in node.inputs if t >= 0)
    operands = tuple(_value(graph, t, values) for t in present)
    call = Call(node.attrs, tuple(graph.tensors[t] for t in present), operands,
                tuple(graph.tensors[t] for t in node.outputs))
    made = MEANINGS[node.op](call)
    return made if isinstance(made, tuple) else (made,)


def table(op: str, attrs: Mapping[str, Any], x: Tensor, y: Tensor) -> Array:
    """[256]: what an operator that takes `x` value by value makes of each 8-bit value of it, from
    the smallest on, in the type of `y`."""
    low = np.iinfo(x.dtype).min
    every = np.arange(low, low + 256).astype(x.dtype)
    return np.asarray(MEANINGS[op](Call(attrs, (x,), (every,), (y,))))


def _value(graph: Graph, index: int, values: Mapping[int, Array]) -> Array:
    constant = graph.tensors[index].data
    return values[index] if constant is None else constant


def _check_inputs(graph: Graph, inputs: Sequence[Array]) -> None:
    if len(inputs) != len(graph.inputs):
        raise BadInput(f"{graph.name}: got {len(inputs)} inputs, expected {len(graph.inputs)}")
    for index, value in zip(graph.inputs, inputs, strict=True):
        tensor = graph.tensors[index]
        if (value.shape, value.dtype) != (tensor.shape, np.dtype(tensor.dtype)):
            raise BadInput(f"{graph.name}: input {tensor.name!r} is {value.dtype}{value.shape}, "
                           f"expected {tensor.dtype}{tensor.shape}")
