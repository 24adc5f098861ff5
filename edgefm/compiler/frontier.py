# SPDX-License-Identifier: Apache-2.0
"""The frontier of a model file: what each size of fast memory would give."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from edgefm.compiler.job import job_for
from edgefm.compiler.load import load_model
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled
from edgefm.errors import BadInput, naming
from edgefm.planner import load_target
from edgefm.planner.frontier import BudgetPlan, frontier


def frontier_around(compiled: Compiled, options: CompileOptions,
                    tick: Callable[[int, int], None] = lambda done, total: None
                    ) -> tuple[BudgetPlan, ...]:
    """The frontier of a compilation's network, maps stored raw: what other sizes of fast memory
    would give. Empty where the compilation kept no layout."""
    if compiled.layout is None:
        return ()
    target = load_target(options.target).with_budget(None, options.external or None)
    return frontier(compiled.layout, target, options.objective, tick)


def compile_frontier(path: Path, options: CompileOptions,
                     tick: Callable[[int, int], None] = lambda done, total: None
                     ) -> tuple[str, tuple[BudgetPlan, ...]]:
    """The network's name and the points of its frontier, for the options' target and objective; the
    options' fast memory, if any, is one of them.

    Raises BadInput for options that fix or code what a frontier leaves open.
    """
    fixed = {"--cut": options.cut != "auto",
             "--codec": options.codec not in (None, "raw"), "--tables": options.tables is not None,
             "a budget for loss or bytes": options.budget is not None}
    for name, given in fixed.items():
        if given:
            raise BadInput(f"{path}: a frontier plans every size of fast memory, maps stored raw; "
                           f"got {name}, expected none")
    model = load_model(path, options)
    with naming(path, model.graph.name):
        job = job_for(model, replace(options, codec=None), lambda: None)
        return model.graph.name, frontier(job.layout(job.graph), job.target, options.objective,
                                          tick, options.fast)
