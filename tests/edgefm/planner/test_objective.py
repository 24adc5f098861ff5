# SPDX-License-Identifier: Apache-2.0
"""Objectives: what each prices, what a target has to name for it, and that each wins by its own."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from edgefm.errors import BadInput
from edgefm.lower import lower
from edgefm.network.program import OpKind
from edgefm.planner import Layout, Storage, Target, analyze, make_plan
from edgefm.planner.figures import Figures, figures_of
from edgefm.planner.instructions import is_measured, predicted
from edgefm.planner.objective import (
    Prices,
    modeled_millijoules,
    modeled_milliseconds,
    paying,
    prices_of,
)
from tests.support.networks import Network

BOARD = Target(name="board", processor="cortex-m0plus", clock=100_000_000,
               external_rate=20_000_000, weight_rate=50_000_000, instruction_energy=20.0,
               external_energy=600.0, weight_energy=100.0)


@pytest.fixture(scope="module")
def layout() -> Layout:
    net = Network(3)
    x = net.conv(net.input(1, 24, 24, 3), 8, stride=2, activation="relu6")
    for channels in (12, 16, 24):
        x = net.conv(net.depthwise(x, activation="relu6"), channels, 1)
    return analyze(lower(net.graph(net.softmax(net.dense(net.mean(x), 5)))))


def _price(layout: Layout, objective: str, fast: int) -> dict[str, float]:
    plan = make_plan(layout, replace(BOARD, fast_bytes=fast), objective)
    figures = figures_of("cortex-m0plus")
    assert figures is not None
    moved = (sum(predicted(layout.program, plan, figures)),
             plan.external_read_bytes + plan.external_write_bytes, plan.weight_read_bytes)
    time, energy = modeled_milliseconds(BOARD, *moved), modeled_millijoules(BOARD, *moved)
    assert time is not None
    assert energy is not None
    known = is_measured(layout.program, plan)  # what slices take is not predicted
    return {"maps": moved[1], "bytes": moved[1] + moved[2],
            "time": time if known else math.inf, "energy": energy if known else math.inf}


@pytest.mark.parametrize("fast", [1500, 4000])
def test_each_objective_is_at_least_as_good_by_its_own_measure(layout: Layout, fast: int) -> None:
    prices = {name: _price(layout, name, fast) for name in ("maps", "bytes", "time", "energy")}
    for name, own in prices.items():
        assert own[name] <= 1.01 * min(other[name] for other in prices.values())


def test_time_is_instructions_by_the_clock_and_bytes_by_the_rates() -> None:
    assert modeled_milliseconds(BOARD, 100_000, 20_000, 50_000) == pytest.approx(3.0)
    assert modeled_milliseconds(replace(BOARD, clock=0), 1, 1, 1) is None
    assert modeled_millijoules(BOARD, 1_000_000, 1000, 1000) == pytest.approx(
        (20e6 + 600e3 + 100e3) / 1e9)
    assert modeled_millijoules(Target(), 1, 1, 1) is None


def test_an_objective_says_what_the_target_lacks() -> None:
    with pytest.raises(BadInput, match="objective time counts instructions; expected a target"):
        prices_of("time", Target())
    with pytest.raises(BadInput, match="objective energy needs what bytes and instructions take"):
        prices_of("energy", Target(kernels="dsp"))
    assert prices_of("time", Target(kernels="dsp")).instruction == 1.0  # no clock: instructions
    assert prices_of("cost", Target()) == Prices(1.0, 1.0)


def test_maps_are_coded_only_where_their_code_pays(layout: Layout) -> None:
    units = {f"{kind} {codec} byte": each for kind in ("load", "store")
             for codec, each in (("raw", 1.0), ("slow", 300.0), ("quick", 2.0))}
    figures = Figures("made up", "portable", units)
    stream = next(op.outputs[0] for op in layout.program.ops if op.kind == OpKind.CONV)

    def coded(codec: str, instruction: float) -> str:
        storage = Storage(codec_of=lambda stream: codec)
        return paying(layout, storage, Prices(50.0, 1.0, instruction, figures)).codec_of(stream)

    assert coded("quick", 10.0) == "quick"
    assert coded("slow", 10.0) == "raw"
    assert coded("unknown", 0.01) == "raw"  # was not measured
    assert coded("slow", 0.01) == "slow"
