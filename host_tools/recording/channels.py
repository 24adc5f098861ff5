# SPDX-License-Identifier: Apache-2.0
"""One channel of a recording: an index of its chunks, and ways to read a range of them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import numpy as np

from host_tools.recording import chunks
from host_tools.recording.chunks import BadChunk, ChunkSummary, Column, Head
from host_tools.recording.files import FolderFiles
from host_tools.recording.views import (
    Buckets,
    Envelope,
    Gap,
    RecordedEvent,
    Samples,
    find_column,
)

SCAN_BYTES = 1 << 20
MOST_SKIPPED = 1 << 30  # bytes that are searched for the next sound chunk
MOST_PROBLEMS = 100     # that a channel tells of
MOST_RATE = 1e12        # samples per second
FOREVER = float("inf")
JUMP_SECONDS = 0.002  # evenly taken samples that go on later than this have a gap of unknown size


class Channel:
    """What samples and events have in common: an index of chunks that can grow.

    `description` is what the writer said; `ended` says why the source went away, None when it
    did not; `problems` what of the file cannot be read.
    """

    kinds: tuple[int, ...] = ()

    def __init__(self, files: FolderFiles, file: str) -> None:
        self._files, self.file = files, file
        self.description: dict[str, Any] = {}
        self.problems: list[str] = []
        self._places: list[tuple[int, Head]] = []
        self._starts: list[int] = []
        self._at = 0
        self._tail = 0
        self._load = lru_cache(maxsize=2)(self._read_chunk)
        self._damaged: set[int] = set()

    @property
    def name(self) -> str:
        """The channel's name, its file's without a description."""
        return str(self.description.get("name", self.file))

    @property
    def ended(self) -> str | None:
        """Why nothing more came, None when it did to the end."""
        ended = self.description.get("ended")
        return str(ended.get("why")) if isinstance(ended, dict) else None

    @property
    def count(self) -> int:
        """Samples or events that are here."""
        return sum(head.count for _, head in self._places)

    @property
    def lost(self) -> int:
        """Samples or events that the instrument or the line lost, as far as it noticed."""
        return sum(head.lost + head.before for _, head in self._places)

    @property
    def span(self) -> tuple[float, float] | None:
        """Times (s) of the first and the last, None without any."""
        if not self._places:
            return None
        return self._starts[0] / 1e9, max(head.end for _, head in self._places[-2:]) / 1e9

    @property
    def missing_bytes(self) -> int:
        """Bytes at the end of the file that are not a whole chunk (yet)."""
        return self._tail

    def refresh(self) -> bool:
        """Look for chunks that were added; True when there are."""
        size, before = self._files.size(self.file), self._at
        while self._at < size:
            try:
                head = self._next(size)
            except BadChunk:
                if not self._skip(size):
                    break
                continue
            self._enter(head)
            self._at += head.total
        self._tail = size - self._at
        return self._at != before

    def _next(self, size: int) -> Head:
        head = chunks.read_head(self._files.read(self.file, self._at, chunks.HEAD_BYTES))
        if self._at + head.total > size:
            raise BadChunk("cut in its body")
        return head

    def _skip(self, size: int) -> bool:
        """Go on at the next sound chunk behind; False when there is none (yet) or it is far off."""
        at = self._at + 1
        until = at + MOST_SKIPPED
        while at < until and (data := self._files.read(self.file, at, SCAN_BYTES)):
            found = data.find(chunks.MAGIC)
            while found >= 0:
                try:
                    head = chunks.read_head(self._files.read(self.file, at + found,
                                                             chunks.HEAD_BYTES))
                    if at + found + head.total <= size:
                        self._complain(f"bytes {self._at} to {at + found} are damaged and left "
                                       "out")
                        self._at = at + found
                        return True
                except BadChunk:
                    pass
                found = data.find(chunks.MAGIC, found + 1)
            at += max(1, len(data) - len(chunks.MAGIC) + 1)
        return False

    def _complain(self, text: str) -> None:
        """One problem more; of very many only the first are told."""
        if len(self.problems) < MOST_PROBLEMS:
            self.problems.append(f"{self.file}: {text}")
        elif len(self.problems) == MOST_PROBLEMS:
            self.problems.append(f"{self.file}: and more of the kind")

    def _enter(self, head: Head) -> None:
        if head.kind == chunks.DESCRIPTION:
            try:
                body = self._files.read(self.file, self._at + chunks.HEAD_BYTES,
                                        head.total - chunks.HEAD_BYTES)
                self._described(chunks.read_description(chunks.unpack_body(head, body)[1]))
            except BadChunk as error:
                self._complain(f"{error} at byte {self._at}")
        elif head.kind in self.kinds and head.count and self._fits(head):
            self._places.append((self._at, head))
            self._starts.append(max(head.start, self._starts[-1] if self._starts else head.start))
        else:
            self._complain(f"a chunk that does not belong here at byte {self._at}")

    def _described(self, fields: dict[str, Any]) -> None:
        self.description.update(fields)

    def _fits(self, head: Head) -> bool:
        return True

    def _read_chunk(self, number: int) -> tuple[bytes, bytes] | None:
        """Summary and data of a chunk; None, and a problem said once, when it is damaged."""
        at, head = self._places[number]
        body = self._files.read(self.file, at + chunks.HEAD_BYTES, head.total - chunks.HEAD_BYTES)
        try:
            return chunks.unpack_body(head, body)
        except BadChunk as error:
            self._damage(number, error)
            return None

    def _damage(self, number: int, error: BadChunk) -> None:
        at, head = self._places[number]
        if number not in self._damaged:
            self._damaged.add(number)
            self._complain(f"{error} at byte {at}; {head.count} entries from "
                           f"{head.start / 1e9:.3f} to {head.end / 1e9:.3f} s are left out")

    def _numbers(self, start: float, stop: float) -> range:
        """Chunks that may hold something in start <= time < stop."""
        low = max(0, bisect_left(self._starts, start * 1e9) - 1 if start > -FOREVER else 0)
        high = len(self._starts) if stop == FOREVER else bisect_left(self._starts, stop * 1e9)
        while low > 0 and self._places[low - 1][1].end >= start * 1e9:
            low -= 1
        return range(low, high)


class SampleChannel(Channel):
    """A meter's samples."""

    kinds = (chunks.UNIFORM, chunks.TIMED)

    def __init__(self, files: FolderFiles, file: str) -> None:
        self.columns: tuple[Column, ...] = ()
        super().__init__(files, file)

    @property
    def rate(self) -> float | None:
        """Samples per second; None when each has its own time."""
        rate = self.description.get("rate")
        good = isinstance(rate, (int, float)) and 0 < rate <= MOST_RATE
        return float(rate) if good and rate is not None else None

    def read(self, start: float = -FOREVER, stop: float = FOREVER) -> Samples:
        """All samples with start <= time < stop (s)."""
        parts = list(self.chunks(start, stop))
        if not parts:
            none = np.zeros(0)
            return Samples(self.columns, none, np.zeros((len(self.columns), 0)),
                           np.zeros(0, np.int64))
        return Samples(self.columns, np.concatenate([p.times for p in parts]),
                       np.concatenate([p.values for p in parts], axis=1),
                       np.concatenate([p.index for p in parts]))

    def chunks(self, start: float = -FOREVER, stop: float = FOREVER) -> Iterator[Samples]:
        """The same piece by piece, at most 65,536 samples or so at once."""
        for number in self._numbers(start, stop):
            piece = self._samples(number)
            if piece is None:
                continue
            inside = (piece.times >= start) & (piece.times < stop)
            if inside.all():
                yield piece
            elif inside.any():
                yield Samples(self.columns, piece.times[inside], piece.values[:, inside],
                              piece.index[inside])

    def _samples(self, number: int) -> Samples | None:
        body, (_, head) = self._load(number), self._places[number]
        if body is None:
            return None
        try:
            times, values, gaps = chunks.read_samples(head, self.columns, *body)
        except BadChunk as error:
            self._damage(number, error)
            return None
        index = head.first + chunks.sample_index(head.count, gaps)
        return Samples(self.columns, times / 1e9, np.array(values), index)

    def summaries(self, start: float = -FOREVER, stop: float = FOREVER
                  ) -> Iterator[tuple[Head, ChunkSummary]]:
        """Head and summary of every sound chunk: blocks of 512 samples, cheap to read."""
        for number in self._numbers(start, stop):
            at, head = self._places[number]
            packed = self._files.read(self.file, at + chunks.HEAD_BYTES, head.summary_bytes)
            try:
                yield head, chunks.unpack_summary(head, packed)
            except BadChunk as error:
                self._damage(number, error)

    def gaps(self, start: float = -FOREVER, stop: float = FOREVER) -> Iterator[Gap]:
        """Where samples are missing, in order. Bodies are read only where heads tell of losses."""
        before: Head | None = None
        for number in self._numbers(start, stop):
            head = self._places[number][1]
            if before:
                yield from _gap_between(before, head)
            if head.lost and (piece := self._samples(number)):
                for at in np.flatnonzero(np.diff(piece.index) > 1):
                    yield Gap(float(piece.times[at]), float(piece.times[at + 1]),
                              int(piece.index[at + 1] - piece.index[at]) - 1)
            if number in self._damaged:
                yield Gap(head.start / 1e9, head.end / 1e9, head.count, "damaged")
            before = head

    def envelope(self, column: int | str = "watts", start: float | None = None,
                 stop: float | None = None, buckets: int = 1000) -> Envelope:
        """Least, greatest and mean value in equal buckets of time, from summaries where they do.

        `column` is a position or a quantity. Raises KeyError.
        """
        which = find_column(self.columns, column) if isinstance(column, str) else column
        first, last = self.span or (0.0, 0.0)
        start = first if start is None else start
        stop = last + 1e-9 if stop is None else stop
        edges = np.linspace(start, max(stop, start + 1e-9), buckets + 1)
        drawn = Buckets(edges)
        inside = sum(head.count for _, head in (self._places[i] for i in
                                                self._numbers(start, stop)))
        if inside > 2 * chunks.BLOCK * buckets:
            for head, summary in self.summaries(start, stop):
                sizes = np.full(len(summary.starts), head.block)
                sizes[-1] = head.count - head.block * (len(sizes) - 1)
                drawn.add(summary.starts / 1e9, summary.low[which], summary.high[which],
                          summary.total[which], sizes)
        else:
            for piece in self.chunks(start, stop):
                values = piece.values[which]
                drawn.add(piece.times, values, values, values, np.ones(len(values), np.int64))
        return drawn.result()

    def _described(self, fields: dict[str, Any]) -> None:
        if "columns" in fields and not self._places:
            self.columns = chunks.columns_from_json(fields["columns"])
        super()._described(fields)

    def _fits(self, head: Head) -> bool:
        return head.columns == len(self.columns) > 0


def _gap_between(before: Head, head: Head) -> Iterator[Gap]:
    """What is missing between two chunks; only the second one knows what the source lost."""
    missing = head.first - before.next
    if missing > 0:
        why = "lost" if missing <= head.before else "damaged"
        yield Gap(before.end / 1e9, head.start / 1e9, missing, why)
    elif head.kind == chunks.UNIFORM and before.count > 1:
        steps = before.next - before.first - 1
        late = (head.start - before.end - (before.end - before.start) / steps) / 1e9
        if late > JUMP_SECONDS:
            yield Gap(before.end / 1e9, head.start / 1e9, -1)


class EventChannel(Channel):
    """What a device said."""

    kinds = (chunks.EVENTS,)

    def read(self, start: float = -FOREVER, stop: float = FOREVER) -> Iterator[RecordedEvent]:
        """Every event with start <= time < stop (s), in the order it came."""
        for number in self._numbers(start, stop):
            body, (_, head) = self._load(number), self._places[number]
            if body is None:
                continue
            try:
                times, payloads, gaps = chunks.read_events(head, *body)
            except BadChunk as error:
                self._damage(number, error)
                continue
            missed = dict(gaps.tolist())
            for at, (time, payload) in enumerate(zip((times / 1e9).tolist(), payloads,
                                                     strict=True)):
                if start <= time < stop:
                    yield RecordedEvent(time, payload, missed.get(at, 0))
