# SPDX-License-Identifier: Apache-2.0
"""Replays a plan on labels instead of values: every byte of the arena knows whose it is.

An independent witness for the planner: whatever an operator is about to read must still carry the
label that its maker wrote, whatever lies in between. Streams of one storage group share labels,
because they share bytes.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from edgefm.network.program import OpKind
from edgefm.planner import Layout, Plan
from edgefm.planner.model import PlacedOp

MOVERS = (OpKind.INPUT, OpKind.AGAIN, OpKind.OUTPUT, OpKind.LOAD, OpKind.STORE)


@dataclass(slots=True)
class _State:
    layout: Layout
    plan: Plan
    arena: list[object]
    done: list[int]
    outside: dict[int, int] = field(default_factory=dict)  # map -> rows that were stored
    peak: int = 0                                          # bytes that were ever written
    pool: "_Pool | None" = None


def replay(layout: Layout, plan: Plan) -> int:
    """Fire the whole schedule; AssertionError names what was overwritten. Returns the top byte."""
    state = _State(layout, plan, [None] * plan.fast_bytes, [0] * len(plan.ops))
    state.pool = _Pool(plan)
    for index, rows in plan.firings:
        _fire(state, index, rows)
    for index, op in enumerate(plan.ops):
        assert state.done[index] == op.rows, f"{op.name}: {state.done[index]} of {op.rows} rows"
    return state.peak


class _Pool:
    """Pages as the runtime deals them out; every row takes all that its map's cap leaves."""

    def __init__(self, plan: Plan) -> None:
        self.free: list[int] = []
        self.fresh = self.used = 0
        self.rows: dict[int, list[int]] = {}     # map -> bytes of its rows
        self.credit: dict[int, int] = {}
        self.chain: dict[int, list[int]] = {}    # map -> pages
        self.ends: dict[int, tuple[int, int]] = {}  # map -> bytes in, bytes given back

    def take(self, pages: int) -> int:
        self.used += 1
        if self.free:
            return self.free.pop()
        self.fresh += 1
        assert self.fresh <= pages, "the pool is out of pages"
        return self.fresh - 1

    def give(self, page: int) -> None:
        self.free.append(page)
        self.used -= 1
        if self.used == 0:
            self.free, self.fresh = [], 0


def _store_in_pool(state: _State, index: int, rows: int) -> None:
    m, pool, plan = state.plan.maps[index], state.pool, state.plan
    assert m.cap is not None and pool is not None
    for _ in range(rows):
        credit = pool.credit.get(index, m.cap.depth) + m.cap.per_row
        size = min(credit, m.row_bytes + 1)
        pool.credit[index] = min(credit - size, m.cap.depth)
        pool.rows.setdefault(index, []).append(size)
        put, back = pool.ends.get(index, (0, 0))
        chain = pool.chain.setdefault(index, [])
        while put + size > len(chain) * plan.page_bytes:
            chain.append(pool.take(plan.pool_pages))
            start = plan.pool_offset + chain[-1] * plan.page_bytes
            stop = start + plan.page_bytes
            state.arena[start:stop] = [("page", index)] * plan.page_bytes
            state.peak = max(state.peak, stop)
        pool.ends[index] = put + size, back


def _load_from_pool(state: _State, op: int, index: int, first: int, rows: int) -> None:
    m, pool, plan = state.plan.maps[index], state.pool, state.plan
    assert pool is not None
    for page in pool.chain[index]:
        start = plan.pool_offset + page * plan.page_bytes
        assert all(held == ("page", index) for held in state.arena[start:start + plan.page_bytes])
    for y in range(first, first + rows):
        if op != m.release:
            continue
        put, back = pool.ends[index]
        back += pool.rows[index][y]
        while back >= plan.page_bytes:
            pool.give(pool.chain[index].pop(0))
            put, back = put - plan.page_bytes, back - plan.page_bytes
        if put == back and pool.chain[index]:
            pool.give(pool.chain[index].pop())
            put = back = 0
        pool.ends[index] = put, back


def _fire(state: _State, index: int, rows: int) -> None:
    op = state.plan.ops[index]
    first, last = state.done[index], state.done[index] + rows - 1
    assert last < op.rows, f"{op.name}: row {last} of {op.rows}"
    for k, stream in enumerate(op.inputs):
        low, high = _need(state, op, k, first, last)
        for y in range(low, high + 1):
            _check(state, stream, y, f"{op.name} row {first}")
    _use_scratch(state, index, op, first)
    if op.kind == OpKind.STORE:
        state.outside[op.map] = last + 1
        if state.plan.maps[op.map].pooled:
            _store_in_pool(state, op.map, rows)
    if op.kind == OpKind.LOAD:
        assert state.outside[op.map] == state.plan.maps[op.map].rows, f"{op.name}: not stored yet"
        if first > 0 and state.plan.port_buffers > 1:
            _check(state, op.outputs[0], first, f"{op.name}, row read ahead")
        if state.plan.maps[op.map].pooled:
            _load_from_pool(state, index, op.map, first, rows)
    state.done[index] = last + 1
    for stream in op.outputs:
        for y in _written(state, op, stream, first, last):
            _write(state, stream, y)


def _need(state: _State, op: PlacedOp, k: int, first: int, last: int) -> tuple[int, int]:
    if op.kind in MOVERS:
        # with two buffers the write of the row before is still under way until now
        under_way = op.kind == OpKind.STORE and state.plan.port_buffers > 1 and first > 0
        return first - under_way, last
    if op.sliced is not None:
        rows = state.layout.chain(op.op, op.sliced.operators).rows
        assert last - first < op.sliced.strip, f"{op.name}: {last - first + 1} rows at once"
        return rows[first][0], rows[last][1]
    return state.layout.low[op.op][k][first], state.layout.high[op.op][k][last]


def _written(state: _State, op: PlacedOp, stream: int, first: int, last: int) -> range:
    """The rows that this firing writes, or allows the port to begin writing."""
    height = state.layout.program.streams[state.plan.streams[stream].stream].height
    if _accumulates(state, op):
        return range(height) if last == op.rows - 1 else range(0)
    ahead = op.kind == OpKind.LOAD and state.plan.port_buffers > 1
    return range(first, min(last + 1 + ahead, height))


def _accumulates(state: _State, op: PlacedOp) -> bool:
    return (op.op >= 0 and op.sliced is None
            and state.layout.program.ops[op.op].accumulates)


def _bytes(state: _State, stream: int, y: int) -> Iterator[tuple[int, object]]:
    """(arena byte, label) of a row."""
    placed = state.plan.streams[stream]
    source = state.layout.program.streams[placed.stream]
    buffer = state.plan.buffers[placed.buffer]
    pixel = source.row_bytes // source.width
    start = buffer.offset + y % buffer.slots * buffer.slot_bytes + placed.offset
    for x in range(source.width):
        for byte in range(pixel):
            inside = x * placed.pixel_stride + byte
            assert placed.offset + inside < buffer.slot_bytes
            yield start + inside, (state.layout.group[placed.stream], y, placed.offset + inside)


def _check(state: _State, stream: int, y: int, who: str) -> None:
    made = state.done[state.plan.streams[stream].producer]
    assert made > 0, f"{who}: {state.plan.streams[stream]} was never made"
    for at, label in _bytes(state, stream, y):
        assert state.arena[at] == label, f"{who}: byte {at} is {state.arena[at]}, needs {label}"


def _write(state: _State, stream: int, y: int) -> None:
    for at, label in _bytes(state, stream, y):
        state.arena[at] = label
        state.peak = max(state.peak, at + 1)


def _use_scratch(state: _State, index: int, op: PlacedOp, first: int) -> None:
    """Cursors and accumulators find in their scratch what they left there; others just use it."""
    lasting = op.op < 0 or _accumulates(state, op)
    at = slice(op.scratch_offset, op.scratch_offset + op.scratch_bytes)
    label = ("scratch", index)
    if lasting and first > 0:
        assert all(held == label for held in state.arena[at]), f"{op.name}: its state is gone"
    state.arena[at] = [label] * op.scratch_bytes
    if op.scratch_bytes:
        state.peak = max(state.peak, at.stop)


def overlaps(plan: Plan) -> np.ndarray:
    """For each pair of buffers that live at the same stage: bytes of the arena they share."""
    buffers = plan.buffers
    shared = np.zeros((len(buffers), len(buffers)), int)
    for i, a in enumerate(buffers):
        for k, b in enumerate(buffers):
            if i != k and a.first_stage <= b.last_stage and b.first_stage <= a.last_stage:
                shared[i, k] = max(0, min(a.offset + a.bytes, b.offset + b.bytes)
                                   - max(a.offset, b.offset))
    return shared
