# SPDX-License-Identifier: Apache-2.0
"""Predicted instructions: figures of every processor, sums over stages, what was not measured."""

from __future__ import annotations

import json

import pytest

from edgefm.kernels.loops import LOOPS
from edgefm.lower import lower
from edgefm.network.program import OpKind
from edgefm.planner import Storage, Target, analyze, make_plan
from edgefm.planner.figures import FOLDER, PROCESSORS, Figures, figures_of
from edgefm.planner.instructions import StageInstructions, is_measured, plan_work, predicted
from tests.support.networks import small_classifier


@pytest.mark.parametrize("processor", PROCESSORS)
def test_a_file_of_figures_has_the_loops_of_a_kernel_and_units_above_zero(processor: str) -> None:
    figures = figures_of(processor)
    assert figures is not None
    assert figures.processor == processor
    assert figures.kernel in LOOPS
    assert {"firing", "input row", "depthwise", "load raw row"} & set(figures.units)
    assert min(figures.units.values()) > 0
    text = (FOLDER / f"{processor}.json").read_text(encoding="utf-8")
    assert Figures(**json.loads(text)).to_json() == text


def test_a_processor_without_a_file_has_no_figures() -> None:
    assert figures_of("") is None
    assert figures_of("../secret") is None


def test_a_plan_takes_each_unit_by_its_figure() -> None:
    layout = analyze(lower(small_classifier()))
    plan = make_plan(layout, Target(fast_bytes=4000))
    firings = Figures("made up", "portable", {"firing": 3.0, "run": 7.0})
    *stages, around = predicted(layout.program, plan, firings)
    assert stages == [3 * stage.firings for stage in plan.stages]
    assert around == 7


def test_the_search_and_the_plan_count_alike() -> None:
    layout = analyze(lower(small_classifier()))
    figures = figures_of("cortex-m0plus")
    assert figures is not None
    plan = make_plan(layout, Target())
    search = StageInstructions(layout, figures)
    computed = sum(search.of_firing(plan.ops[at].op, rows) for at, rows in plan.firings)
    assert computed == pytest.approx(sum(figures.of(work) for work in plan_work(
        layout.program, plan, figures.kernel)))
    assert search.of_strips(1, layout.rows[1]) == search.of_firing(1, layout.rows[1])
    assert search.of_move(OpKind.LOAD, 1, "never measured") == float("inf")


def test_plans_with_codes_are_not_predicted() -> None:
    layout = analyze(lower(small_classifier()))
    assert is_measured(layout.program, make_plan(layout, Target(fast_bytes=4000), cut="ops"))
    coded = Storage(codec_of=lambda stream: "rice", state_bytes=lambda codec, stream: 16)
    plan = make_plan(layout, Target(fast_bytes=40000), cut="ops", storage=coded)
    assert not is_measured(layout.program, plan)
