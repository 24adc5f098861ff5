# SPDX-License-Identifier: Apache-2.0
"""What a compilation would have given with the other objective."""

from __future__ import annotations

from edgefm.compiler.map_storage import storage_for
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.pipeline import Compiled
from edgefm.planner import OBJECTIVES, Plan, find_plan, load_target


def other_plan(compiled: Compiled, options: CompileOptions) -> Plan | None:
    """What the other objective would give: with the stages of this one known it takes little time.

    None where it cannot differ, or would take long or another network: with all the memory that is
    useful, fixed cuts, a page pool, tables or a budget.
    """
    target = load_target(options.target).with_budget(options.fast, options.external)
    if (compiled.layout is None or (options.fast is None and target.fast_bytes is None)
            or options.cut != "auto" or compiled.plan.pool_pages or options.tables
            or options.budget or options.quality != "even"):
        return None
    other = next(name for name in OBJECTIVES if name != options.objective)
    storage = storage_for(compiled.program, options.map_codec, refresh=options.refresh)
    return find_plan(compiled.layout, target, other, storage)
