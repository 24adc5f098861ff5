# SPDX-License-Identifier: Apache-2.0
"""Meters that are asked again and again: each answer has its own time."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence

import numpy as np

from edgefm.errors import LinkLost
from host_tools.power.meter import Meter, Piece
from host_tools.recording.chunks import Column

SILENCE_SECONDS = 2.0   # polls without an answer for so long: the instrument is gone
BATCH_SECONDS = 0.05    # answers are handed on in pieces of about this length

Clock = Callable[[], int]
Sleep = Callable[[float], None]


class PolledMeter(Meter):
    """Asks `rate` times per second. An answer that fails, or a poll that came too late, is lost."""

    def __init__(self, name: str, columns: Sequence[Column], polls: float,
                 source: dict[str, object], clock: Clock = time.monotonic_ns,
                 sleep: Sleep = time.sleep) -> None:
        self.name, self.columns, self.rate = name, tuple(columns), None
        self.source = {**source, "polls_per_second": polls}
        self._period = round(1e9 / polls)
        self._clock, self._sleep = clock, sleep
        self._due = self._answered = 0
        self._longest = 0

    @abstractmethod
    def poll(self) -> Sequence[float] | None:
        """One value per stored column, None when the answer is not whole. Raises LinkLost."""

    def start(self) -> None:
        """The first poll is due now."""
        self._due = self._answered = self._clock()

    def read(self, timeout: float) -> Piece | None:
        """The answers of the next 50 ms or so (of the next poll at least)."""
        rows: list[Sequence[float]] = []
        times: list[int] = []
        gaps: list[tuple[int, int]] = []
        until = self._clock() + round(min(timeout, BATCH_SECONDS) * 1e9)
        while True:
            self._wait()
            before = self._clock()
            row = self.poll()
            after = self._clock()
            missed = self._missed(after) + (row is None)
            if missed:
                gaps.append((len(rows) + (row is not None), missed))
            if row is not None:
                rows.append(row)
                times.append(max((before + after) // 2, times[-1] + 1 if times else 0))
                self._answered, self._longest = after, max(self._longest, after - before)
            elif after - self._answered > SILENCE_SECONDS * 1e9:
                raise LinkLost(f"{self.name}: no whole answer for {SILENCE_SECONDS:g} s")
            if self._clock() >= until:
                break
        self.lost += sum(lost for _, lost in gaps)
        width = sum(column.product is None for column in self.columns)
        table = np.array(rows, np.float64).reshape(len(rows), width)
        values = tuple(table[:, i] for i in range(width))
        return Piece(values, times=np.array(times, np.int64), gaps=tuple(gaps))

    def _wait(self) -> None:
        rest = self._due - self._clock()
        if rest > 0:
            self._sleep(rest / 1e9)

    def _missed(self, now: int) -> int:
        """Polls that were due while this one lasted; the next one is due in the future."""
        self._due += self._period
        missed = max(0, (now - self._due) // self._period)
        self._due += missed * self._period
        return missed

    def stop(self) -> None:
        """Nothing runs between polls."""

    def close(self) -> None:
        """Nothing is held open."""

    def clock_error(self) -> float:
        """Half the longest poll: the value is of some moment within it."""
        return self._longest / 2e9
