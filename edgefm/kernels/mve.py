# SPDX-License-Identifier: Apache-2.0
"""Scratch of the kernels in native/src/kernels/mve, for Cortex-M55 and M85."""

from __future__ import annotations

from dataclasses import replace

from edgefm.kernels.tile import split
from edgefm.network.program import Op, OpKind, Program

RUN_BYTES = 16  # efm_kernel.run_bytes: the least channels of a pixel that is read in place
GATHERED = 12  # efm_kernel.gathered: fewest pixels of a call whose windows are gathered if they may
LITTLE = 4096  # bytes of scratch for more of them
PIXELS = 48    # of a CONV call, at most: half of EFM_LIST
GROUP, LANES, ROWS = 64, 4, 4  # bytes of a group of rows in a column; sums in a vector
PIECE = 56      # pixels of a row that are well worth their scratch


def conv(program: Program, op: Op) -> Op:
    """Windows that are gathered, for two pixels at least: better for all of a call.

    Those of many channels, which the kernel can read in place, are better gathered as well, by a
    dozen or as many as a little scratch holds. Of one channel small ones are depthwise.
    """
    if _is_better_depthwise(program, op):
        return depthwise(program, _as_depthwise(program, op))
    if op.scratch == 0:
        return op
    window = op.scratch // 2
    if program.streams[op.inputs[0]].channels >= RUN_BYTES:
        pixels = min(PIXELS, max(GATHERED, LITTLE // window))
        return replace(op, scratch_most=max(op.scratch, pixels * window))
    return replace(op, scratch=LANES * window, scratch_most=PIXELS * window)


def _is_better_depthwise(program: Program, op: Op) -> bool:
    """Whether a loop of native/src/kernels/mve/lines.c is made for such windows of one channel."""
    source, output = (program.streams[i] for i in (op.inputs[0], op.outputs[0]))
    kernel_h, kernel_w, _, stride, _, dilation = op.params[:6]
    if source.channels != 1 or output.width < LANES or kernel_h > ROWS:
        return False
    return kernel_w == 3 and dilation == 1 if stride == 1 else 1 < kernel_w <= 4 and stride == 2


def _as_depthwise(program: Program, op: Op) -> Op:
    """A convolution of one channel, which all outputs share; [O][K] weights become [K][O]."""
    out = program.streams[op.outputs[0]].channels
    table, weights = split(op.weights, out, out)
    return replace(op, kind=OpKind.DEPTHWISE, params=(*op.params, out),
                   weights=table + weights.T.tobytes(), scratch=5 * out)


def depthwise(program: Program, op: Op) -> Op:
    """Weights and input of sixteen channels as columns, for a piece of a row."""
    width = program.streams[op.outputs[0]].width
    least, most = (depthwise_bytes(op, pixels) for pixels in (LANES, max(LANES, min(width, PIECE))))
    return replace(op, scratch=max(op.scratch, least), scratch_most=max(op.scratch, most))


def depthwise_bytes(op: Op, pixels: int) -> int:
    """What a piece of `pixels` takes, with room for weights that have a zero point."""
    kernel_h, kernel_w, _, stride, _, dilation = op.params[:6]
    column = -(-kernel_h // ROWS) * GROUP
    weights = 2 + kernel_w * (3 if weight_zero(op) else 1)
    return (weights + (pixels - 1) * stride + (kernel_w - 1) * dilation + 1) * column


def slice_scratch(program: Program, op: Op) -> tuple[int, int]:
    """Bytes of scratch that a CONV or DEPTHWISE of a slice needs and can use."""
    if op.kind == OpKind.CONV:
        return 0, 0
    portable = 5 * program.streams[op.outputs[0]].channels
    suit = depthwise(program, replace(op, scratch=portable, scratch_most=0))
    return suit.scratch, suit.scratch_most


def weight_zero(op: Op) -> int:
    """The zero point of the weights, modulo 256."""
    return op.weights[2]


SUITS = {OpKind.CONV: conv, OpKind.DEPTHWISE: depthwise}
