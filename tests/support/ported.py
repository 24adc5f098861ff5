# SPDX-License-Identifier: Apache-2.0
"""Small networks whose weights are behind the weight port."""

from __future__ import annotations

from edgefm.codecs.weights import WeightCode
from edgefm.compiler.coded_weights import with_port
from edgefm.lower import lower
from edgefm.network.graph import Graph
from edgefm.network.program import Program, WeightPort
from edgefm.package.weight_tiles import with_tile_bytes
from edgefm.package.write import Description, write_package
from edgefm.planner import Plan, Target, analyze, make_plan
from tests.support.coded import coded, tiles_of

RAW: tuple[WeightCode, ...] = ()
PLAIN = WeightPort()


def ported(graph: Graph, least: int = 64, grow: bool = False, port: WeightPort = PLAIN,
           codes: tuple[WeightCode, ...] = RAW, fast: int | None = None) -> tuple[bytes, Plan]:
    """A package and its plan, in tiles of at least `least` bytes that `grow` or do not."""
    program = lower(graph)
    layout = analyze(with_port(coded(program, *codes) if codes else program, program, port))
    with tiles_of(least, grow):
        plan = make_plan(layout, Target(fast_bytes=fast), cut="auto" if fast else "ops")
    plan = with_tile_bytes(layout.program, plan)
    return package_of(graph, layout.program, plan), plan


def package_of(graph: Graph, program: Program, plan: Plan) -> bytes:
    """Its bytes."""
    return write_package(graph, program, plan, {}, Description(""))
