# SPDX-License-Identifier: Apache-2.0
"""What a firing of DEPTHWISE does, by the loops of each kernel."""

from __future__ import annotations

import numpy as np

from edgefm.kernels.loops import Loops
from edgefm.kernels.tile import CHANNEL, HEAD, clamps, weight_zero
from edgefm.network.program import Op, Program

_BATCH = 8  # rows that native/src/kernels/dsp/depthwise.c finds at once


def depthwise_work(program: Program, op: Op, rows: int, scratch: int, loops: Loops, kernel: str
                   ) -> dict[str, float]:
    """The units of a firing of `rows` rows, with `scratch` bytes of it."""
    output = program.streams[op.outputs[0]]
    kernel_h, kernel_w, _, stride, *_, multiplier = op.params[:9]
    out, width = output.channels, output.width
    work: dict[str, float] = {"depthwise": 1}
    if clamps(op.weights):
        work["depthwise clamp"] = rows * width * out
    if not _has_loop(op, out, kernel):
        name, taps = "depthwise any", kernel_h * kernel_w
        if multiplier > 1:
            name = "depthwise repeated"
        strips = -(-out // loops.lanes)
        work.update({f"{name} taps by three": rows * width * strips * (taps // 3),
                     f"{name} taps": rows * width * strips * (taps % 3 if loops.lanes == 1 else
                                                              taps),
                     f"{name} pointer": rows * width * taps,
                     f"{name} vector": rows * width * strips,
                     f"{name} pixel": rows * width, f"{name} row": rows, f"{name} strip": strips,
                     f"{name} strip row": rows * strips})
        return work
    name = f"depthwise {kernel_w} by {stride}{_weights_name(op, out, kernel)}"
    strips, pieces, side = -(-out // loops.lanes), _pieces(op, width, scratch, loops, kernel), -(
        -width // loops.side)
    pairs, single = divmod(rows, 2) if kernel == "neondot" and stride == 1 else (0, rows)
    work.update({
        f"{name} pixels": single * strips * side, f"{name} pixel": single * strips * width,
        f"{name} channel pixels": rows * out * side, f"{name} channel piece": rows * out * pieces,
        f"{name} strip piece": single * strips * pieces, f"{name} strip": strips,
        f"{name} strip filters": strips * pieces * -(-rows // _BATCH),
        f"{name} pair pixel": pairs * strips * width, f"{name} pair": pairs * strips,
        f"{name} row": rows, f"{name} row pixel": rows * width, f"{name} channel": out})
    return work


def _weights_name(op: Op, out: int, kernel: str) -> str:
    """What sets weights apart whose zero point is taken off: bytes they take, or vectors."""
    zero = weight_zero(op.weights)
    if zero == 0:
        return ""
    weights = np.frombuffer(op.weights, np.int8, offset=HEAD.size + CHANNEL.itemsize * out)
    wide = int(np.abs(weights.astype(np.int32) - zero).max(initial=0)) > 127
    if kernel == "mve":
        kernel_h, kernel_w = op.params[:2]
        words = (kernel_h + 3) // 4 * kernel_w
        vectors = (words + 3) // 4 * (2 if wide else 1)
        return f" in {vectors}" if vectors > 1 else ""
    return " wide" if wide and kernel == "neondot" else " zero" if kernel == "dsp" else ""


def _has_loop(op: Op, out: int, kernel: str) -> bool:
    """Whether a kernel has a loop for this window alone."""
    kernel_h, kernel_w, _, stride, _, dilation, _, _, multiplier = op.params[:9]
    square = kernel_h == kernel_w and dilation == 1 and stride <= 2 and multiplier == 1
    if kernel == "dsp":
        return square and kernel_w == 3 and out >= 4
    if kernel.startswith("neon"):
        return square and kernel_w in (3, 5) and out >= 8
    return kernel == "mve" and max(kernel_h, kernel_w) <= 11


def _pieces(op: Op, width: int, scratch: int, loops: Loops, kernel: str) -> int:
    """Pieces of a row that scratch has room for."""
    kernel_h, kernel_w, _, stride, _, dilation = op.params[:6]
    if kernel == "dsp":
        two = stride * 48 + 8
        return -(-width // max(min((scratch - 48) // two * 2, loops.piece // stride), 1))
    if kernel == "mve":
        column = -(-kernel_h // 4) * 64
        weights = (kernel_w * (3 if weight_zero(op.weights) else 1) + 2) * column
        reach = (kernel_w - 1) * dilation + 1
        most = ((scratch - weights) // column - reach) // stride + 1
        return -(-width // max(min(most, width), 1))
    return 1
