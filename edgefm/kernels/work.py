# SPDX-License-Identifier: Apache-2.0
"""What firings do, in units whose instructions can be measured: steps of loops, bytes, rows, calls.

Each unit is a loop of native/src, or what is done once around it. `benchmarks/instructions.py`
measures on emulated processors how many instructions one of each takes.
"""

from __future__ import annotations

from edgefm.kernels.conv_work import conv_work
from edgefm.kernels.depthwise_work import depthwise_work
from edgefm.kernels.loops import LOOPS
from edgefm.network.program import Op, OpKind, Program

_OWN = {OpKind.CONV: conv_work, OpKind.DEPTHWISE: depthwise_work}
_POOLS = frozenset((OpKind.AVERAGE_POOL, OpKind.MAX_POOL))
_VECTOR = 16  # bytes
FIRING = "firing"
_HALF = (1 << 30, 0, 1)  # multiplier, shift and sign of an operand that is halved


def firing_work(program: Program, op: Op, rows: int, scratch: int, kernel: str) -> dict[str, float]:
    """The units of a firing of `rows` rows with `scratch` bytes, in the loops of a kernel."""
    if op.kind in _OWN:
        work = _OWN[op.kind](program, op, rows, scratch, LOOPS[kernel], kernel)
    else:
        work = _other_work(program, op, rows)
    return {**work, FIRING: 1, "operand": len(op.inputs) + len(op.outputs)}


def moved_work(kind: OpKind, codec: str, rows: int, row_bytes: int) -> dict[str, float]:
    """The units of a firing of LOAD or STORE."""
    name = f"{kind.name.lower()} {codec}"
    return {FIRING: 1, "operand": 1, name: 1, f"{name} row": rows,
            f"{name} byte": rows * row_bytes}


def _other_work(program: Program, op: Op, rows: int) -> dict[str, float]:
    """Operators whose work is by values: those that leave, and those that enter."""
    if op.kind == OpKind.VIEW:
        return {"view": 1}  # rows stay where they are
    streams, name = program.streams, op.kind.name.lower()
    shown = streams[(op.inputs or op.outputs)[0] if op.accumulates or not op.outputs else
                    op.outputs[0]]
    values = rows * shown.width * shown.channels
    if _repeats(program, op):
        name += " repeated"
    if op.kind == OpKind.ADD:
        name = f"{_sum(op)}{name}"
    work: dict[str, float] = {name: 1, f"{name} row": rows, f"{name} pixel": rows * shown.width,
                              f"{name} value": values}
    if op.kind in _POOLS:
        work[f"{name} window"] = values * op.params[0] * op.params[1]
        seen = rows * shown.width * op.params[0] * op.params[1]
        work[f"{name} window pixel"] = seen
        work[f"{name} window rest"] = seen * (shown.channels % _VECTOR)
    return work


def _sum(op: Op) -> str:
    """Which loop makes a sum: that of a half and another operand, any other, or a difference."""
    first, second, result = op.params[2:5], op.params[5:8], op.params[8:10]
    if -1 in (first[2], second[2]):
        return "difference "
    other = second if first == _HALF else first if second == _HALF else (0, 0, 0)
    return "half " if other[1] < 0 and result[1] < 0 else ""


def _repeats(program: Program, op: Op) -> bool:
    """Whether operands are of different shapes, one of which is repeated."""
    shapes = {(s.width, s.channels) for s in (program.streams[i] for i in op.inputs)}
    return len(op.inputs) == 2 and len(shapes) > 1
