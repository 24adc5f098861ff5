# SPDX-License-Identifier: Apache-2.0
"""The way through a graph: inputs, every node by its rule, outputs, then merged concats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from edgefm.errors import UnsupportedModel
from edgefm.importers.faults import Faults
from edgefm.lower import (
    convolution,
    detection,
    elementwise,
    matmul,
    moves,
    pointwise,
    reductions,
    shape,
    spatial,
)
from edgefm.lower.builder import Builder
from edgefm.lower.concat_in_place import merge_concats
from edgefm.lower.prune import prune
from edgefm.lower.row_needs import identity
from edgefm.network.graph import Graph, Node, distinct
from edgefm.network.operators import REORDERS, Kind, by_operator
from edgefm.network.program import Op, OpKind, Program, Stream

RULES: Mapping[str, Callable[[Builder, Node], None]] = by_operator("lower", {
    **dict.fromkeys(REORDERS, moves.move),
    Kind.UNARY: elementwise.unary,
    "conv2d": convolution.conv,
    "depthwise_conv2d": convolution.depthwise,
    "fully_connected": convolution.fully_connected,
    "add": elementwise.add,
    "sub": elementwise.add,
    "mul": elementwise.mul,
    "div": elementwise.div,
    "maximum": elementwise.extreme,
    "minimum": elementwise.extreme,
    "squared_difference": elementwise.squared_difference,
    "prelu": elementwise.prelu,
    "concat": shape.concat,
    "pack": shape.pack,
    "average_pool": spatial.average_pool,
    "max_pool": spatial.max_pool,
    "mean": reductions.mean,
    "sum": reductions.mean,
    "reduce_max": reductions.extreme,
    "reduce_min": reductions.extreme,
    "softmax": spatial.softmax,
    "log_softmax": spatial.log_softmax,
    "l2_normalization": spatial.l2_normalization,
    "batch_matmul": matmul.matmul,
    "reshape": shape.reshape,
    "pad": shape.pad,
    "transpose": shape.transpose,
    "quantize": elementwise.quantize,
    "dequantize": elementwise.dequantize,
    "resize_bilinear": spatial.resize_bilinear,
    "resize_nearest": spatial.resize_nearest,
    "argmax": spatial.argmax,
    "argmin": spatial.argmax,
    "detection_postprocess": detection.detection,
})


def lower(graph: Graph, faults: Faults | None = None) -> Program:
    """The program that computes a quantized graph bit for bit.

    Raises UnsupportedModel, naming graph and node, for what the runtime cannot execute; `faults`
    may keep those of single nodes, and the program then lacks them.
    """
    faults = faults or Faults()
    b = Builder(graph)
    for k, tensor in enumerate(graph.inputs):
        node = Node("input", graph.tensors[tensor].name, (), (tensor,))
        stream = b.add_stream(node, tensor)
        b.ops.append(Op(OpKind.INPUT, node.name, (), (stream,), (k,)))
    for node in graph.nodes:
        with faults.of_layer():
            if node.op not in RULES:
                raise b.fail(node, "no such operator in the runtime", ", ".join(RULES))
            if not pointwise.fuse(b, node):
                RULES[node.op](b, node)
        if faults.kept:
            _stand_in(b, node)
    for k, tensor in enumerate(graph.outputs):
        _output(b, k, tensor)
    program = Program(graph.name, _with_distinct_names(b.streams), tuple(b.ops), tuple(b.folded))
    return merge_concats(prune(program))


def _stand_in(b: Builder, node: Node) -> None:
    """Streams of what a node with a kept fault would have made, for the nodes behind it."""
    for t in node.outputs:
        if t not in b.stream_of and t not in b.pads:
            with suppress(UnsupportedModel):
                b.add_stream(node, t)


def _with_distinct_names(streams: Sequence[Stream]) -> tuple[Stream, ...]:
    """The streams; those that carry no tensor of the graph get names that no other has."""
    known = [stream.name for stream in streams if stream.tensor >= 0]
    made = iter(distinct([stream.name for stream in streams if stream.tensor < 0], known))
    return tuple(stream if stream.tensor >= 0 else replace(stream, name=next(made))
                 for stream in streams)


def _output(b: Builder, k: int, tensor: int) -> None:
    name = b.graph.tensors[tensor].name
    if tensor not in b.stream_of:
        raise UnsupportedModel(f"{b.graph.name}: output {name!r} is a constant; "
                               "expected a computed tensor")
    stream = b.stream_of[tensor]
    b.ops.append(Op(OpKind.OUTPUT, name, (stream,), (), (k,),
                    needs=(identity(b.streams[stream].height),)))
