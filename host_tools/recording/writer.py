# SPDX-License-Identifier: Apache-2.0
"""Write a recording while it happens: whoever is killed has lost at most the last second.

    with Recorder(Path("run1"), {"run": {"command": "…"}}) as recorder:
        power = recorder.samples("ppk2", [Column("VDD", "amperes", 1e-9)], rate=100_000)
        device = recorder.events("device")
        power.append([amperes], start_ns, end_ns)
        device.append(recorder.now(), payload)

Times are ns since the recorder was made; `recorder.now()` reads that clock, and
`recorder.origin` is time.monotonic_ns() at its zero. Writers may be used from any thread.
"""

from __future__ import annotations

import json
import os
import platform
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import numpy as np
from numpy.typing import ArrayLike

from edgefm.errors import BadInput
from host_tools.recording import chunks
from host_tools.recording.chunks import NO_GAPS, Column, Floats, Ints, Json
from host_tools.recording.files import CHANNEL, LOCK, META

FORMAT = "edgefm-recording"
VERSION = 1
FLUSH_SECONDS = 0.4
MOST_SAMPLES = 1 << 16      # of one chunk
MOST_PENDING_BYTES = 1 << 20  # of events
JUMP_NS = 2_000_000         # samples that start this much off their line begin a new chunk


class _Channel:
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
        while rest:
            rest = rest[self._file.write(rest):]


class SampleWriter(_Channel):
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

        `gaps` are (position, lost): so many samples are missing before the one at that position,
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
        at, lost = gaps[:, 0], gaps[:, 1]
        first = self._first + int(lost[at == 0].sum())
        times = np.concatenate(self._times) if self._times else self._span
        assert times is not None
        self._write(chunks.pack_samples(self.columns, columns, first, gaps, times))
        self._first += self._count + int(lost.sum())
        self._pending, self._times, self._gaps = [], [], []
        self._span, self._count = None, 0


def _rounded(values: Floats, lsb: float) -> Ints:
    with np.errstate(over="ignore"):
        whole = np.rint(values / lsb)
    if not (np.abs(whole) < 2.0**62).all():
        raise ValueError("a sample that is no number, or far out of range")
    return whole.astype(np.int64)


class EventWriter(_Channel):
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


class Recorder:
    """A recording that grows; a context manager. Raises BadInput where one is already."""

    def __init__(self, folder: Path, meta: Mapping[str, Any] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / META).exists() or any(CHANNEL.fullmatch(p.name) for p in folder.iterdir()):
            raise BadInput(f"{folder}: holds a recording already; expected a new folder")
        self.folder = folder
        self.origin = time.monotonic_ns()
        self._channels: list[_Channel] = []
        self._lock = threading.Lock()
        self._held = _lock_file(folder / LOCK)
        self._meta: Json = {
            "format": FORMAT, "version": VERSION, "state": "recording",
            "started": datetime.now(UTC).isoformat(timespec="microseconds"),
            "host": _host(), **(meta or {})}
        self._write_meta()
        self.failed: OSError | None = None  # why nothing is written any more: a full disk
        self._stop = threading.Event()
        self._flusher = threading.Thread(target=self._flush_often, daemon=True,
                                         name="recording flush")
        self._flusher.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self.close("complete" if kind is None else f"stopped by {kind.__name__}")

    def now(self) -> int:
        """Nanoseconds since the recording began."""
        return time.monotonic_ns() - self.origin

    @property
    def meta(self) -> Json:
        """What meta.json holds now."""
        with self._lock:
            return dict(self._meta)

    def set(self, key: str, value: object) -> None:
        """Put a value that JSON knows into meta.json."""
        with self._lock:
            self._meta[key] = value
            self._write_meta()

    def samples(self, name: str, columns: Sequence[Column], rate: float | None = None,
                source: Mapping[str, object] | None = None) -> SampleWriter:
        """A new channel of samples; `rate` in samples per second, None: each has its own time."""
        chunks.check_columns(columns)
        with self._lock:
            fields = {"kind": "samples", "name": name, "rate": rate, "source": dict(source or {}),
                      "columns": [column.to_json() for column in columns]}
            path = self.folder / f"{len(self._channels)}.samples"
            channel = SampleWriter(path, columns, fields, self.now())
            self._channels.append(channel)
            return channel

    def events(self, name: str, source: Mapping[str, object] | None = None) -> EventWriter:
        """A new channel of events."""
        with self._lock:
            fields = {"kind": "events", "name": name, "source": dict(source or {})}
            path = self.folder / f"{len(self._channels)}.events"
            channel = EventWriter(path, fields, self.now())
            self._channels.append(channel)
            return channel

    def flush(self) -> None:
        """Write what is pending in every channel."""
        for channel in list(self._channels):
            channel.flush()

    def close(self, state: str = "complete") -> None:
        """Write the rest and say in meta.json how it ended; a second time does nothing."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._flusher.join()
        for channel in self._channels:
            channel.close()
        with self._lock:
            self._meta.update(state=state, seconds=round(self.now() / 1e9, 6))
            self._write_meta()
            self._held.close()

    def _flush_often(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            try:
                self.flush()
            except OSError as error:
                self.failed = error
                return

    def _write_meta(self) -> None:
        part = self.folder / f"{META}.part"
        part.write_text(json.dumps(self._meta, indent=1) + "\n", encoding="utf-8")
        os.replace(part, self.folder / META)


def _lock_file(path: Path) -> IO[bytes]:
    """A file that is locked as long as the recorder lives; the system frees it however it ends."""
    file = path.open("wb")
    try:
        import fcntl
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):  # a system without these locks: readers watch meta.json
        pass
    return file


def _host() -> Json:
    try:
        version = metadata.version("edgefm")
    except metadata.PackageNotFoundError:
        version = "not installed"
    return {"edgefm": version, "python": platform.python_version(),
            "numpy": np.__version__, "system": f"{platform.system()} {platform.machine()}"}
