# SPDX-License-Identifier: Apache-2.0
"""Suggestions for more room when no plan fits; each one is backed by a plan that does."""

from __future__ import annotations

from dataclasses import replace

from edgefm.codecs.shift import Cap
from edgefm.compiler.caps import DEPTH_ROWS
from edgefm.compiler.map_storage import storage_for
from edgefm.errors import Infeasible
from edgefm.network.program import Stream
from edgefm.planner import Layout, Plan, Storage, Target, find_plan, make_plan, slim_plan
from edgefm.planner.arena import MAX_BYTES

SHARE = 0.4                # of a raw row: the size of a cap until calibration gives a better one
_CODEC = "context"         # the codec of a budget for loss
_TIMES = 1, 1.5, 2         # what a row-by-row plan stores outside, until the objective fits


def plan_or_offers(layout: Layout, target: Target, objective: str, cut: str,
                   storage: Storage) -> Plan:
    """`make_plan`; when nothing fits, the error also says what would make room."""
    try:
        return make_plan(layout, target, objective, cut, storage)
    except Infeasible as error:
        found = [] if cut != "auto" else [*_external(layout, target, objective, storage),
                                          *_codec(layout, target, storage)]
        if not found:
            raise
        raise Infeasible(f"{error}; {target.fast_bytes} bytes suffice with {' or '.join(found)}",
                         error.smallest, error.operator) from None


def share_cap(stream: Stream, share: float) -> Cap:
    """The cap of a map that is assumed to need this share of its raw rows."""
    rate = max(int(stream.row_bytes * share), 1)
    return Cap(rate, DEPTH_ROWS * rate)


def _external(layout: Layout, target: Target, objective: str, storage: Storage) -> list[str]:
    """The external memory of a plan that fits fast memory, if it is more than the target's."""
    plain = replace(storage.only(frozenset()), pooled=False)
    roomy = slim_plan(layout, target.with_budget(None, MAX_BYTES), plain)
    if roomy is None or roomy.external_bytes <= target.external_bytes:
        return []
    offered = (min(int(times * roomy.external_bytes), MAX_BYTES) for times in _TIMES)
    return next(([f"--external {external}"] for external in offered if find_plan(
        layout, target.with_budget(None, external), objective, plain) is not None), [])


def _codec(layout: Layout, target: Target, storage: Storage) -> list[str]:
    """Suggest coding in fast memory, if nothing is coded there and rows of the usual share fit."""
    if target.external_bytes or storage.pooled:
        return []
    pooled = storage_for(layout.program, _CODEC, lambda s: share_cap(s, SHARE),
                                      pooled=True)
    if slim_plan(layout, target, pooled) is None:
        return []
    return [f"--codec {_CODEC} --calib DIR, as far as {SHARE:.0%} of a row is enough for its code"]
