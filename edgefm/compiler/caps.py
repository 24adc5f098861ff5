# SPDX-License-Identifier: Apache-2.0
"""Caps for maps in external memory: a budget in bytes that holds for any picture.

A cap limits the bytes of a map: n * rate + depth for n rows. A search for steps compares the budget
with the caps that the usual calibration picture needs at those steps, because fine steps that are
often capped lose more than coarse steps that are rarely capped. The rest of the budget then widens
all caps in proportion.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.codecs.shift import HEAD_BYTES, Cap
from edgefm.compiler import choose_codec
from edgefm.errors import BadInput
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Program, Stream
from edgefm.package.container import CodedMap
from edgefm.planner import Plan, Target
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.quality import Chooser

USUAL = 0.5      # share of calibration pictures whose rows fit the rate on average
DEPTH_ROWS = 8   # rows' worth that busy places may borrow from calm ones before
_ROWS_PER_DEPTH = 7  # in external memory: one row's worth of depth for so many rows
_HALVINGS = 40   # of the interval that the widest caps are searched in
_ONE_IN, _CAPPING = 9, (1, 2)  # of nine calibration files two set caps


@dataclass(frozen=True, slots=True, eq=False)
class Capping:
    """What caps are made from: inputs that no table was learned on, the bytes that may cross the
    port, both ways (None: caps that never act), and what chooses quality maps."""

    samples: Sequence[Array]
    target: Target
    budget: int | None
    chooser: Chooser | None = None

    def loose(self, stream: Stream) -> Cap:
        """The cap that never acts, with a quality map that changes nothing."""
        cap = Cap(self.target.transfer_bytes(stream.row_bytes + HEAD_BYTES), 0)
        return self.chooser.neutral(stream, cap) if self.chooser else cap

    def usual(self, graph: Graph, program: Program, plan: Plan, coded: Mapping[int, CodedMap]
              ) -> dict[str, Cap]:
        """By name of the map, the caps that the usual picture fits."""
        capped = {i: one for i, one in coded.items() if plan.maps[i].cap}
        if self.budget is None:
            return {}
        lengths = choose_codec.row_lengths(program, plan, capped, package_of(graph),
                                     [[x] for x in self.samples])
        return {m.name: self._usual(lengths[m.stream], m.rows) for i, m in enumerate(plan.maps)
                if i in capped}

    def _usual(self, lengths: Sequence[Sequence[int]], rows: int) -> Cap:
        whole = [[self.target.transfer_bytes(n + HEAD_BYTES) - HEAD_BYTES for n in one]
                 for one in lengths]
        return usual_cap(whole, min(DEPTH_ROWS, max(rows // _ROWS_PER_DEPTH, 1)))

    def widest(self, plan: Plan, usual: Mapping[str, Cap]) -> dict[str, Cap]:
        """`usual`, all in one proportion, as wide as the budget lets them be.

        Raises BadInput when no proportion is small enough.
        """
        if self.budget is None:
            return {m.name: m.cap for m in plan.maps if m.cap}

        def at(factor: float) -> dict[str, Cap]:
            least = self.target.alignment
            return {m.name: replace(m.cap, rate=max(int(factor * usual[m.name].rate), least),
                                    depth=int(factor * usual[m.name].depth))
                    for m in plan.maps if m.cap and m.name in usual}

        low, high = 0.0, max((m.slot_bytes / usual[m.name].rate for m in plan.maps
                              if m.name in usual), default=1.0)
        if with_caps(plan, at(low)).most_map_bytes > self.budget:
            raise BadInput(f"the maps that this plan stores take "
                           f"{with_caps(plan, at(low)).most_map_bytes} bytes at most even where "
                           f"nothing is left of them; the budget is {self.budget}")
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            fits = with_caps(plan, at(middle)).most_map_bytes <= self.budget
            low, high = (middle, high) if fits else (low, middle)
        return at(low)


def with_caps(plan: Plan, caps: Mapping[str, Cap]) -> Plan:
    """The same plan, its maps where they were, with the caps of those that have one."""
    return replace(plan, maps=tuple(replace(m, cap=caps.get(m.name, m.cap)) for m in plan.maps))


def with_qualities(plan: Plan, chooser: Chooser | None, graph: Graph, program: Program) -> Plan:
    """The plan with quality maps in its caps, chosen for the graph."""
    capped = {m.name: m for m in plan.maps if m.cap}
    if chooser is None or not capped:
        return plan
    maps = choose_codec.tapped_maps(program, package_of(graph), [[x] for x in chooser.samples],
                              [m.stream for m in capped.values()])
    return with_caps(plan, {name: chooser.shaped(program.streams[m.stream], m.cap, maps[m.stream])
                            for name, m in capped.items() if m.cap})


def usual_cap(lengths: Sequence[Sequence[int]], depth_rows: int = DEPTH_ROWS) -> Cap:
    """The cap of a map whose rows took these bytes, per picture, when nothing limited them."""
    means = [float(np.mean(rows)) for rows in lengths]
    most = int(np.ceil(np.quantile(means, USUAL))) + HEAD_BYTES
    return Cap(most, depth_rows * most)


def shared_out(samples: Sequence[Array]) -> tuple[list[Array], list[Array]]:
    """The files that caps are set on, and those that steps are chosen and judged on. Raises
    BadInput for too few."""
    if len(samples) < 4:
        raise BadInput(f"{len(samples)} calibration files; expected 4 at least, for steps, caps "
                       "and to judge by")
    own = [x for i, x in enumerate(samples) if i % _ONE_IN in _CAPPING]
    return own, [x for i, x in enumerate(samples) if i % _ONE_IN not in _CAPPING]
