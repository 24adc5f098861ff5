# SPDX-License-Identifier: Apache-2.0
"""What a target's kernels want: how CONV and DEPTHWISE weights lie, and scratch in the arena.

The other half is native/src/kernels: a kernel refuses a package that gives it less.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from edgefm.kernels import dsp, mve
from edgefm.network.program import Op, OpKind, Program

ROWS = 0  # ids of packings, as in docs/FORMAT.md
ROWS_NAME = "rows"  # which every set has

Suit = Callable[[Program, Op], Op]
"""An operator with weights of packing ROWS and the portable kernel's scratch, made to suit."""


def _portable_slices(program: Program, op: Op) -> tuple[int, int]:
    channels = program.streams[op.outputs[0]].channels
    return (5 * channels if op.kind == OpKind.DEPTHWISE else 0), 0


@dataclass(frozen=True, slots=True)
class KernelSet:
    """Kernels of one kind of processor.

    `suits` has, by the name of a packing, what each kind of operator becomes; the first is used
    unless another is asked for. Kinds that are missing stay as they are. `slices` says what scratch
    an operator takes for a slice of its channels.
    """

    name: str
    suits: Mapping[str, Mapping[OpKind, Suit]] = field(default_factory=lambda: {"rows": {}})
    slices: Callable[[Program, Op], tuple[int, int]] = _portable_slices


KERNEL_SETS = {one.name: one for one in (
    KernelSet("portable"), KernelSet("dsp", dsp.SUITS, dsp.slice_scratch),
    KernelSet("mve", {"rows": mve.SUITS}, mve.slice_scratch))}


def slice_scratch(kernels: str, program: Program, op: Op) -> tuple[int, int]:
    """Bytes of scratch that a one-pixel CONV or a DEPTHWISE needs and can use. The streams of the
    program have the channels of a slice."""
    return KERNEL_SETS[kernels].slices(program, op)


def suited(program: Program, kernels: str, packing: str | None = None) -> Program:
    """The program with weights and scratch as the kernel set wants them.

    `packing` is one of the set's, or None for its first.
    """
    suits = KERNEL_SETS[kernels].suits
    by_kind = suits[packing if packing is not None else next(iter(suits))]
    return replace(program, ops=tuple(
        by_kind[op.kind](program, op) if op.kind in by_kind else op for op in program.ops))
