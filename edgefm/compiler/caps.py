# SPDX-License-Identifier: Apache-2.0
"""Caps for maps in external memory: a budget in bytes that holds for any picture.

A cap limits the bytes of a map: n * per_row + depth for n rows. A search for steps compares the
budget with the caps that the usual calibration picture needs at those steps, because fine steps
that are often capped lose more than coarse steps that are rarely capped. The rest of the budget
then widens all caps in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.codecs.shift import HEAD_BYTES, Cap
from edgefm.compiler.deployed import Deployed
from edgefm.compiler.map_samples import row_lengths
from edgefm.errors import BadInput
from edgefm.network.graph import Array
from edgefm.network.program import Stream
from edgefm.planner import Plan, Target
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.quality_maps import Chooser

USUAL = 0.5      # share of calibration pictures whose rows fit the rate on average
DEPTH_ROWS = 8   # rows' worth that busy places may borrow from calm ones before
_ROWS_PER_DEPTH = 7  # in external memory: rows per row's worth of depth
_HALVINGS = 40   # of the interval that the widest caps are searched in
_ONE_IN, _CAPPING = 9, (1, 2)  # of nine calibration files two set caps


@dataclass(frozen=True, slots=True, eq=False)
class Capping:
    """The inputs for making caps: samples that no table was learned from, the bytes that may cross
    the port, both ways (None: caps that never act), and the chooser of quality maps."""

    samples: Sequence[Array]
    target: Target
    budget: int | None
    chooser: Chooser | None = None

    def loose(self, stream: Stream) -> Cap:
        """The cap that never acts, with a quality map that changes nothing."""
        cap = Cap(self.target.transfer_bytes(stream.row_bytes + HEAD_BYTES), 0)
        return self.chooser.neutral(stream, cap) if self.chooser else cap

    def usual(self, made: Deployed) -> Plan:
        """The plan with the caps that the usual picture fits; else the plan as it is."""
        plan = made.plan
        capped = {i: one for i, one in made.coded.items() if plan.maps[i].cap}
        if self.budget is None:
            return plan
        lengths = row_lengths(made.layout.program, plan, capped, package_of(made.graph),
                              [[x] for x in self.samples])
        return _with_sizes(plan, {m.name: self._usual(lengths[m.stream], m.rows)
                                  for i, m in enumerate(plan.maps) if i in capped})

    def _usual(self, lengths: Sequence[Sequence[int]], rows: int) -> Cap:
        whole = [[self.target.transfer_bytes(n + HEAD_BYTES) - HEAD_BYTES for n in one]
                 for one in lengths]
        return usual_cap(whole, min(DEPTH_ROWS, max(rows // _ROWS_PER_DEPTH, 1)))

    def widest(self, usual: Plan) -> Plan:
        """The plan with its caps scaled by one factor, as wide as the budget allows.

        Raises BadInput when no factor is small enough.
        """
        if self.budget is None:
            return usual

        def at(factor: float) -> Plan:
            return _with_sizes(usual, {m.name: Cap(
                max(int(factor * m.cap.per_row), self.target.alignment), int(factor * m.cap.depth))
                for m in usual.maps if m.cap})

        low, high = 0.0, max((m.slot_bytes / m.cap.per_row for m in usual.maps if m.cap),
                             default=1.0)
        if at(low).most_map_bytes > self.budget:
            raise BadInput(f"the maps that this plan stores take up to {at(low).most_map_bytes} "
                           f"bytes even with the tightest caps; the budget is {self.budget}")
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = at(middle).most_map_bytes <= self.budget
            low, high = (middle, high) if fits else (low, middle)
        return at(low)


def with_caps(plan: Plan, caps: Mapping[str, Cap]) -> Plan:
    """The same plan with its maps at the same places, and the caps of those that have one."""
    return replace(plan, maps=tuple(replace(m, cap=caps.get(m.name, m.cap)) for m in plan.maps))


def _with_sizes(plan: Plan, sizes: Mapping[str, Cap]) -> Plan:
    """The same plan with caps of these sizes; they keep their quality maps."""
    return with_caps(plan, {m.name: replace(m.cap, per_row=sizes[m.name].per_row,
                                            depth=sizes[m.name].depth)
                            for m in plan.maps if m.cap and m.name in sizes})


def usual_cap(lengths: Sequence[Sequence[int]], depth_rows: int = DEPTH_ROWS) -> Cap:
    """The cap of a map whose rows took these bytes, per picture, when nothing limited them."""
    means = [float(np.mean(rows)) for rows in lengths]
    most = int(np.ceil(np.quantile(means, USUAL))) + HEAD_BYTES
    return Cap(most, depth_rows * most)


def shared_out(samples: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """The files for setting caps, and the files for choosing and measuring steps. Raises BadInput
    for too few."""
    if len(samples) < 4:
        raise BadInput(f"{len(samples)} calibration files; expected 4 at least, for steps, caps "
                       "and to judge by")
    own = [x for i, x in enumerate(samples) if i % _ONE_IN in _CAPPING]
    return own, [x for i, x in enumerate(samples) if i % _ONE_IN not in _CAPPING]
