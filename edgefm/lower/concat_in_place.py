# SPDX-License-Identifier: Apache-2.0
"""Channel concats that never copy: their parts are written straight into the result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from edgefm.network.program import Op, OpKind, Program, Stream

# They write every output pixel by itself, whatever the distance to the next one.
STRIDED = frozenset({
    OpKind.CONV, OpKind.DEPTHWISE, OpKind.ADD, OpKind.MUL, OpKind.AVERAGE_POOL, OpKind.MAX_POOL,
    OpKind.MEAN, OpKind.LUT, OpKind.SOFTMAX, OpKind.PAD, OpKind.QUANTIZE, OpKind.RESIZE_BILINEAR,
    OpKind.RESIZE_NEAREST, OpKind.GATHER, OpKind.PRELU, OpKind.EXTREME,
    OpKind.SQUARED_DIFFERENCE, OpKind.DIV, OpKind.ROW_MEAN, OpKind.MATMUL,
    OpKind.L2_NORMALIZATION, OpKind.LOG_SOFTMAX})


# They read whole rows as runs of bytes.
CONTIGUOUS = frozenset({OpKind.VIEW, OpKind.RESHAPE, OpKind.TRANSPOSE, OpKind.OUTPUT,
                        OpKind.GATHER, OpKind.PRELU, OpKind.EXTREME,
    OpKind.SQUARED_DIFFERENCE, OpKind.DIV, OpKind.ROW_MEAN, OpKind.MATMUL,
    OpKind.L2_NORMALIZATION, OpKind.LOG_SOFTMAX})


def merge_concats(program: Program) -> Program:
    """Make parts of channel concats children of the result where nothing stands against it.

    A part qualifies when a strided operator writes it, it is a part only once, and its readers
    can walk pixels at a distance.
    """
    streams, ops = list(program.streams), list(program.ops)
    writer = {s: op.kind for op in ops for s in op.outputs}
    contiguous = {s for op in ops if op.kind in CONTIGUOUS for s in op.inputs}
    for k, op in enumerate(ops):
        if op.kind == OpKind.CONCAT_CHANNELS:
            ops[k] = _merge(op, streams, writer, contiguous)
    return replace(program, streams=tuple(streams), ops=tuple(ops))


def _merge(op: Op, streams: list[Stream], writer: dict[int, OpKind],
           contiguous: set[int]) -> Op:
    copies, channel = [], 0
    for part in op.inputs:
        stream = streams[part]
        free = (writer[part] in STRIDED and part not in contiguous and stream.parent < 0
                and _quantization(streams, part) == _quantization(streams, op.outputs[0]))
        if free:
            streams[part] = replace(stream, parent=op.outputs[0], channel=channel)
        copies.append(int(not free))
        channel += stream.channels
    return replace(op, params=tuple(copies))


def _quantization(streams: Sequence[Stream], stream: int) -> tuple[str, int]:
    return streams[stream].dtype, streams[stream].zero_point
