# SPDX-License-Identifier: Apache-2.0
"""Static firing: the order in which the operators of one stage produce their rows.

A stage runs depth-first. Its last operator asks for its next strip of rows. Producers of missing
rows fire first, going upstream, with exactly the rows that are missing (at most their strip).
Operators that no other operator of the stage waits for (stores, outputs, side branches) and
accumulating ones fire as soon as their rows are there. The order depends on shapes only, so the
simulation below is the schedule, and the ring heights it observes are exact.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Task:
    """One operator of a stage, reduced to what a schedule depends on.

    `low[i][y]`, `high[i][y]`: first and last row of input i that row y needs; for an accumulating
    operator y counts input rows. `rows` is how many rows it fires in all, `limit` at most at once,
    and as many if `whole`, even where fewer are asked for.
    `hold` keeps that many consumed rows alive for one more firing (a write in flight).
    """

    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    low: tuple[Sequence[int], ...]
    high: tuple[Sequence[int], ...]
    rows: int
    limit: int
    accumulates: bool = False
    hold: int = 0
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """What happened: `firings` are (task, rows); ring heights and live rows are per storage group.

    `live[g]` holds for each firing the first live row during it and one past the last.
    """

    firings: tuple[tuple[int, int], ...]
    heights: dict[int, int]
    live: dict[int, tuple[Rows, Rows]]


def simulate(tasks: Sequence[Task], group_of: Sequence[int], height_of: Sequence[int],
             ready: frozenset[int], kept: frozenset[int], watched: frozenset[int]) -> Trace:
    """Fire every task to its end and record the order.

    Streams are indices into `group_of` (which storage a stream shares) and `height_of` (its rows).
    `ready` streams are complete before the stage begins. `kept` groups are needed by later stages,
    so none of their rows is given up here. `watched` groups get their live rows recorded.
    """
    return _Simulation(tasks, group_of, height_of, ready, kept, watched).run()


class _Simulation:
    """The state of one simulation; call `simulate`."""

    def __init__(self, tasks: Sequence[Task], group_of: Sequence[int], height_of: Sequence[int],
                 ready: frozenset[int], kept: frozenset[int], watched: frozenset[int]) -> None:
        self.tasks = tasks
        self.group_of = group_of
        self.height_of = height_of
        self.kept = kept
        self.next = [0] * len(tasks)
        self.produced = {s: height_of[s] for s in ready}
        self.top: dict[int, int] = {}
        self.producer: dict[int, int] = {}
        self.readers: dict[int, list[tuple[int, int]]] = {}
        self.eager_readers: dict[int, list[int]] = {}
        for t, task in enumerate(tasks):
            for s in task.outputs:
                self.producer[s] = t
                self.produced[s] = 0
            for i, s in enumerate(task.inputs):
                self.readers.setdefault(group_of[s], []).append((t, i))
        for s, rows in self.produced.items():
            g = group_of[s]
            self.top[g] = max(self.top.get(g, 0), rows)
        self._mark_eager()
        self.heights: dict[int, int] = {}
        self.firings: list[tuple[int, int]] = []
        self.low = {g: self._lowest(g) for g in watched}
        self.changes = {g: [(0, self.low[g], self.top.get(g, 0))] for g in watched}
        self.touched = [sorted({group_of[s] for s in (*task.inputs, *task.outputs)} & watched)
                        for task in tasks]

    def _mark_eager(self) -> None:
        """Eager are the tasks that the stage's last task does not depend on, and accumulators."""
        wanted: set[int] = set()
        open_tasks = [len(self.tasks) - 1]
        while open_tasks:
            t = open_tasks.pop()
            if t not in wanted:
                wanted.add(t)
                open_tasks += [self.producer[s] for s in self.tasks[t].inputs if s in self.producer]
        for t, task in enumerate(self.tasks):
            if t not in wanted or task.accumulates:
                for s in task.inputs:
                    self.eager_readers.setdefault(s, []).append(t)

    def run(self) -> Trace:
        """Drive the last task, then whatever is left, to the end."""
        for t in range(len(self.tasks) - 1, -1, -1):
            self._advance(t, self.tasks[t].rows)
        live = {g: _spread(changes, len(self.firings)) for g, changes in self.changes.items()}
        return Trace(tuple(self.firings), self.heights, live)

    def _advance(self, t: int, rows: int) -> None:
        """Fire task t until it has fired `rows` rows, making what it needs first."""
        task = self.tasks[t]
        while self.next[t] < rows:
            first = self.next[t]
            last = min(first + task.limit, task.rows if task.whole else rows) - 1
            for s, high in zip(task.inputs, task.high, strict=True):
                if self.produced[s] <= high[last]:
                    self._make(s, high[last] + 1)
            if self.next[t] == first:  # an eager firing on the way may have done it already
                self._fire(t, last - first + 1)

    def _make(self, stream: int, rows: int) -> None:
        """Make the stream's producer fire until `rows` rows are there."""
        t = self.producer[stream]
        task = self.tasks[t]
        self._advance(t, task.rows if task.accumulates else rows)

    def _fire(self, t: int, count: int) -> None:
        task = self.tasks[t]
        self.firings.append((t, count))
        done = self.next[t] + count
        outputs = task.outputs
        for s in outputs:
            if task.accumulates:
                self.produced[s] = self.height_of[s] if done == task.rows else 0
            else:
                self.produced[s] = done
            g = self.group_of[s]
            if self.produced[s] > self.top[g]:
                self.top[g] = self.produced[s]
            rows = max(self.top[g] - self._lowest(g), count if not task.accumulates else 1)
            if rows > self.heights.get(g, 0):
                self.heights[g] = rows
        self.next[t] = done
        if self.touched[t]:
            self._note_live(self.touched[t])
        for s in outputs:
            for reader in self.eager_readers.get(s, ()):
                self._fire_ready(reader)

    def _note_live(self, groups: list[int]) -> None:
        """Rows that this firing reads are still live, and rows that it writes are already live."""
        now = len(self.firings)
        for g in groups:
            top, low = self.top.get(g, 0), self._lowest(g)
            self.changes[g].append((now - 1, self.low[g], top))
            self.changes[g].append((now, low, top))
            self.low[g] = low

    def _lowest(self, group: int) -> int:
        """The first row of the group that a reader still needs."""
        lowest = 0 if group in self.kept else self.top.get(group, 0)
        for t, i in self.readers.get(group, ()):
            task = self.tasks[t]
            y = self.next[t] - task.hold
            if y < task.rows:
                row = task.low[i][y if y > 0 else 0]
                if row < lowest:
                    lowest = row
        return lowest

    def _fire_ready(self, t: int) -> None:
        """Fire an eager task for as many rows as its inputs allow."""
        task = self.tasks[t]
        while self.next[t] < task.rows:
            first = self.next[t]
            stop = min(first + task.limit, task.rows)
            for s, high in zip(task.inputs, task.high, strict=True):  # what is needed rises with y
                stop = bisect_left(high, self.produced[s], first, stop)
            if stop == first:
                return
            self._fire(t, stop - first)


def _spread(changes: Sequence[tuple[int, int, int]], firings: int) -> tuple[Rows, Rows]:
    """Changes (firing, first live row, one past the last) as a value per firing; the last wins."""
    at = np.array(changes, np.int32)
    last = np.append(at[1:, 0] != at[:-1, 0], True)
    at = at[last]
    lengths = np.diff(np.append(at[:, 0], firings))
    return (np.repeat(at[:, 1], np.maximum(lengths, 0)),
            np.repeat(at[:, 2], np.maximum(lengths, 0)))
