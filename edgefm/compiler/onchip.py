# SPDX-License-Identifier: Apache-2.0
"""No external memory: what does not fit fast memory as it is, coded and capped in a page pool.

Two numbers per map decide what the pool takes and what is lost: the step of its values (`rate`) and
the cap of its rows. A cap is set where the usual calibration picture fits it; others lose bits in
some of their rows. Steps are then as coarse as the budget allows, caps included: what is measured
is what the package computes, on files that neither steps, tables nor caps were fitted on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgefm import rate_distortion
from edgefm.codecs.shift import Cap
from edgefm.compiler import choose_codec
from edgefm.compiler.caps import usual_cap, with_qualities
from edgefm.compiler.external import Deployed
from edgefm.compiler.offers import SHARE, plan_or_offers, share_cap
from edgefm.errors import BadInput
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.network.program import Program, Stream
from edgefm.package.container import CodedMap, Description, write_package
from edgefm.planner import (
    Layout,
    Plan,
    Storage,
    Target,
    analyse,
    find_plan,
    plan_storing,
    smallest_plan,
)
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.quality import Chooser

IMAGES = 112     # calibration files: of seven, one fits tables and sensitivities, two fit caps,
PARTS = 7        # four hold the budget
_CAPPING = (1, 2)
_SHARES = (SHARE, 0.3, 0.2)  # of a raw row, to find out which maps have to be stored


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    """A network with caps and tables by name of the stored stream, in a package without limits."""

    graph: Graph
    caps: Mapping[str, Cap]
    coded: Mapping[str, CodedMap]
    package: bytes = field(repr=False)


@dataclass(slots=True, eq=False)
class Pooling:
    """One compilation into a page pool; `run` is the way in."""

    graph: Graph
    samples: Sequence[Array]
    target: Target
    objective: str
    cut: str
    codec: str
    tick: Callable[[], None] = lambda: None
    chooser: Chooser | None = None  # of quality maps
    stored: set[str] = field(default_factory=set)

    def run(self, kl: float | None, how: tuple[str, str]) -> Deployed:
        """The network within `kl` nats (None: no coarser steps) and the target's fast memory; `how`
        is the rule and the transform of `rate.coarsen`.

        Raises BadInput for too few samples, Infeasible when no pool is small enough.
        """
        layout, plan = self._first_plan()
        if not plan.maps:
            return Deployed(self.graph, layout, plan, {}, None)
        if len(self.samples) < PARTS:
            raise BadInput(f"{self.graph.name}: {len(self.samples)} calibration files; expected "
                           f"{PARTS} at least, for tables, caps and the budget")
        while True:
            self.stored.update(m.name for m in plan.maps)
            made, decided = self._within(kl, how)
            layout, plan = self._plan_or_least(made.graph, made.caps)
            if all(m.name in self.stored for m in plan.maps):
                coded = {i: made.coded[m.name] for i, m in enumerate(plan.maps)}
                return Deployed(made.graph, layout, plan, coded, decided and replace(
                    decided, most_map_bytes=plan.most_map_bytes))

    # -- plans -------------------------------------------------------------------------------------

    def _first_plan(self) -> tuple[Layout, Plan]:
        """Any plan with a pool, to see which maps it stores."""
        layout = analyse(lower(self.graph))
        for share in _SHARES if self.cut == "auto" else ():
            plan = find_plan(layout, self.target, self.objective,
                             self._storage(layout.program, {}, share))
            if plan is not None:
                return layout, plan
        return self._plan_or_least(self.graph, {}, _SHARES[-1])

    def _plan_or_least(self, graph: Graph, caps: Mapping[str, Cap],
                       share: float = _SHARES[0]) -> tuple[Layout, Plan]:
        """The plan; where nothing fits, the smallest one while it stores maps whose caps are not
        known yet. Only caps that were measured say what is too little."""
        layout = analyse(lower(graph))
        storage = self._storage(layout.program, caps, share)
        if self.cut == "auto" and find_plan(layout, self.target, self.objective, storage) is None:
            least, _ = smallest_plan(layout, self.target, self.objective, storage)
            if any(m.name not in self.stored for m in least.maps):
                return layout, least
        return layout, plan_or_offers(layout, self.target, self.objective, self.cut, storage)

    def _storage(self, program: Program, caps: Mapping[str, Cap],
                 share: float = _SHARES[0]) -> Storage:
        def cap_for(stream: Stream) -> Cap:
            if stream.name in caps:
                return caps[stream.name]
            cap = share_cap(stream, share)
            return self.chooser.neutral(stream, cap) if self.chooser else cap

        return choose_codec.storage_for(program, self.codec, cap_for, pooled=True)

    # -- steps and caps ----------------------------------------------------------------------------

    def _within(self, kl: float | None, how: tuple[str, str]
                ) -> tuple[_Candidate, rate_distortion.Rate | None]:
        """The coarsest steps within the budget, with their caps."""
        values = {s.tensor: s.height * s.width * s.channels
                  for s in lower(self.graph).streams if s.name in self.stored}
        made: dict[object, _Candidate] = {}

        def deploy(graph: Graph) -> _Candidate:
            scales = tuple(tensor.quant for tensor in graph.tensors)
            if scales not in made:
                self.tick()
                made[scales] = self._candidate(graph)
            return made[scales]

        if kl is None:
            return deploy(self.graph), None
        judged = [x for i, x in enumerate(self.samples) if i % PARTS not in _CAPPING]
        graph, decided = rate_distortion.coarsen(
            self.graph, values, judged, rate_distortion.Budget(kl=kl), how,
            lambda coarse: deploy(coarse).package, self.tick, capped=True)
        return deploy(graph), decided

    def _candidate(self, graph: Graph) -> _Candidate:
        """Tables and caps of a network, each learned from its own files."""
        layout, roomy = analyse(lower(graph)), package_of(graph)
        program = layout.program
        streams = [i for i, s in enumerate(program.streams) if s.name in self.stored]
        fitted = [[x] for x in self.samples[::PARTS]]
        capping = [[x] for i, x in enumerate(self.samples) if i % PARTS in _CAPPING]
        loose = with_qualities(plan_storing(layout, self.target, self._storage(program, {}),
                                            streams), self.chooser, graph, program)
        coded = choose_codec.code_maps(program, loose, self.codec, roomy, fitted)
        lengths = choose_codec.row_lengths(program, loose, coded, roomy, capping)
        shaped = {m.stream: m.cap for m in loose.maps if m.cap}
        caps = {program.streams[s].name: replace(usual_cap(rows), floors=shaped[s].floors,
                                                 quality=shaped[s].quality)
                for s, rows in lengths.items()}
        plan = plan_storing(layout, self.target, self._storage(program, caps), streams)
        package = write_package(graph, program, plan, coded, Description(""))
        return _Candidate(graph, caps, {m.name: coded[i] for i, m in enumerate(plan.maps)}, package)

