# SPDX-License-Identifier: Apache-2.0
"""Writers of channels: what is not written yet, and the chunks that it becomes.

Values are handed over with times in ns since the recording began; recorder.py makes the writers.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import ArrayLike

from host_tools.recording import chunks
from host_tools.recording.chunks import NO_GAPS, Column, Floats, Ints

MOST_SAMPLES = 1 << 16      # of one chunk
MOST_PENDING_BYTES = 1 << 20  # of events
JUMP_NS = 2_000_000         # samples that start this much off their line begin a new chunk


class ChannelWriter:
    """One file of chunks; its lock guards what is not written yet."""

    def __init__(self, path: Path, description: Mapping[str, object], now: int) -> None:
        self._file: IO[bytes] = path.open("xb", buffering=0)
        self._lock = threading.RLock()
        self._write(chunks.pack_description(description, now))
        self.lost = 0
        self.count = 0

    def describe(self, fields: Mapping[str, object], now: int) -> None:
        """Say more about the channel; known keys are replaced."""
        with self._lock:
            self._flush()
            self._write(chunks.pack_description(fields, now))

    def finish(self, why: str, now: int) -> None:
        """The source is gone: nothing more will come, and this is why."""
        self.describe({"ended": {"at": now, "why": why}}, now)

    def flush(self) -> None:
        """Write what is pending."""
        with self._lock:
            self._flush()

    def close(self) -> None:
        """Write what is pending and close the file."""
        with self._lock:
            if not self._file.closed:
                self._flush()
                self._file.close()

    def _flush(self) -> None:
        raise NotImplementedError

    def _write(self, chunk: bytes) -> None:
        rest = memoryview(chunk)
        try:
            while rest:
                rest = rest[self._file.write(rest):]
        except OSError as error:  # a full disk does not say whose file found it full
            raise OSError(error.errno, error.strerror, self._file.name) from None


class SampleWriter(ChannelWriter):
    """A meter's samples. Values are in the column's unit and are rounded to its lsb."""

    def __init__(self, path: Path, columns: Sequence[Column], description: Mapping[str, object],
                 now: int) -> None:
        self.columns = tuple(columns)
        self._stored = [c for c in self.columns if c.product is None]
        self._pending: list[list[Ints]] = []
        self._times: list[Ints] = []
        self._gaps: list[tuple[int, int]] = []
        self._span: tuple[int, int] | None = None
        self._count = self._first = self._owed = 0
        super().__init__(path, description, now)

    def append(self, values: Sequence[ArrayLike], start: int, end: int,
               gaps: Sequence[tuple[int, int]] = ()) -> None:
        """Samples taken evenly: one array [n] per stored column; times of the first and last, ns.

        `gaps` are (position, lost): `lost` samples are missing before the one at that position,
        position n: behind all of these.
        """
        with self._lock:
            stored = self._rounded(values)
            count = len(stored[0])
            missing = sum(lost for at, lost in gaps if 0 < at < count)
            if not count:
                return self._lose(sum(lost for _, lost in gaps))
            if self._span and abs(start - self._expected(gaps, end - start, count + missing)) \
                    > JUMP_NS:
                self._flush()
            self._take(stored, gaps)
            self._span = (self._span[0] if self._span else start, max(start, end))
            if self._count >= MOST_SAMPLES:
                self._flush()

    def append_timed(self, values: Sequence[ArrayLike], times: ArrayLike,
                     gaps: Sequence[tuple[int, int]] = ()) -> None:
        """Samples with a time each (ns, rising): for meters that are asked."""
        with self._lock:
            stored, at = self._rounded(values), np.asarray(times, np.int64)
            if not len(at):
                return self._lose(sum(lost for _, lost in gaps))
            self._take(stored, gaps)
            self._times.append(at)
            if self._count >= MOST_SAMPLES:
                self._flush()

    def lose(self, count: int) -> None:
        """`count` samples are missing before whatever comes next."""
        with self._lock:
            self._lose(count)

    def _lose(self, count: int) -> None:
        self.lost += count
        self._owed += count

    def _rounded(self, values: Sequence[ArrayLike]) -> list[Ints]:
        """Whole numbers of lsb; a value that is none would be invented data and is refused."""
        if len(values) != len(self._stored):
            raise ValueError(f"{len(values)} columns, expected {len(self._stored)}")
        return [_rounded(np.asarray(v, np.float64), c.lsb)
                for v, c in zip(values, self._stored, strict=True)]

    def _expected(self, gaps: Sequence[tuple[int, int]], length: int, steps: int) -> float:
        """When the next samples should start, by their own spacing."""
        assert self._span
        spacing = length / (steps - 1) if steps > 1 else 0.0
        before = 1 + self._owed + sum(lost for at, lost in gaps if not at)
        return self._span[1] + before * spacing

    def _take(self, stored: list[Ints], gaps: Sequence[tuple[int, int]]) -> None:
        if len({len(values) for values in stored}) != 1:
            raise ValueError("columns of different lengths")
        count = len(stored[0])
        self.lost += sum(lost for _, lost in gaps)
        for at, lost in [(0, self._owed), *(gap for gap in gaps if gap[0] < count)]:
            self._note_gap(self._count + at, lost)
        self._owed = sum(lost for at, lost in gaps if at >= count)
        self._pending.append(stored)
        self._count += len(stored[0])
        self.count += len(stored[0])

    def _note_gap(self, at: int, lost: int) -> None:
        if self._gaps and self._gaps[-1][0] == at:
            lost += self._gaps.pop()[1]
        if lost:
            self._gaps.append((at, lost))

    def _flush(self) -> None:
        if not self._count:
            return
        columns = [np.concatenate(parts) for parts in zip(*self._pending, strict=True)]
        gaps = np.array(self._gaps, np.int64).reshape(-1, 2)
        if self._span:
            times = chunks.sample_times(self._count, gaps, self._span)
        else:
            times = np.concatenate(self._times)
        for at in range(0, self._count, MOST_SAMPLES):
            part = slice(at, min(at + MOST_SAMPLES, self._count))
            mine = gaps[(gaps[:, 0] >= at) & (gaps[:, 0] < part.stop)]
            mine[:, 0] -= at
            self._write_part([values[part] for values in columns], mine,
                             (int(times[at]), int(times[part.stop - 1])) if self._span
                             else times[part])
        self._pending, self._times, self._gaps = [], [], []
        self._span, self._count = None, 0

    def _write_part(self, columns: list[Ints], gaps: Ints, times: Ints | tuple[int, int]) -> None:
        first = self._first + int(gaps[gaps[:, 0] == 0, 1].sum())
        self._write(chunks.pack_samples(self.columns, columns, first, gaps, times))
        self._first += len(columns[0]) + int(gaps[:, 1].sum())


def _rounded(values: Floats, lsb: float) -> Ints:
    with np.errstate(over="ignore"):
        whole = np.rint(values / lsb)
    if not (np.abs(whole) < 2.0**62).all():
        raise ValueError("a sample that is not a number, or far out of range")
    return whole.astype(np.int64)


class EventWriter(ChannelWriter):
    """Payloads with the time they came, ns; `missed` were lost right before."""

    def __init__(self, path: Path, description: Mapping[str, object], now: int) -> None:
        self._times: list[int] = []
        self._payloads: list[bytes] = []
        self._gaps: list[tuple[int, int]] = []
        self._first = self._bytes = 0
        super().__init__(path, description, now)

    def append(self, time: int, payload: bytes, missed: int = 0) -> None:
        """One event."""
        with self._lock:
            if missed:
                self._gaps.append((len(self._times), missed))
                self.lost += missed
            self._times.append(time)
            self._payloads.append(payload)
            self._bytes += len(payload)
            self.count += 1
            if self._bytes >= MOST_PENDING_BYTES or len(self._times) >= MOST_SAMPLES:
                self._flush()

    def _flush(self) -> None:
        if not self._times:
            return
        gaps = np.array(self._gaps, np.int64).reshape(-1, 2) if self._gaps else NO_GAPS
        before = int(gaps[gaps[:, 0] == 0, 1].sum())
        self._write(chunks.pack_events(self._first + before, self._times, self._payloads, gaps))
        self._first += len(self._times) + int(gaps[:, 1].sum())
        self._times, self._payloads, self._gaps, self._bytes = [], [], [], 0
