# SPDX-License-Identifier: Apache-2.0
"""Leave out operators whose results reach no output."""

from __future__ import annotations

from dataclasses import replace

from edgefm.network.program import OpKind, Program


def prune(program: Program) -> Program:
    """The program without dead operators; tensors that only they made become `folded`."""
    wanted: set[int] = set()
    kept = []
    for op in reversed(program.ops):
        if op.kind in (OpKind.INPUT, OpKind.OUTPUT) or wanted.intersection(op.outputs):
            wanted.update(op.inputs, op.outputs)
            kept.append(op)
    number = {old: new for new, old in enumerate(sorted(wanted))}
    ops = tuple(replace(op, inputs=tuple(number[s] for s in op.inputs),
                        outputs=tuple(number[s] for s in op.outputs)) for op in reversed(kept))
    lost = tuple(stream.name for s, stream in enumerate(program.streams)
                 if s not in number and stream.tensor >= 0)
    return replace(program, streams=tuple(program.streams[s] for s in number), ops=ops,
                   folded=program.folded + lost)
