# SPDX-License-Identifier: Apache-2.0
"""External memory: maps that do not stay in fast memory cross a port, coded, maybe within a budget.

The plan comes first and says which maps are stored; those get coarser steps, tables, and under a
budget of bytes for any picture caps. A network whose steps changed is planned again only where it
is lowered to other operators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from edgefm import rate_distortion
from edgefm.codecs import CODECS
from edgefm.codecs.shift import Cap
from edgefm.codecs.tables_file import MapTables
from edgefm.compiler import choose_codec
from edgefm.compiler.caps import Capping, shared_out, with_caps, with_qualities
from edgefm.compiler.offers import plan_or_offers
from edgefm.errors import BadInput
from edgefm.lower import lower
from edgefm.network.graph import Array, Graph
from edgefm.network.program import OpKind, Program
from edgefm.package.container import CodedMap, Description, write_package
from edgefm.planner import Layout, Plan, Target, analyse
from edgefm.planner.storage import COARSE_SHARE, LOSSLESS_SHARE
from edgefm.rate_distortion.divergence import package_of
from edgefm.rate_distortion.quality import Chooser

Samples = Sequence[Array]


@dataclass(frozen=True, slots=True, eq=False)
class Deployed:
    """A network with its plan, tables per index in `plan.maps`, and what was decided."""

    graph: Graph
    layout: Layout
    plan: Plan
    coded: Mapping[int, CodedMap]
    rate: rate_distortion.Rate | None


@dataclass(frozen=True, slots=True, eq=False)
class _Coded:
    """A graph planned and coded, with the caps that the usual picture fits."""

    layout: Layout
    plan: Plan
    coded: Mapping[int, CodedMap]
    usual: Mapping[str, Cap]


@dataclass(slots=True, eq=False)
class Outside:
    """One compilation for external memory; `run` is the way in. `table_samples` gives the inputs
    that codecs learn from, asked for when one does."""

    graph: Graph
    table_samples: Callable[[], Samples]
    target: Target
    objective: str
    cut: str
    codec: str
    given: Mapping[str, MapTables]
    tick: Callable[[], None] = lambda: None
    tolerance: int = 0                                       # of the codec temporal, in steps
    refresh: int = 0                                         # of the same, in frames
    chooser: Chooser | None = None                           # of quality maps
    capping: Capping | None = None
    share: float = LOSSLESS_SHARE                            # of coded maps, as expected
    first: tuple[Layout, Plan] | None = None                 # of the network as it is
    made: dict[Graph, _Coded] = field(default_factory=dict)  # the last: learning takes long

    def run(self, budget: rate_distortion.Budget | None, samples: Samples,
            how: tuple[str, str]) -> Deployed:
        """The network with steps as coarse as the budget allows, judged on `samples`; `how` is the
        rule and the transform of `rate.coarsen`."""
        if self.chooser or (budget and budget.bytes):
            self._check_codec()
            own, samples = shared_out(samples) if budget and budget.bytes else ([], samples)
            self.capping = Capping(own, self.target, budget.bytes if budget else None,
                                   self.chooser)
        if budget is None:
            return self._deployed(self.graph)
        self.share = COARSE_SHARE
        layout, plan = self._planned(self.graph)
        graph, decided = rate_distortion.coarsen(
            self.graph, _stored(layout.program, plan), samples, budget, how, self._package,
            self.tick, capped=self.capping is not None,
            taken=self._promised if budget.bytes else None)
        return self._deployed(graph, decided)

    def _deployed(self, graph: Graph, decided: rate_distortion.Rate | None = None) -> Deployed:
        one = self._coded(graph)
        plan = one.plan
        if self.capping:
            plan = with_caps(plan, self.capping.widest(plan, one.usual))
        return Deployed(graph, one.layout, plan, one.coded,
                        decided and replace(decided, most_map_bytes=plan.most_map_bytes))

    def _package(self, graph: Graph) -> bytes:
        made = self._deployed(graph)
        return write_package(graph, made.layout.program, made.plan, made.coded, Description(""))

    # -- plans -------------------------------------------------------------------------------------

    def _planned(self, graph: Graph) -> tuple[Layout, Plan]:
        """The graph's plan: that of the network as it is where only numbers differ."""
        layout = analyse(lower(graph))
        if self.first is None:
            self.first = layout, self._plan(layout)
        if _alike(layout.program, self.first[0].program):
            return layout, self.first[1]
        return layout, self._plan(layout)

    def _plan(self, layout: Layout) -> Plan:
        loose = self.capping.loose if self.capping else None
        storage = choose_codec.storage_for(layout.program, self.codec, loose, given=self.given,
                                     refresh=self.refresh)
        return plan_or_offers(layout, self.target, self.objective, self.cut,
                              replace(storage, share=self.share))

    # -- tables and caps ---------------------------------------------------------------------------

    def _coded(self, graph: Graph) -> _Coded:
        if graph not in self.made:
            self.made.clear()
            layout, plan = self._planned(graph)
            plan = with_qualities(plan, self.chooser, graph, layout.program)
            coded = self._tables(graph, layout.program, plan)
            usual = self.capping.usual(graph, layout.program, plan, coded) if self.capping else {}
            self.made[graph] = _Coded(layout, plan, coded, usual)
        return self.made[graph]

    def _tables(self, graph: Graph, program: Program, plan: Plan) -> Mapping[int, CodedMap]:
        if all(m.codec == "raw" for m in plan.maps):
            return {}
        learned = self.table_samples() if choose_codec.needs_calibration(self.codec) else []
        coded = choose_codec.code_maps(program, plan, self.codec, package_of(graph),
                                 [[x] for x in learned], self.given)
        return choose_codec.with_tolerance(coded, self.tolerance)

    def _promised(self, graph: Graph) -> int:
        """The most bytes of a graph's maps under caps that the usual picture fits."""
        one = self._coded(graph)
        return with_caps(one.plan, one.usual).most_map_bytes

    def _check_codec(self) -> None:
        names = choose_codec.candidates(self.codec)
        if not names or any(not CODECS[name].lossless or CODECS[name].refers for name in names):
            raise BadInput(f"caps and quality maps need a lossless codec of single frames: got "
                           f"--codec {self.codec}, expected another one, or "
                           "--mean-byte-budget instead of --byte-budget and --quality even")


def _alike(a: Program, b: Program) -> bool:
    """True when a plan of one program holds for the other: all but numbers is the same.

    Another scale rarely changes more than numbers: a table of 256 values that becomes the identity
    is lowered to a view.
    """
    def shape(program: Program) -> object:
        return ([(op.kind, op.inputs, op.outputs, op.scratch) for op in program.ops],
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
