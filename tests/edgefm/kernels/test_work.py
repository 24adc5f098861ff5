# SPDX-License-Identifier: Apache-2.0
"""Units of work: those of inner loops do not depend on how rows are shared out among firings."""

from __future__ import annotations

from collections import Counter

import pytest

from edgefm.kernels.loops import LOOPS
from edgefm.kernels.sets import suited
from edgefm.kernels.work import firing_work, moved_work
from edgefm.lower import lower
from edgefm.network.program import OpKind, Program
from tests.support.networks import Network

SETS = {"portable": "portable", "dsp": "dsp", "mve": "mve", "neon": "portable",
        "neon32": "portable", "neondot": "portable"}


def _program(kernel: str) -> Program:
    net = Network(5)
    x = net.conv(net.input(1, 24, 24, 16), 16, activation="relu6")
    x = net.conv(net.depthwise(x, stride=2), 24, 1)
    return suited(lower(net.graph(net.softmax(net.dense(net.mean(x), 5)))), SETS[kernel])


@pytest.mark.parametrize("kernel", LOOPS)
def test_every_operator_has_work_and_none_of_it_is_negative(kernel: str) -> None:
    program = _program(kernel)
    for op in program.ops:
        work = firing_work(program, op, 1, max(op.scratch, op.scratch_most), kernel)
        assert work["firing"] == 1
        assert min(work.values()) >= 0


@pytest.mark.parametrize("kernel", LOOPS)
def test_bytes_of_outputs_are_counted_once_however_rows_are_shared_out(kernel: str) -> None:
    program = _program(kernel)
    op = next(op for op in program.ops if op.kind == OpKind.CONV)
    scratch = max(op.scratch, op.scratch_most)

    def outputs(firings: tuple[int, ...]) -> float:
        work: Counter[str] = Counter()
        for rows in firings:
            work.update(firing_work(program, op, rows, scratch, kernel))  # type: ignore[arg-type]
        return sum(n for unit, n in work.items()
                   if unit.startswith("conv") and unit.endswith(" byte") and "gather" not in unit)

    assert outputs((24,)) == outputs((10, 10, 4)) == outputs((1,) * 24) == 24 * 24 * 16


def test_a_map_moves_by_rows_and_bytes() -> None:
    assert moved_work(OpKind.STORE, "raw", 3, 40) == {
        "firing": 1, "operand": 1, "store raw": 1, "store raw row": 3, "store raw byte": 120}
