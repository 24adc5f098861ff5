# SPDX-License-Identifier: Apache-2.0
"""What the kernels of native/src/kernels/dsp want, for Cortex-M4, M7 and M33."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from edgefm.kernels.halves import PLAIN, pack_halves, pack_pairs
from edgefm.network.program import Op, OpKind, Program

ROWS, HALVES, PAIRS = 0, 1, 2  # ids of packings, as in docs/FORMAT.md

_LIST = 96          # pointers of a call, EFM_LIST of native/src/ops/convolution.h
_RUN_BYTES = 32     # channels from which windows are read in place, as dsp/kernel.c says
_ACROSS = 3         # pixels that fill the registers
_RECORD = 48        # bytes of two columns of four channels, and of sums of two pixels:
_TWO_SUMS = 8
_PIECE = 64         # columns that are gathered at once
_LEAST_PIECE = 16   # of them, for which there always is room

_Pack = Callable[[bytes, int], bytes]


def _conv(packing: int, pack: _Pack) -> Callable[[Program, Op], Op]:
    """A convolution in a packing, with scratch for its strips."""
    def suit(program: Program, op: Op) -> Op:
        out = program.streams[op.outputs[0]].channels
        packed = replace(op, weights=pack(op.weights, out), packing=packing)
        least, most = _conv_scratch(program, packed)
        return replace(packed, scratch=least, scratch_most=most)
    return suit


def _conv_scratch(program: Program, op: Op) -> tuple[int, int]:
    """Bytes of scratch that the kernel needs and can use, as native/src/ops/conv.c shares it out.

    A strip has 16 bits for every input of a pixel. Two rows of weights become as wide where they
    are read from ROWS or from a plain block; those of halves are copied.
    """
    source, output = (program.streams[i] for i in (op.inputs[0], op.outputs[0]))
    taps = op.params[0] * op.params[1]
    depth = taps * source.channels
    each = 8 * -(-depth // 4)
    rows = op.packing == ROWS or (op.packing == HALVES and op.weights[3] & PLAIN)
    fixed = 2 * each if rows else each if op.packing == HALVES else 0
    pixels = output.height * output.width
    least = min(_ACROSS, pixels)
    if not _gathers(program, op):
        listed = _LIST // 2
    elif source.channels >= _RUN_BYTES and _LIST // (taps + 1) >= least:
        listed, fixed = _LIST // (taps + 1), fixed + _rounded(source.channels)
    else:
        listed, fixed, each = _LIST // 2, fixed + 8, each + depth
    return fixed + least * each, fixed + min(listed, pixels) * each


def _gathers(program: Program, op: Op) -> bool:
    """False for windows of one pixel that all lie in the map."""
    source, output = (program.streams[i] for i in (op.inputs[0], op.outputs[0]))
    kernel_h, kernel_w, stride_h, stride_w, _, _, pad_top, pad_left = op.params[:8]
    return not (kernel_h == kernel_w == 1 and pad_top == pad_left == 0
                and (output.height - 1) * stride_h < source.height
                and (output.width - 1) * stride_w < source.width)


def _rounded(size: int) -> int:
    return -(-size // 8) * 8


def slice_scratch(program: Program, op: Op) -> tuple[int, int]:
    """Bytes of scratch that a CONV or DEPTHWISE of a slice needs and can use."""
    if op.kind == OpKind.CONV:
        return _conv_scratch(program, op)
    portable = 5 * program.streams[op.outputs[0]].channels
    suit = _depthwise(program, replace(op, scratch=portable, scratch_most=0))
    return suit.scratch, suit.scratch_most


def _depthwise(program: Program, op: Op) -> Op:
    """A depthwise convolution in rows: planes in scratch for windows of 3 x 3.

    It keeps what the portable kernel takes, which is more for all but few channels.
    """
    output = program.streams[op.outputs[0]]
    kernel_h, kernel_w, _, stride, _, dilation, _, _, multiplier = op.params
    if ((kernel_h, kernel_w, dilation, multiplier) != (3, 3, 1, 1) or stride > 2
            or output.channels < 4):
        return op
    twos = -(-output.width // 2)
    least, most = (_RECORD + min(twos, columns // stride // 2) * (stride * _RECORD + _TWO_SUMS)
                   for columns in (_LEAST_PIECE, _PIECE))
    return replace(op, scratch=max(op.scratch, least), scratch_most=max(op.scratch, most))


def _as_it_is(tile: bytes, out: int) -> bytes:
    del out
    return tile


def _suits(packing: int, pack: _Pack) -> Mapping[OpKind, Callable[[Program, Op], Op]]:
    return {OpKind.CONV: _conv(packing, pack), OpKind.DEPTHWISE: _depthwise}


SUITS = {"halves": _suits(HALVES, pack_halves), "pairs": _suits(PAIRS, pack_pairs),
         "rows": _suits(ROWS, _as_it_is)}
