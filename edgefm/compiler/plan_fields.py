# SPDX-License-Identifier: Apache-2.0
"""Facts about a plan in addition to its own figures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from edgefm.compiler.map_storage import why_raw
from edgefm.compiler.options import CompileOptions
from edgefm.compiler.other_objective import other_plan
from edgefm.compiler.pipeline import Compiled
from edgefm.planner import Target, load_target
from edgefm.planner.figures import figures_of
from edgefm.planner.instructions import is_measured, predicted
from edgefm.planner.objective import modeled_millijoules, modeled_milliseconds
from edgefm.planner.storage import COARSE_SHARE, LOSSLESS_SHARE

MOVED = ("external_read_bytes", "external_write_bytes", "weight_read_bytes")


def compiled_fields(compiled: Compiled, options: CompileOptions) -> dict[str, Any]:
    """Facts that only a compilation has: expected bytes, why maps are raw, the other objective."""
    plan, streams = compiled.plan, compiled.program.streams
    share = COARSE_SHARE if compiled.rate else LOSSLESS_SHARE
    maps = [{**told, **({} if m.codec != "raw" else {
                "why_raw": why_raw(streams[m.stream], options.map_codec)})}
            for told, m in zip(cast(list[dict[str, Any]], plan.to_json()["maps"]), plan.maps,
                               strict=True)]
    other = other_plan(compiled, options)
    return {"maps": maps, "expected_map_bytes": round(plan.expected_map_bytes(share)),
            "coded_values": sum(m.rows * m.row_bytes * sum(op.map == i for op in plan.ops)
                                for i, m in enumerate(plan.maps) if m.codec != "raw"),
            **_predictions(compiled, load_target(options.target), options.packing),
            **({"other_objective": {"objective": other.objective, **{
                name: getattr(other, name) for name in MOVED}}} if other else {})}


def _predictions(compiled: Compiled, target: Target, packing: str | None) -> dict[str, Any]:
    """Instructions in all and stage by stage, where the target's processor was measured; time and
    energy, modeled, where the target says what they are computed from."""
    figures = figures_of(f"{target.counted_as}-{packing}") or figures_of(target.counted_as)
    if figures is None or not is_measured(compiled.program, compiled.plan):
        return {}
    plan = compiled.plan
    *stages, around = predicted(compiled.program, plan, figures)
    instructions = sum(stages) + around
    moved = (instructions, plan.external_read_bytes + plan.external_write_bytes,
             plan.weight_read_bytes)
    modeled = {"modeled_milliseconds": modeled_milliseconds(target, *moved),
               "modeled_millijoules": modeled_millijoules(target, *moved)}
    return {"processor": figures.processor, "predicted_instructions": instructions,
            "stage_instructions": stages,
            **{name: round(value, 4) for name, value in modeled.items() if value is not None}}


def package_fields(plan: Mapping[str, Any]) -> dict[str, Any]:
    """The same for a package, which has no facts about alternatives."""
    return {} if plan.get("maps") else {"expected_map_bytes": 0, "coded_values": 0}
