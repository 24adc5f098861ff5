# SPDX-License-Identifier: Apache-2.0
"""Strategy for external memory: maps that leave fast memory cross a port, coded, within a budget.

Planning is first and decides which maps are stored. These maps get coarser steps and tables, and
also caps if the budget limits the bytes of every picture. A network with new steps is planned again
only if it is lowered to different operators.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgefm import rate_distortion
from edgefm.codecs import CODECS
from edgefm.compiler.caps import Capping, shared_out
from edgefm.compiler.choose_codec import with_tolerance
from edgefm.compiler.coded_maps import coded
from edgefm.compiler.deployed import Deployed
from edgefm.compiler.job import Job
from edgefm.compiler.map_storage import codecs_to_try, storage_for
from edgefm.compiler.offers import plan_or_offers
from edgefm.errors import BadInput, Infeasible
from edgefm.network.graph import Array, Graph
from edgefm.network.program import OpKind, Program
from edgefm.planner import Layout, Plan
from edgefm.planner.columns import Tiling
from edgefm.planner.recompute import in_tiles, tiling_for
from edgefm.planner.storage import COARSE_SHARE, LOSSLESS_SHARE, Storage


def compile_external(job: Job) -> Deployed:
    """The network with steps as coarse as the budget allows, its maps coded outside.

    Raises BadInput for a codec that cannot be capped or too few calibration files, Infeasible where
    no plan fits.
    """
    return External(job).run(job.samples)


@dataclass(slots=True, eq=False)
class External:
    """One compilation for external memory; call `run`."""

    job: Job
    capping: Capping | None = None
    share: float = LOSSLESS_SHARE                             # of coded maps, as expected
    first: tuple[Layout, Plan] | None = None                  # of the network as it is
    tiling: Tiling | None = None                              # where nothing else fits
    made: dict[Graph, Deployed] = field(default_factory=dict)  # the last: learning takes long

    def run(self, samples: Sequence[Array]) -> Deployed:
        """The network with steps as coarse as the budget allows, measured on `samples`."""
        graph, budget, decided = self.job.graph, self.job.budget, None
        if self.job.chooser or (budget and budget.bytes):
            _check_codec(self.job.options.map_codec)
            own, samples = shared_out(samples) if budget and budget.bytes else ([], samples)
            self.capping = Capping(own, self.job.target, budget.bytes if budget else None,
                                   self.job.chooser)
        if budget:
            self.share = COARSE_SHARE if self.job.options.how.maps else LOSSLESS_SHARE
            layout, plan = self._planned(graph)
            graph, decided = rate_distortion.coarsen(
                graph, _stored(layout.program, plan), samples, budget, self.job.options.how,
                lambda coarse: self._deployed(coarse).package(), self.job.tick,
                capped=self.capping is not None,
                taken=self._promised if budget.bytes else None)
        made = self._deployed(graph)
        return replace(made, rate=decided and replace(
            decided, most_map_bytes=made.plan.most_map_bytes))

    def _deployed(self, graph: Graph) -> Deployed:
        """A graph planned and coded, under caps as wide as the budget allows."""
        made = self._coded(graph)
        return replace(made, plan=self.capping.widest(made.plan)) if self.capping else made

    def _promised(self, graph: Graph) -> int:
        """The most bytes of a graph's maps under caps that the usual picture fits."""
        return self._coded(graph).plan.most_map_bytes

    def _coded(self, graph: Graph) -> Deployed:
        """A graph planned and coded, with the caps that the usual picture fits."""
        if graph not in self.made:
            self.made.clear()
            layout, plan = self._planned(graph)
            made = coded(graph, layout, plan, self.job.options.map_codec, self.job.table_inputs,
                         self.job.chooser, self.job.tables)
            made = replace(made, coded=with_tolerance(made.coded, self.job.options.tolerance))
            self.made[graph] = replace(made, plan=self.capping.usual(made)) if self.capping else (
                made)
        return self.made[graph]

    def _planned(self, graph: Graph) -> tuple[Layout, Plan]:
        """The graph's plan: the plan of the original network if only numbers differ."""
        layout = self._layout(graph)
        if self.first is None:
            try:
                self.first = layout, self._plan(layout)
            except Infeasible:
                self.tiling = self._tiling(layout)
                if self.tiling is None:
                    raise
                layout = self._layout(graph)
                self.first = layout, self._plan(layout)
        if _alike(layout.program, self.first[0].program):
            return layout, self.first[1]
        return layout, self._plan(layout)

    def _layout(self, graph: Graph) -> Layout:
        layout = self.job.layout(graph)
        return layout if self.tiling is None else in_tiles(layout, self.tiling)

    def _tiling(self, layout: Layout) -> Tiling | None:
        """Column tiles that fit where nothing else does, if columns may be made twice."""
        most, options = self.job.options.recompute, self.job.options
        return None if most is None else tiling_for(
            layout, self.job.target, options.objective, most, self._storage)

    def _plan(self, layout: Layout) -> Plan:
        options = self.job.options
        return plan_or_offers(layout, self.job.target, options.objective, options.cut,
                              self._storage(layout))

    def _storage(self, layout: Layout) -> Storage:
        loose, options = self.capping.loose if self.capping else None, self.job.options
        storage = storage_for(layout.program, options.map_codec, loose,
                              given=self.job.tables, refresh=options.refresh)
        return replace(storage, share=self.share)


def _check_codec(codec: str) -> None:
    names = codecs_to_try(codec)
    if not names or any(not CODECS[name].lossless or CODECS[name].refers for name in names):
        raise BadInput(f"caps and quality maps need a lossless codec of single frames: got "
                       f"--codec {codec}, expected another one, or "
                       "--mean-byte-budget instead of --byte-budget and --quality even")


def _alike(a: Program, b: Program) -> bool:
    """True when a plan of one program is valid for the other: only numbers differ.

    Another scale rarely changes more than numbers: a table of 256 values that becomes the identity
    is lowered to a view.
    """
    def shape(program: Program) -> object:
        return ([(op.kind, op.inputs, op.outputs, op.scratch, op.coding is None)
                 for op in program.ops],
                [replace(stream, zero_point=0) for stream in program.streams])

    return shape(a) == shape(b)


def _stored(program: Program, plan: Plan) -> Mapping[int, int]:
    """Values of coded maps that cross the external port per inference, by tensor of the graph."""
    transfers = {i: sum(op.map == i and op.kind in (OpKind.LOAD, OpKind.STORE) for op in plan.ops)
                 for i in range(len(plan.maps))}
    values: dict[int, int] = {}
    for i, stored in enumerate(plan.maps):
        stream = program.streams[stored.stream]
        if stream.tensor >= 0 and stored.codec != "raw":
            count = stream.height * stream.width * stream.channels * transfers[i]
            values[stream.tensor] = values.get(stream.tensor, 0) + count
    return values
