# SPDX-License-Identifier: Apache-2.0
"""What a firing of CONV does: native/src/ops/conv.c with the loops of each kernel."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from edgefm.kernels.loops import Loops
from edgefm.kernels.tile import (
    CHANNEL,
    HEAD,
    ROUND_ONCE,
    clamps,
    weight_zero,
    weights_of,
)
from edgefm.network.program import Op, Program

_LIST_WORDS = 128   # of the list of native/src/kernels/mve/conv.c
_SUMS = 12          # pixels of a list whose blocks may make sums, of the same
_GROUP = 64         # pixels of a group in native/src/kernels/neon/conv.h
_DEPTH = 8192       # bytes that it joins at most
_HALVES, _PAIRS = 1, 2  # packings
_PLAIN = 4              # a flag of a table of HALVES: some blocks are rows
_AS_HALVES = 1 << 28    # of a channel: it and the next one are in one 16-bit half


@dataclass(frozen=True, slots=True)
class Call:
    """How the calls of a firing are made: at most `most` pixels, each `runs` runs of `run` bytes,
    which lie in `rows` rows; `gathers` where the operator copies windows to scratch first."""

    most: int
    runs: int
    run: int
    gathers: bool
    rows: int = 1


def conv_work(program: Program, op: Op, rows: int, scratch: int, loops: Loops, kernel: str
              ) -> dict[str, float]:
    """The units of a firing of `rows` rows, with `scratch` bytes of it."""
    output = program.streams[op.outputs[0]]
    call = _call(program, op, scratch, loops, kernel)
    pixels, out = rows * output.width, output.channels
    small = _small_share(op, out, call.run * call.runs, kernel)
    zero = weight_zero(op.weights) != 0 and kernel != "portable"
    broad = _broad_share(op, out, call.run * call.runs, kernel)
    small = min(small, 1 - broad)
    careful = bool(op.weights[3] & ROUND_ONCE or out % loops.channels)
    work: dict[str, float] = defaultdict(float, {"conv": 1})
    for size, times in _sizes(pixels, call.most, loops.tile):
        for unit, count in _call_units(call, size, out, small, loops, kernel,
                                       op.packing != _PAIRS, careful, zero,
                                       bool(op.weights[3] & ROUND_ONCE),
                                       clamps(op.weights), broad).items():
            work[unit] += count * times
    if op.weights[3] & ROUND_ONCE:
        work["conv once byte"] += pixels * out
        work["conv once vector"] += pixels * -(-out // loops.channels)
        work["conv once call vector"] += -(-pixels // call.most) * -(-out // loops.channels)
    elif kernel == "mve" and out % loops.channels:
        work["conv odd pixel"] += pixels
    if clamps(op.weights):
        work["conv clamp"] += pixels * out
    if weight_zero(op.weights):
        depth = call.run * call.runs
        work["conv zero"] += pixels * -(-out // loops.channels)
        work["conv zero input"] += pixels * depth
        work["conv zero weight"] += -(-pixels // call.most) * out * depth
        work["conv zero slice"] += pixels * depth * -(-out // 16)
        work["conv zero run"] += pixels * call.runs * -(-call.run // 16)
    if "neon join run" in work:
        work["neon join edge"] += rows * op.params[0] * min(output.width, op.params[1] - 1)
    if call.gathers:
        source = program.streams[op.inputs[0]]
        kernel_h, kernel_w = op.params[:2]
        work["conv gather byte"] += pixels * call.run
        work["conv gather row"] += pixels * kernel_h
        work["conv gather vector"] += pixels * kernel_h * -(-kernel_w * source.channels // 16)
        work["conv gather edge"] += rows * kernel_h * min(output.width, kernel_w - 1)
        if op.params[5] > 1:
            work["conv gather pixel"] += pixels * kernel_h * kernel_w
    return work


def _call(program: Program, op: Op, scratch: int, loops: Loops, kernel: str) -> Call:
    source, output = (program.streams[i] for i in (op.inputs[0], op.outputs[0]))
    kernel_h, kernel_w, stride_h, stride_w, _, _, top, left = op.params[:8]
    taps, channels = kernel_h * kernel_w, source.channels
    depth = taps * channels
    fixed, each = _own_scratch(op, depth) if kernel == "dsp" else (0, 0)

    def room(runs: int, gathered: int, padding: int) -> int:
        listed, whole = loops.listed // (runs + 1), gathered + each
        free = scratch - fixed - -(-padding // 8) * 8 - (8 if gathered and each else 0)
        return 0 if free < 0 else min(listed, free // whole) if whole else listed

    if (taps == 1 and top == left == 0 and (output.height - 1) * stride_h < source.height
            and (output.width - 1) * stride_w < source.width):
        return Call(room(1, 0, 0), 1, depth, False)
    in_place = 0 if taps == 1 or channels < loops.in_place else room(taps, 0, channels)
    gathered = room(1, depth, 0)
    least = 1 if output.height == output.width == 1 else 2
    if in_place >= least and (loops.gathered == 0 or gathered < loops.gathered):
        return Call(in_place, taps, channels, False, kernel_h)
    return Call(max(gathered, 1), 1, depth, True)


def _own_scratch(op: Op, depth: int) -> tuple[int, int]:
    """Bytes of scratch of the dsp kernel: fixed, and for each pixel."""
    each = 8 * -(-depth // 4)
    if op.packing == 0:
        return 0, 0
    if op.packing == _HALVES:
        return (2 if op.weights[3] & _PLAIN else 1) * each, each
    return 0, each


def _sizes(pixels: int, most: int, tile: int) -> list[tuple[int, int]]:
    """Pixels of calls, and how many calls have as many."""
    if most < pixels and most >= tile:
        tiles = -(-pixels // tile)
        calls = (tiles - 1) // (most // tile) + 1
        most = -(-tiles // calls) * tile
    most = max(min(most, pixels), 1)
    whole, rest = divmod(pixels, most)
    return [(most, whole), *([(rest, 1)] if rest else [])]


def _pieces(out: int, loops: Loops) -> int:
    """Pieces of whole vectors of output channels: 4, 2 and 1 vectors, where a kernel has those."""
    vectors = -(-out // loops.channels)
    whole, rest = divmod(vectors, loops.vectors)
    return whole + rest.bit_count()


def _groups(pixels: int, loops: Loops) -> int:
    """Groups of pixels that are made at once."""
    whole, rest = divmod(pixels, loops.across)
    for size in loops.rest:
        more, rest = divmod(rest, size)
        whole += more
    return whole


def _call_units(call: Call, pixels: int, out: int, small: float, loops: Loops, kernel: str,
                plain: bool, careful: bool, zero: bool, once: bool,
                clamped: bool, broad: float) -> dict[str, float]:
    runs, run, name = call.runs, call.run, "conv" if call.runs == 1 else "conv runs"
    name += " zero" if zero and kernel != "dsp" else ""
    units: dict[str, float] = {}
    lists = 1
    if kernel.startswith("neon"):
        multiple = 4 if kernel == "neondot" else 32
        if runs > 1 and run % multiple:
            units["neon join byte"] = pixels * runs * run
            units["neon join run"] = pixels * runs
            units["neon join row"] = pixels * call.rows
            runs, run, name = 1, runs * run, name.replace(" runs", "")
        if runs == 1 and not (zero or clamped or once):
            name += " plain"
        lists = -(-pixels // min(_GROUP, max(_DEPTH // run, 1) if runs == 1 else _GROUP))
    elif kernel == "mve":
        words = 7 if runs == 1 else 5 * runs + 10
        most = _SUMS if careful else _LIST_WORDS
        lists = -(-pixels // min(max(_LIST_WORDS // words * 3, 1), most))
        units["mve list run"] = pixels * runs
        runs, run = call.rows, run * runs // call.rows
    steps, vectors, pieces = -(-run // loops.depth) * runs, -(-out // loops.channels), _pieces(
        out, loops)
    halves = 0
    if kernel in ("neon", "neon32"):
        steps, halves = run // loops.depth * runs, -(-(run % loops.depth) // 16) * runs
    groups = _groups(pixels, loops)
    made = groups * loops.across if kernel == "portable" else pixels
    units |= {f"{name} vector": pixels * vectors, f"{name} byte": pixels * out,
              f"{name} piece": groups * pieces, f"{name} pixel": pixels, f"{name} list": lists,
              f"{name} list piece": lists * pieces, f"{name} call": 1}
    if runs > 1:
        units["conv runs run"] = pixels * runs
    if kernel == "dsp":
        return units | _dsp_units(pixels, pieces, steps, small, plain, once)
    return units | {f"{name} products": made * vectors * steps * (1 - small - broad),
                    f"{name} small products": made * vectors * steps * small,
                    f"{name} broad products": made * vectors * steps * broad,
                    f"{name} broad halves": made * vectors * halves * broad,
                    f"{name} steps": groups * pieces * steps,
                    f"{name} inputs": made * pieces * steps,
                    f"{name} half inputs": made * pieces * halves,
                    f"{name} half steps": groups * pieces * halves,
                    f"{name} piece run": groups * pieces * runs,
                    f"{name} input run": made * pieces * runs,
                    f"{name} loops": groups * pieces * runs * -(-run // 32)}


def _dsp_units(pixels: int, pieces: int, steps: int, halves: float, widens: bool, once: bool
               ) -> dict[str, float]:
    """Pieces are pairs of channels: of halves, or of rows that become pairs in scratch."""
    threes, ones = divmod(pixels, 3)
    if once and threes == 0:
        one, rows = ones * pieces, "rows" if widens else "pairs"
        return {"conv sums halves": one * halves, "conv sums halves step": one * halves * steps,
                f"conv sums {rows}": one * (1 - halves),
                f"conv sums {rows} step": one * (1 - halves) * steps,
                "conv widen inputs": pixels * steps,
                "conv widen weights": pieces * (1 - halves) * steps * widens}
    three, one, plain = threes * pieces, ones * pieces, 1 - halves
    return {"conv three": three, "conv one": one,
            "conv three pairs": three * plain * steps, "conv three halves": three * halves * steps,
            "conv one pairs": one * plain * steps, "conv one halves": one * halves * steps,
            "conv widen inputs": pixels * steps,
            "conv widen weights": pieces * plain * steps * widens,
            "conv copy weights": pieces * halves * steps if threes > 1 or pixels > 3 else 0}


def _broad_share(op: Op, out: int, depth: int, kernel: str) -> float:
    """The share of blocks of sixteen channels with a weight of -128, whose products those kernels
    add in 32 bits one by one."""
    if kernel not in ("neon", "neon32"):
        return 0.0
    least = weights_of(op.weights, out, depth).min(axis=1)
    return float(np.mean([least[c:c + 16].min() == -128 for c in range(0, out, 16)]))


def _small_share(op: Op, out: int, depth: int, kernel: str) -> float:
    """The share of weights that are small enough to be multiplied in another way: two channels in
    16 bits, or with four products added in 16 bits."""
    if kernel == "dsp" and op.packing == _HALVES:
        packed = np.frombuffer(op.weights, CHANNEL, out, HEAD.size)["packed"]
        return float(np.mean(packed[::2] & _AS_HALVES != 0))
    whole = depth // 32 * 32
    if kernel not in ("neon", "neon32") or not whole:
        return 0.0
    weights = np.abs(weights_of(op.weights, out, depth)[:, :whole].astype(np.int16))
    sums = weights.reshape(out, -1, 4, 8).sum(axis=2).max(axis=2)
    fours = [sums[c:c + 4].max(axis=0) <= 255 for c in range(0, out, 4)]
    return float(np.mean(fours))
