# SPDX-License-Identifier: Apache-2.0
"""Strategy without external memory: maps that do not fit are coded and capped in a page pool.

Two numbers per map decide the size of the pool and the loss: the step of its values (`rate`) and
the cap of its rows. The usual calibration picture fits the cap; others lose bits in some of their
rows. Steps are then as coarse as the budget allows, with caps. The loss is measured on the
package's own results, for files that were not used to fit steps, tables or caps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from edgefm import rate_distortion
from edgefm.codecs.shift import Cap
from edgefm.compiler.calibration import POOL_PARTS
from edgefm.compiler.caps import usual_cap
from edgefm.compiler.coded_maps import coded
from edgefm.compiler.deployed import Deployed
from edgefm.compiler.job import Job
from edgefm.compiler.map_samples import row_lengths
from edgefm.compiler.map_storage import storage_for
from edgefm.compiler.offers import SHARE, plan_or_offers, share_cap
from edgefm.errors import BadInput
from edgefm.network.graph import Graph
from edgefm.network.program import Program, Stream
from edgefm.planner import (
    Layout,
    Plan,
    Storage,
    find_plan,
    plan_storing,
    smallest_plan,
)
from edgefm.rate_distortion.divergence import package_of

_CAPPING = (1, 2)
_SHARES = (SHARE, 0.3, 0.2)  # of a raw row, to find out which maps have to be stored


def compile_onchip(job: Job) -> Deployed:
    """The network with steps as coarse as the budget allows, its maps coded in the page pool.

    Raises BadInput for too few calibration files, Infeasible when no pool is small enough.
    """
    return OnChip(job).run()


@dataclass(slots=True, eq=False)
class OnChip:
    """One compilation into a page pool; call `run`."""

    job: Job
    stored: set[str] = field(default_factory=set)

    def run(self) -> Deployed:
        """The network within the budget, if there is one, and the target's fast memory."""
        layout, plan = self._first_plan()
        if not plan.maps:
            return Deployed(self.job.graph, layout, plan, {})
        if len(self.job.samples) < POOL_PARTS:
            raise BadInput(f"{self.job.graph.name}: {len(self.job.samples)} calibration files; "
                           f"expected {POOL_PARTS} at least, for tables, caps and the budget")
        while True:
            self.stored.update(m.name for m in plan.maps)
            made = self._within_budget()
            layout, plan = self._plan_or_least(made.graph, _caps(made.plan))
            if all(m.name in self.stored for m in plan.maps):
                tables = {m.name: made.coded[i] for i, m in enumerate(made.plan.maps)}
                return Deployed(made.graph, layout, plan, {
                    i: tables[m.name] for i, m in enumerate(plan.maps)}, made.rate and replace(
                    made.rate, most_map_bytes=plan.most_map_bytes))

    def _first_plan(self) -> tuple[Layout, Plan]:
        """Any plan with a pool, to see which maps it stores."""
        layout, options = self.job.layout(self.job.graph), self.job.options
        for share in _SHARES if options.cut == "auto" else ():
            plan = find_plan(layout, self.job.target, options.objective,
                             self._storage(layout.program, {}, share))
            if plan is not None:
                return layout, plan
        return self._plan_or_least(self.job.graph, {}, _SHARES[-1])

    def _plan_or_least(self, graph: Graph, caps: Mapping[str, Cap],
                       share: float = _SHARES[0]) -> tuple[Layout, Plan]:
        """The plan. If nothing fits, the smallest plan, as long as it stores maps without a known
        cap: only measured caps prove that memory is too small."""
        layout, target, options = self.job.layout(graph), self.job.target, self.job.options
        storage = self._storage(layout.program, caps, share)
        if options.cut == "auto" and find_plan(layout, target, options.objective, storage) is None:
            least, _ = smallest_plan(layout, target, options.objective, storage)
            if any(m.name not in self.stored for m in least.maps):
                return layout, least
        return layout, plan_or_offers(layout, target, options.objective, options.cut, storage)

    def _storage(self, program: Program, caps: Mapping[str, Cap],
                 share: float = _SHARES[0]) -> Storage:
        def cap_for(stream: Stream) -> Cap:
            if stream.name in caps:
                return caps[stream.name]
            cap = share_cap(stream, share)
            return self.job.chooser.neutral(stream, cap) if self.job.chooser else cap

        return storage_for(program, self.job.options.map_codec, cap_for, pooled=True)

    def _within_budget(self) -> Deployed:
        """The coarsest steps within the budget, with their caps, in a package without limits."""
        graph, budget = self.job.graph, self.job.budget
        made: dict[object, Deployed] = {}

        def deploy(graph: Graph) -> Deployed:
            scales = tuple(tensor.quant for tensor in graph.tensors)
            if scales not in made:
                self.job.tick()
                made[scales] = self._coded(graph)
            return made[scales]

        if budget is None:
            return deploy(graph)
        values = {s.tensor: s.height * s.width * s.channels
                  for s in self.job.layout(graph).program.streams if s.name in self.stored}
        judged = [x for i, x in enumerate(self.job.samples) if i % POOL_PARTS not in _CAPPING]
        coarse, decided = rate_distortion.coarsen(
            graph, values, judged, budget, self.job.options.how,
            lambda one: deploy(one).package(), self.job.tick, capped=True)
        return replace(deploy(coarse), rate=decided)

    def _coded(self, graph: Graph) -> Deployed:
        """Tables and caps of a network, each learned from its own files."""
        layout, target = self.job.layout(graph), self.job.target
        program = layout.program
        streams = [i for i, s in enumerate(program.streams) if s.name in self.stored]
        capping = [[x] for i, x in enumerate(self.job.samples) if i % POOL_PARTS in _CAPPING]
        loose = coded(graph, layout, plan_storing(layout, target, self._storage(program, {}),
                                                  streams), self.job.options.map_codec,
                      lambda: self.job.samples[::POOL_PARTS], self.job.chooser)
        lengths = row_lengths(program, loose.plan, loose.coded, package_of(graph), capping)
        caps = {m.name: replace(usual_cap(lengths[m.stream]), floors=m.cap.floors,
                                quality=m.cap.quality) for m in loose.plan.maps if m.cap}
        return replace(loose, plan=plan_storing(layout, target, self._storage(program, caps),
                                                streams))


def _caps(plan: Plan) -> dict[str, Cap]:
    return {m.name: m.cap for m in plan.maps if m.cap}
