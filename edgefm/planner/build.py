# SPDX-License-Identifier: Apache-2.0
"""Builds a plan from a chosen chain of stages: the exact schedule, then the exact arena."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from edgefm.console.names import MOST_IN_A_SENTENCE, short
from edgefm.errors import Infeasible
from edgefm.network.program import ELEMENT_BYTES, TAKING, OpKind
from edgefm.planner.arena import (
    COUNTER_BYTES,
    DIRECTORY_BYTES,
    MAX_PAGES,
    WINDOW_BYTES,
    control_bytes,
    round_up,
)
from edgefm.planner.firing import Task, Trace
from edgefm.planner.grow import grown
from edgefm.planner.layout import Layout
from edgefm.planner.model import Buffer, PlacedOp, PlacedStage, PlacedStream, Plan, StoredMap
from edgefm.planner.page_pool import Pooled, pool_item
from edgefm.planner.place import Item, place, solid
from edgefm.planner.search import Choice
from edgefm.planner.slices import Sliced
from edgefm.planner.stages import (
    Boundary,
    Stage,
    StageOp,
    boundary_of,
    run_stage,
    stage_tasks,
    units_of,
)
from edgefm.planner.storage import Storage, spaced
from edgefm.planner.target import Target
from edgefm.planner.weight_tiles import (
    Decoding,
    buffer_bytes,
    buffer_item,
    enlarge,
    scratch_bytes,
    scratch_most,
    shape_of,
)

_FAST = -1                 # stage number of a buffer that outlives its stage

@dataclass(frozen=True, slots=True)
class _Run:
    """A simulated stage with its place in the global firing list."""

    stage: Stage
    boundary: Boundary
    units: list[StageOp]
    tasks: list[Task]
    trace: Trace
    start: int

    @property
    def stop(self) -> int:
        return self.start + len(self.trace.firings)


def build_plan(layout: Layout, choice: Choice, target: Target, objective: str,
               storage: Storage | None = None) -> Plan:
    """Simulate the chosen stages as they will run and place every buffer."""
    return _Builder(layout, choice, target, objective, storage or Storage()).build()


class _Builder:
    """The plan during its construction; call `build_plan`."""

    def __init__(self, layout: Layout, choice: Choice, target: Target, objective: str,
                 storage: Storage) -> None:
        self.layout = layout
        self.program = layout.program
        self.choice = choice
        self.target = target
        self.objective = objective
        self.storage = storage
        self.runs = self._simulate()
        self.ops: list[PlacedOp] = []
        self.streams: list[PlacedStream] = []
        self.maps: list[StoredMap] = []
        self.buffer_keys: dict[tuple[int, int], int] = {}
        self.items: list[Item] = []
        self.scratch_items: dict[int, int] = {}  # op index -> item
        self.decoding: dict[int, Decoding] = {}  # the same
        self.units: dict[int, StageOp] = {}         # op index -> what it runs
        self.pool_pages = 0
        self.pool_at = -1                        # its item
        self.reference_items: dict[int, int] = {}  # map -> item

    def _simulate(self) -> list[_Run]:
        runs, start = [], 0
        layout, fast = self.layout, self.choice.fast
        for stage in self.choice.stages:
            whole = boundary_of(layout, stage.first, stage.last)
            boundary = Boundary(tuple(s for s in whole.loads if layout.group[s] not in fast),
                                tuple(s for s in whole.stores if layout.group[s] not in fast))
            before = layout.tiled & fast
            ready = [s for s in whole.loads if layout.group[s] in fast] + [
                s for s in layout.crossing(stage.first) if layout.group[s] in before
                and s not in whole.loads]
            kept = {layout.group[s] for s in layout.crossing(stage.last)} & fast
            units = units_of(layout, stage, self.target)
            tasks = stage_tasks(layout, stage, boundary.loads, boundary.stores, self.target)
            used = {layout.group[s] for t in tasks for s in (*t.inputs, *t.outputs)}
            trace = run_stage(layout, tasks, ready, sorted(kept), sorted(used))
            runs.append(_Run(stage, boundary, units, tasks, trace, start))
            start += len(trace.firings)
        return runs

    def build(self) -> Plan:
        """Lay out buffers, streams, operators, then place them all."""
        buffers = self._buffers()
        for k, run in enumerate(self.runs):
            self._place_operators(k, run)
        operands = max(len(op.inputs) + len(op.outputs) for op in self.ops)
        control = round_up(COUNTER_BYTES * len(self.ops)) + WINDOW_BYTES * operands
        self._pool()
        control += control_bytes(sum(m.cap is not None for m in self.maps), self.pool_pages)
        control = self._directories(control)
        self._references()
        self._scratch()
        enough = (self.target.fast_bytes or 1 << 62) - control
        offsets, height = place(self.items, enough)
        limit = enough if self.target.fast_bytes else height
        top = self._place_scratch(offsets, control, limit)
        tiles = self._place_tiles(offsets, control, limit, len(buffers))
        height = max([height, top, *(b.offset + b.bytes - control for b in tiles)])
        for i, item in self.reference_items.items():
            self.maps[i] = replace(self.maps[i], reference=control + offsets[item])
        placed = [Buffer(b.name, control + offsets[i], b.slot_bytes, b.slots, b.first_stage,
                         b.last_stage) for i, b in enumerate(buffers)]
        pool_offset = control + offsets[self.pool_at] if self.pool_pages else 0
        return self._finish(placed + tiles, control, control + height, pool_offset)

    # -- buffers ---------------------------------------------------------------------------------

    def _buffers(self) -> list[Buffer]:
        """One buffer per storage group and stage; one for all stages when the group stays fast."""
        found: dict[tuple[int, int], list[int]] = {}  # key -> stages
        for k, run in enumerate(self.runs):
            for task in run.tasks:
                for s in (*task.inputs, *task.outputs):
                    stages = found.setdefault(self._key(k, s), [])
                    if k not in stages:
                        stages.append(k)
        buffers: list[Buffer] = []
        for (k, g), stages in found.items():
            self.buffer_keys[k, g] = len(buffers)
            buffers.append(self._buffer(k, g, stages))
        return buffers

    def _key(self, stage: int, stream: int) -> tuple[int, int]:
        g = self.layout.group[stream]
        return (_FAST if g in self.choice.fast else stage), g

    def _buffer(self, k: int, g: int, stages: list[int]) -> Buffer:
        group = self.layout.group
        members = [s for s, h in zip(self.program.streams, group, strict=True) if h == g]
        whole = max(s.height for s in members)
        slots = max(self.runs[i].trace.heights.get(g, 0) for i in stages)
        row = max(s.row_bytes for s in members)
        loaded = any(group[s] == g for i in stages for s in self.runs[i].boundary.loads)
        if loaded:
            slots += self.target.buffers - 1
        slots = whole if k == _FAST else min(slots, whole)
        stored = any(group[s] == g for i in stages for s in self.runs[i].boundary.stores)
        slot_bytes = self.target.transfer_bytes(row) if loaded or stored else row
        name = max(members, key=lambda s: s.row_bytes).name
        buffer = Buffer(name, 0, slot_bytes, slots, stages[0], stages[-1])
        self.items.append(self._buffer_item(buffer, g, stages, slides=slots == whole and not loaded,
                                            reads_ahead=loaded and self.target.buffers > 1))
        return buffer

    def _buffer_item(self, buffer: Buffer, g: int, stages: list[int], slides: bool,
                     reads_ahead: bool) -> Item:
        """Live bytes of a buffer: rows of a map slide, rows of a ring are all live.

        A load that reads ahead leaves a transfer into the ring under way, so the ring lives between
        its firings too.
        """
        start, stop = self.runs[stages[0]].start, self.runs[stages[-1]].stop
        low = np.zeros(stop - start, np.int32)
        high = np.full(stop - start, buffer.bytes, np.int32)
        for k in range(stages[0], stages[-1] + 1):
            run = self.runs[k]
            if g in run.trace.live:
                first, top = run.trace.live[g]
                at = slice(run.start - start, run.stop - start)
                alive = top > first
                if reads_ahead:
                    alive = _without_gaps(alive)
                low[at] = np.where(alive, first * buffer.slot_bytes if slides else 0, 0)
                high[at] = np.where(alive, top * buffer.slot_bytes if slides else buffer.bytes, 0)
        return Item(buffer.name, buffer.bytes, start, low, high)

    # -- operators -------------------------------------------------------------------------------

    def _place_operators(self, k: int, run: _Run) -> None:
        where: dict[int, int] = {}  # program stream -> index in self.streams, within this stage
        stored = {m.stream: i for i, m in enumerate(self.maps)}
        base = len(self.ops)
        for t, task in enumerate(run.tasks):
            for s in task.outputs:
                where[s] = len(self.streams)
                self.streams.append(self._placed_stream(k, s, base + t))
        for s in {s for task in run.tasks for s in task.inputs}:
            if s not in where:  # a fast map from an earlier stage
                where[s] = next(i for i, p in enumerate(self.streams) if p.stream == s)
        for t, task in enumerate(run.tasks):
            inputs = tuple(where[s] for s in task.inputs)
            outputs = tuple(where[s] for s in task.outputs)
            if t < len(run.boundary.loads):
                s = task.outputs[0]
                self._place_cursor(OpKind.LOAD, s, inputs, outputs, stored[s])
            elif t < len(run.boundary.loads) + len(run.boundary.stores):
                s = task.inputs[0]
                self._place_cursor(OpKind.STORE, s, inputs, outputs, len(self.maps))
                self.maps.append(self._map(s))
            else:
                unit = run.units[t - len(run.tasks)]
                self.units[len(self.ops)] = unit
                self.ops.append(PlacedOp(unit.op.kind, unit.op.name, unit.index, inputs, outputs,
                                         task.rows, 0, scratch_bytes(self.program, unit.op)))

    def _place_cursor(self, kind: OpKind, stream: int, inputs: tuple[int, ...],
                      outputs: tuple[int, ...], index: int) -> None:
        s = self.program.streams[stream]
        scratch = self.storage.cursor_bytes(stream, s, self.target, kind == OpKind.STORE,
                                            self.choice.pooled)
        self.ops.append(PlacedOp(kind, f"{kind.name.lower()} {s.name}", -1, inputs, outputs,
                                 s.height, 0, scratch, index))

    def _placed_stream(self, k: int, stream: int, producer: int) -> PlacedStream:
        s = self.program.streams[stream]
        element = ELEMENT_BYTES[s.dtype]
        channel, column, channels = 0, 0, s.channels
        at = s
        while at.parent >= 0:
            channel, column = channel + at.channel, column + max(at.column, 0)
            at = self.program.streams[at.parent]
            channels = at.channels
        return PlacedStream(stream, self.buffer_keys[self._key(k, stream)],
                            (channel + column * channels) * element, channels * element, producer)

    def _map(self, stream: int) -> StoredMap:
        s = self.program.streams[stream]
        cap, pooled = self.storage.cap_of(stream), self.choice.pooled
        if pooled and cap is None:
            raise Infeasible(f"{self.program.name}: "
                             f"{short(s.name, MOST_IN_A_SENTENCE)} does not fit into fast memory, "
                             "and not into the page pool, as it cannot be coded", 0, "")
        rows, row_bytes = self.storage.rows(stream, s)
        slot = 0 if pooled else self.storage.slot_bytes(stream, s, self.target)
        return StoredMap(s.name, stream, 0, slot, rows, row_bytes, self.storage.codec_of(stream),
                         cap=cap, pooled=pooled, paired=self.storage.paired(stream))

    def _pool(self) -> None:
        """Size the page pool for the rows that are live at each firing."""
        pooled = []
        for i, m in enumerate(self.maps):
            if m.pooled:
                cursors = [k for k, op in enumerate(self.ops) if op.map == i]
                self.maps[i] = m = replace(m, release=cursors[-1])
                made, read = self._progress(cursors[0]), self._progress(cursors[-1])
                assert m.cap is not None
                pooled.append(Pooled(m.cap, m.row_bytes, np.append(0, read[:-1]), made))
        if pooled:
            self.pool_pages, item = pool_item(pooled, self.target.page)
            if self.pool_pages > MAX_PAGES:
                raise Infeasible(f"{self.program.name}: {self.pool_pages} pages of "
                                 f"{self.target.page} bytes; expected {MAX_PAGES} at most", 0, "")
            self.pool_at = len(self.items)
            self.items.append(item)

    def _references(self) -> None:
        """Maps that are coded against the previous frame keep it in fast memory between runs."""
        for i, m in enumerate(self.maps):
            if self.storage.refers(m.stream):
                last = max(k for k, op in enumerate(self.ops) if op.map == i)
                self.maps[i] = replace(m, release=last, refresh=self.storage.refresh)
                self.reference_items[i] = len(self.items)
                self.items.append(solid(f"{m.name}, the frame before", m.rows * m.row_bytes, 0,
                                        self.runs[-1].stop))

    def _progress(self, op: int) -> npt.NDArray[np.int32]:
        """Rows that an operator has fired after each firing of the schedule."""
        rows: list[int] = []
        base = 0
        for run in self.runs:
            rows += [n if base + t == op else 0 for t, n in run.trace.firings]
            base += len(run.tasks)
        return np.cumsum(rows, dtype=np.int32)

    def _directories(self, control: int) -> int:
        """Give coded maps their directories and all maps their addresses; returns the new end."""
        last = {m: k for k, run in enumerate(self.runs) for m in self._maps_read(run)}
        items, outside = [], [i for i, m in enumerate(self.maps) if not m.pooled]
        for i in outside:
            m = self.maps[i]
            made = next(k for k, run in enumerate(self.runs) if m.stream in run.boundary.stores)
            size = spaced(m.bytes, self.target)
            items.append(solid(m.name, size, made, max(last.get(i, made), made) + 1))
        addresses, self.external_bytes = place(items) if items else ([], 0)
        if self.external_bytes > self.target.external_bytes:
            raise Infeasible(f"{self.program.name}: the plan needs {self.external_bytes} bytes of "
                             f"external memory, got {self.target.external_bytes}", 0, "")
        for i, address in zip(outside, addresses, strict=True):
            self.maps[i] = replace(self.maps[i], address=address)
        for i, m in enumerate(self.maps):
            if m.codec != "raw":
                self.maps[i] = replace(m, directory=control)
                control += round_up(DIRECTORY_BYTES * m.rows)
        return control

    def _maps_read(self, run: _Run) -> list[int]:
        return [i for i, m in enumerate(self.maps) if m.stream in run.boundary.loads]

    def _scratch(self) -> None:
        """Passing scratch lives for one firing, cursors and accumulators from first to last."""
        base = 0
        for run in self.runs:
            times: dict[int, list[int]] = {}
            for n, (t, _) in enumerate(run.trace.firings):
                times.setdefault(t, []).append(run.start + n)
            for t, when in times.items():
                op = self.ops[base + t]
                self._buffer_of_tiles(base + t, when)
                if op.scratch_bytes == 0:
                    continue
                start, stop = when[0], when[-1] + 1
                high = np.zeros(stop - start, np.int32)
                lasting = op.op < 0 or self.units[base + t].op.accumulates
                high[slice(None) if lasting else np.array(when) - start] = op.scratch_bytes
                self.scratch_items[base + t] = len(self.items)
                self.items.append(Item(op.name, op.scratch_bytes, start,
                                       np.zeros(stop - start, np.int32), high))
            base += len(run.tasks)

    def _buffer_of_tiles(self, index: int, when: Sequence[int]) -> None:
        """The buffer that an operator's tiles are brought into, the smallest ones."""
        placed = self.ops[index]
        op = self.units[index].op if placed.op >= 0 else None
        if op is not None and op.coding is not None:
            self.decoding[index] = Decoding(op, shape_of(self.program, op), len(self.items), when)
            name = f"{op.name.partition(';')[0]}, weights"
            self.items.append(buffer_item(name, buffer_bytes(self.program, op), when))

    def _place_tiles(self, offsets: list[int], control: int, limit: int, first: int
                     ) -> list[Buffer]:
        """Cut weights into as few tiles as buffers have room for; buffers from `first` on."""
        kept = enlarge(self.items, offsets, self.decoding, limit)
        buffers: list[Buffer] = []
        for index, one in self.decoding.items():
            item = self.items[one.item]
            stage = next(k for k, run in enumerate(self.runs) if one.when[0] < run.stop)
            tiles = one.shape.cut(one.shape.channels_in(item.size))
            self.ops[index] = replace(self.ops[index], tiles=tiles, buffer=first + len(buffers),
                                      kept=kept[index])
            slots = one.shape.slots_for(max(tiles))
            buffers.append(Buffer(item.name, control + offsets[one.item], item.size // slots, slots,
                                  stage, stage))
        return buffers

    def _place_scratch(self, offsets: list[int], control: int, limit: int) -> int:
        """Give operators their scratch, more of it below `limit` where that helps and is free.

        Returns the end of the highest one.
        """
        most = {item: scratch_most(self.program, self.units[i].op)
                for i, item in self.scratch_items.items() if i in self.units}
        larger = grown(self.items, offsets, {item: n for item, n in most.items() if n}, limit)
        end = 0
        for i, item in self.scratch_items.items():
            at, size = larger.get(item, (offsets[item], self.ops[i].scratch_bytes))
            before = self.items[item]
            self.items[item] = replace(before, size=size,
                                       high=np.where(before.high > 0, size, 0))
            offsets[item] = at
            self.ops[i] = self._in_slices(i, replace(
                self.ops[i], scratch_offset=control + at, scratch_bytes=size))
            end = max(end, at + size)
        return end

    def _in_slices(self, index: int, placed: PlacedOp) -> PlacedOp:
        """A chain gets the thickest slices that its scratch has room for."""
        unit = self.units.get(index)
        if unit is None or unit.chain is None:
            return placed
        chain, strip = unit.chain, unit.limit
        channels = chain.channels_in(self.target.kernels, strip, placed.scratch_bytes)
        return replace(placed, sliced=Sliced(len(chain.ops), strip, chain.step(strip),
                                             chain.cut(channels)))

    # -- figures ---------------------------------------------------------------------------------

    def _finish(self, buffers: list[Buffer], control: int, fast_bytes: int,
                pool_offset: int) -> Plan:
        stages, firings = [], []
        base = 0
        for k, run in enumerate(self.runs):
            firings += [(base + t, n) for t, n in run.trace.firings]
            stages.append(self._stage(k, run, base, buffers, pool_offset))
            base += len(run.tasks)
        taken, given = ([self.program.streams[s] for op in self.program.ops if op.kind in kinds
                         for s in (*op.inputs, *op.outputs)] for kinds in (TAKING, {OpKind.OUTPUT}))
        return Plan(
            objective=self.objective, fast_bytes=fast_bytes, control_bytes=control,
            io_bytes=sum(max((s.row_bytes for s in rows), default=0) for rows in (taken, given)),
            external_bytes=self.external_bytes,
            external_read_bytes=sum(s.external_read_bytes for s in stages),
            external_write_bytes=sum(s.external_write_bytes for s in stages),
            input_read_bytes=sum(s.map_bytes for s in taken),
            output_write_bytes=sum(s.map_bytes for s in given),
            weight_read_bytes=sum(s.weight_read_bytes for s in stages),
            macs=sum(op.macs for op in self.program.ops) + self._macs_again(),
            burst=self.target.burst, alignment=self.target.alignment,
            port_buffers=self.target.buffers,
            buffers=tuple(buffers), streams=tuple(self.streams), ops=tuple(self.ops),
            maps=tuple(self.maps), firings=tuple(firings), stages=tuple(stages),
            pool_offset=pool_offset, pool_pages=self.pool_pages,
            page_bytes=self.target.page if self.pool_pages else 0,
            weight_port=next((one.op.coding.port for one in self.decoding.values()
                              if one.op.coding), None))

    def _stage(self, k: int, run: _Run, base: int, buffers: list[Buffer],
               pool_offset: int) -> PlacedStage:
        ops = self.program.ops[run.stage.first:run.stage.last]
        weights = sum(self._weight_bytes(base + t) for t, _ in run.trace.firings)
        top = max((b.offset + b.bytes for b in buffers if b.first_stage <= k <= b.last_stage),
                  default=0)
        top = max([top, *(op.scratch_offset + op.scratch_bytes
                          for op in self.ops[base:base + len(run.tasks)])])
        top = max([top, *(m.reference + m.reference_bytes for m in self.maps if m.reference >= 0)])
        if self.pool_pages:
            pool = self.items[self.pool_at]
            reach = pool.high[max(run.start - pool.start, 0):max(run.stop - pool.start, 0)]
            top = max(top, pool_offset + int(reach.max(initial=0)))

        def moved(streams: tuple[int, ...]) -> int:
            return 0 if self.choice.pooled else sum(
                self.storage.raw_bytes(s, self.program.streams[s], self.target) for s in streams)

        return PlacedStage(
            name=f"{ops[0].name} .. {ops[-1].name}" if len(ops) > 1 else ops[0].name,
            operators=tuple(op.name for op in ops), strips=run.stage.strips,
            first_firing=run.start, firings=len(run.trace.firings), fast_bytes=top,
            external_read_bytes=moved(run.boundary.loads),
            external_write_bytes=moved(run.boundary.stores), weight_read_bytes=weights)


    def _weight_bytes(self, index: int) -> int:
        """Bytes of weights that a firing of an operator reads; coded ones about."""
        placed, unit = self.ops[index], self.units.get(index)
        if unit is None:
            return 0
        if placed.sliced is None or unit.chain is None:
            return unit.weight_bytes
        return unit.chain.weight_bytes(len(placed.sliced.slices))

    def _macs_again(self) -> int:
        """Multiply-adds of rows that chains make more than once."""
        found = 0
        for run in self.runs:
            for t, unit in enumerate(run.units, len(run.tasks) - len(run.units)):
                if unit.chain is not None:
                    fired = tuple(n for task, n in run.trace.firings if task == t)
                    rows = unit.chain.rows_made_again(fired)
                    found += unit.chain.ops[0].macs * rows // unit.chain.before.height
        return found


def _without_gaps(alive: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """True from the first true value to the last."""
    return np.maximum.accumulate(alive) & np.maximum.accumulate(alive[::-1])[::-1]
