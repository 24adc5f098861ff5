# SPDX-License-Identifier: Apache-2.0
"""The stored maps of a plan, coded: quality maps in their caps, then codecs with learned tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from edgefm.codecs.tables_file import MapTables
from edgefm.compiler.caps import with_caps
from edgefm.compiler.choose_codec import code_maps
from edgefm.compiler.deployed import Deployed
from edgefm.compiler.map_samples import tapped_maps
from edgefm.compiler.map_storage import needs_calibration
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Program
from edgefm.planner import Layout, Plan
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.quality_maps import Chooser


def coded(graph: Graph, layout: Layout, plan: Plan, codec: str,
          table_inputs: Callable[[], Sequence[Array]], chooser: Chooser | None = None,
          given: Mapping[str, MapTables] | None = None) -> Deployed:
    """The plan with quality maps as `chooser` has them, and a codec for each of its coded maps.

    `table_inputs` gives what codecs learn from, asked for when one does; maps of `given` tables, by
    name, take those. Raises BadInput for tables that are not for their map.
    """
    if all(m.codec == "raw" for m in plan.maps):
        return Deployed(graph, layout, plan, {})
    program, package = layout.program, package_of(graph)
    plan = _with_qualities(plan, chooser, program, package)
    learned = table_inputs() if needs_calibration(codec) else []
    return Deployed(graph, layout, plan, code_maps(program, plan, codec, package,
                                                   [[x] for x in learned], given or {}))


def _with_qualities(plan: Plan, chooser: Chooser | None, program: Program, package: bytes) -> Plan:
    """The plan with quality maps in its caps, chosen for the graph of the package."""
    capped = {m.name: m for m in plan.maps if m.cap}
    if chooser is None or not capped:
        return plan
    maps = tapped_maps(program, package, [[x] for x in chooser.samples],
                       [m.stream for m in capped.values()])
    return with_caps(plan, {name: chooser.shaped(program.streams[m.stream], m.cap, maps[m.stream])
                            for name, m in capped.items() if m.cap})
