# SPDX-License-Identifier: Apache-2.0
"""The result that a compilation would have with the other objective."""

from __future__ import annotations

from edgefm.compiler.map_storage import storage_for
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled
from edgefm.planner import OBJECTIVES, Plan, find_plan, load_target


def other_plan(compiled: Compiled, options: CompileOptions) -> Plan | None:
    """The plan for the other objective, which takes little time with the stages of this one known.

    None if it cannot differ, would take long, or needs another network: with as much memory as
    helps, fixed cuts, a page pool, tables or a budget.
    """
    target = load_target(options.target).with_budget(options.fast, options.external)
    if (compiled.layout is None or (options.fast is None and target.fast_bytes is None)
            or options.cut != "auto" or compiled.plan.pool_pages or options.tables
            or options.budget or options.quality != "even"):
        return None
    other = next(name for name in OBJECTIVES if name != options.objective)
    storage = storage_for(compiled.program, options.map_codec, refresh=options.refresh)
    return find_plan(compiled.layout, target, other, storage)
