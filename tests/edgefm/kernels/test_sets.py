# SPDX-License-Identifier: Apache-2.0
"""Kernel sets change what kernels want changed, and nothing else of a program."""

from dataclasses import replace

import pytest

from edgefm.kernels.sets import KERNEL_SETS, KernelSet, suited
from edgefm.network.program import Op, OpKind, Program, Stream

PROGRAM = Program("net", (Stream("x", 4, 4, 2), Stream("y", 4, 4, 2)), (
    Op(OpKind.CONV, "conv", (0,), (1,), scratch=8), Op(OpKind.ADD, "add", (0,), (1,), scratch=8)))


def test_the_portable_kernels_take_a_program_as_it_is() -> None:
    assert suited(PROGRAM, "portable") == PROGRAM


def test_only_the_kinds_that_a_packing_names_change(monkeypatch: pytest.MonkeyPatch) -> None:
    wider = {OpKind.CONV: lambda _, op: replace(op, scratch_most=99)}
    monkeypatch.setitem(KERNEL_SETS, "mine", KernelSet("mine", {"rows": {}, "fast": wider}))
    assert suited(PROGRAM, "mine") == PROGRAM
    assert [op.scratch_most for op in suited(PROGRAM, "mine", "fast").ops] == [99, 0]
