# SPDX-License-Identifier: Apache-2.0
"""Bytes <-> chunks of a recording; pure functions. docs/RECORDING.md has the tables."""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Json = dict[str, Any]

MAGIC = b"EFRC"
HEAD = struct.Struct("<4sBBHQIIIqqIIIII")
HEAD_BYTES = HEAD.size
DESCRIPTION, UNIFORM, TIMED, EVENTS = 0, 1, 2, 3  # kinds of chunks
BLOCK = 512                 # samples per entry of the summary
MOST_COUNT = 1 << 17        # samples or events of one chunk
MOST_PLAIN = 1 << 26        # bytes of a chunk's body, unpacked
MOST_DESCRIPTION = 1 << 20  # bytes of a description, unpacked
MOST_COLUMNS = 64
MOST_INDEX = 1 << 62
MOST_TIME = 1 << 61         # ns, 73 years
QUANTITIES = ("volts", "amperes", "watts", "digital")


class BadChunk(ValueError):
    """Bytes that are not a chunk, or not a whole one; the text says why."""


@dataclass(frozen=True, slots=True)
class Column:
    """One quantity of one rail: value = stored whole number * lsb.

    `product` names two other columns (by position) whose product this one is; it is not stored.
    """

    rail: str
    quantity: str
    lsb: float = 1.0
    product: tuple[int, int] | None = None

    def to_json(self) -> Json:
        """As the channel's description holds it."""
        return {"rail": self.rail, "quantity": self.quantity, "lsb": self.lsb,
                "product": self.product and list(self.product)}


@dataclass(frozen=True, slots=True)
class Head:
    """The fixed front of a chunk; times in ns since the recording began.

    Of the samples missing, `lost` are between this chunk's and `before` right in front of them.
    """

    kind: int
    columns: int
    block: int
    first: int
    count: int
    lost: int
    before: int
    start: int
    end: int
    summary_bytes: int
    data_bytes: int
    plain_bytes: int
    body_crc: int

    @property
    def next(self) -> int:
        """Index of what comes after this chunk."""
        return self.first + self.count + self.lost

    @property
    def total(self) -> int:
        """Bytes of the whole chunk."""
        return HEAD_BYTES + self.summary_bytes + self.data_bytes


@dataclass(frozen=True, slots=True)
class ChunkSummary:
    """Gaps and blocks of a chunk.

    `gaps` [g, 2]: `lost` samples are missing before the sample at position `at`. `starts` [b] ns;
    `low`, `high`, `total` [columns, b]: least, greatest and sum of each block's samples.
    """

    gaps: Ints
    starts: Ints
    low: Floats
    high: Floats
    total: Floats


def pack_chunk(kind: int, columns: int, first: int, count: int, gaps: Ints, span: tuple[int, int],
               summary: bytes, data: bytes) -> bytes:
    """One chunk: head, packed summary, packed data."""
    packed = [_pack(part) for part in (summary, data)]
    body = b"".join(packed)
    before = int(gaps[gaps[:, 0] == 0, 1].sum())
    lost = int(gaps[:, 1].sum()) - before
    head = HEAD.pack(MAGIC, kind, columns, BLOCK, first, count, lost, before, *span,
                     len(packed[0]), len(packed[1]), len(summary) + len(data), zlib.crc32(body), 0)
    return head[:-4] + zlib.crc32(head[:-4]).to_bytes(4, "little") + body


def _pack(data: bytes) -> bytes:
    """zlib's run-length strategy: deltas have no longer repeats, and it is the fastest."""
    packer = zlib.compressobj(1, zlib.DEFLATED, 15, 9, zlib.Z_RLE)
    return packer.compress(data) + packer.flush() if data else b""


def read_head(data: bytes) -> Head:
    """The head in front of `data`. Raises BadChunk."""
    if len(data) < HEAD_BYTES:
        raise BadChunk("cut in its head")
    magic, *fields, crc = HEAD.unpack_from(data)
    if magic != MAGIC or zlib.crc32(data[:HEAD_BYTES - 4]) != crc:
        raise BadChunk("no head, or a damaged one")
    head = Head(*fields)
    if (head.kind > EVENTS or head.count > MOST_COUNT or head.columns > MOST_COLUMNS
            or head.plain_bytes > MOST_PLAIN or not head.block or head.first > MOST_INDEX
            or not -MOST_TIME <= head.start <= head.end <= MOST_TIME):
        raise BadChunk("a head with impossible numbers")
    return head


def unpack_body(head: Head, body: bytes) -> tuple[bytes, bytes]:
    """Summary and data of a chunk, unpacked. Raises BadChunk."""
    if len(body) != head.summary_bytes + head.data_bytes:
        raise BadChunk("cut in its body")
    if zlib.crc32(body) != head.body_crc:
        raise BadChunk("a damaged body")
    summary = _unpacked(body[:head.summary_bytes], head.plain_bytes)
    data = _unpacked(body[head.summary_bytes:], head.plain_bytes - len(summary))
    if len(summary) + len(data) != head.plain_bytes:
        raise BadChunk("a body of another size than its head says")
    return summary, data


def unpack_summary(head: Head, packed: bytes) -> ChunkSummary:
    """The summary alone, from its packed bytes: zlib has a checksum of its own. Raises BadChunk."""
    if len(packed) != head.summary_bytes:
        raise BadChunk("cut in its summary")
    return read_summary(head, _unpacked(packed, head.plain_bytes))


def _unpacked(packed: bytes, most: int) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(packed, most + 1)  # 0 would mean no limit
    except zlib.error as error:
        raise BadChunk(f"a body that does not unpack ({error})") from None
    if packed and (not unpacker.eof or len(data) > most):
        raise BadChunk("a body that does not unpack (cut, or too long)")
    return data


# -- descriptions --------------------------------------------------------------------------------

def pack_description(fields: Mapping[str, object], now: int) -> bytes:
    """A chunk that says something about its channel; later ones add to and replace earlier ones."""
    return pack_chunk(DESCRIPTION, 0, 0, 0, NO_GAPS, (now, now), b"", json.dumps(fields).encode())


def read_description(data: bytes) -> Json:
    """The object of a description's unpacked data. Raises BadChunk."""
    try:
        fields = json.loads(data) if len(data) <= MOST_DESCRIPTION else None
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadChunk("a description that is not a JSON object")
    return fields


# -- samples -------------------------------------------------------------------------------------

NO_GAPS: Ints = np.zeros((0, 2), np.int64)


def pack_samples(columns: Sequence[Column], stored: Sequence[Ints], first: int, gaps: Ints,
                 times: Ints | tuple[int, int]) -> bytes:
    """A chunk of samples: `stored` holds the whole numbers of every column that is not a product.

    `times` is one per sample (a TIMED chunk, [n] ns) or those of the first and last (UNIFORM).
    """
    count = len(stored[0])
    timed = not isinstance(times, tuple)
    span = (int(times[0]), int(times[-1]))
    edges = np.arange(0, count, BLOCK)
    at = np.asarray(times)[edges] if timed else sample_times(count, gaps, span)[edges]
    summary = [_gap_bytes(gaps), at.astype("<i8").tobytes()]
    for values in physical(columns, stored):
        summary += [np.minimum.reduceat(values, edges).astype("<f4").tobytes(),
                    np.maximum.reduceat(values, edges).astype("<f4").tobytes(),
                    np.add.reduceat(values, edges).astype("<f8").tobytes()]
    series = [np.asarray(times) - span[0], *stored] if timed else stored
    return pack_chunk(TIMED if timed else UNIFORM, len(columns), first, count, gaps, span,
                      b"".join(summary), b"".join(map(_pack_series, series)))


def read_samples(head: Head, columns: Sequence[Column], summary: bytes,
                 data: bytes) -> tuple[Ints, list[Floats], Ints]:
    """Times [n] ns, one array [n] per column in its unit, and gaps [g, 2]. Raises BadChunk."""
    gaps, _ = _read_gaps(head, summary)
    wanted = sum(column.product is None for column in columns) + (head.kind == TIMED)
    series, at = [], 0
    for _ in range(wanted):
        values, at = _read_series(data, at, head.count)
        series.append(values)
    if at != len(data):
        raise BadChunk("samples of another size than its head says")
    span = (head.start, head.end)
    times = (series.pop(0) + head.start if head.kind == TIMED
             else sample_times(head.count, gaps, span))
    return times, physical(columns, series), gaps


def read_summary(head: Head, summary: bytes) -> ChunkSummary:
    """Gaps and blocks of a chunk of samples. Raises BadChunk."""
    gaps, at = _read_gaps(head, summary)
    blocks = -(-head.count // head.block)
    if len(summary) != at + blocks * (8 + 16 * head.columns):
        raise BadChunk("a summary of another size than its head says")
    starts = np.frombuffer(summary, "<i8", blocks, at).astype(np.int64)
    table = np.frombuffer(summary, np.uint8, offset=at + 8 * blocks)
    table = table.reshape(head.columns, 16 * blocks)
    low, high = (table[:, i * 4 * blocks:(i + 1) * 4 * blocks].copy().view("<f4").astype(float)
                 for i in (0, 1))
    total = table[:, 8 * blocks:].copy().view("<f8").astype(float)
    return ChunkSummary(gaps, starts, low, high, total)


def physical(columns: Sequence[Column], stored: Sequence[Ints]) -> list[Floats]:
    """Every column in its unit, from the whole numbers of those that are stored."""
    values = iter(stored)
    scaled = [None if c.product else next(values) * c.lsb for c in columns]
    result = []
    for column, own in zip(columns, scaled, strict=True):
        if column.product:
            a, b = (scaled[i] for i in column.product)
            assert a is not None and b is not None  # columns_from_json and the writer check
            own = a * b
        assert own is not None
        result.append(np.asarray(own, np.float64))
    return result


def sample_times(count: int, gaps: Ints, span: tuple[int, int]) -> Ints:
    """Times [n] ns of evenly taken samples: a line from the first to the last, gaps counted."""
    index = sample_index(count, gaps)
    if count < 2:
        return np.full(count, span[0], np.int64)
    times: Ints = np.rint((span[1] - span[0]) / index[-1] * index).astype(np.int64)
    return times + span[0]


def sample_index(count: int, gaps: Ints) -> Ints:
    """Numbers [n] of a chunk's samples from its first on; what is missing in between is counted."""
    steps = np.ones(count, np.int64)
    steps[:1] = 0
    inner = gaps[gaps[:, 0] > 0]
    steps[inner[:, 0]] += inner[:, 1]
    index: Ints = np.cumsum(steps)
    return index


def columns_from_json(fields: object) -> tuple[Column, ...]:
    """The columns of a description. Raises BadChunk."""
    if not isinstance(fields, list) or not 0 < len(fields) <= MOST_COLUMNS:
        raise BadChunk(f"a description without 1 to {MOST_COLUMNS} columns")
    try:
        columns = tuple(Column(str(f["rail"]), str(f["quantity"]), float(f["lsb"]),
                               f["product"] and (int(f["product"][0]), int(f["product"][1])))
                        for f in fields)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError):
        raise BadChunk("a description with a column that is none") from None
    check_columns(columns)
    return columns


def check_columns(columns: Sequence[Column]) -> None:
    """Quantities are known, products are of stored columns. Raises BadChunk."""
    stored = {i for i, column in enumerate(columns) if column.product is None}
    for column in columns:
        good = column.quantity in QUANTITIES and 0 < column.lsb < float("inf")
        if not good or not stored or not set(column.product or ()) <= stored:
            raise BadChunk(f"an impossible column {column.rail!r} {column.quantity!r}")


# -- events --------------------------------------------------------------------------------------

def pack_events(first: int, times: Sequence[int], payloads: Sequence[bytes], gaps: Ints) -> bytes:
    """A chunk of events: times in ns, any bytes, and how many were missed where."""
    at = np.array(times, np.int64)
    sizes = np.array([len(payload) for payload in payloads], np.int64)
    start, end = int(at.min()), int(at.max())
    data = _pack_series(at - start) + _pack_series(sizes) + b"".join(payloads)
    return pack_chunk(EVENTS, 0, first, len(times), gaps, (start, end), _gap_bytes(gaps), data)


def read_events(head: Head, summary: bytes, data: bytes) -> tuple[Ints, list[bytes], Ints]:
    """Times [n] ns, payloads, gaps [g, 2]. Raises BadChunk."""
    gaps, _ = _read_gaps(head, summary)
    offsets, at = _read_series(data, 0, head.count)
    sizes, at = _read_series(data, at, head.count)
    ends = at + np.cumsum(sizes)
    if (sizes < 0).any() or (sizes > MOST_PLAIN).any() or int(ends[-1]) != len(data):
        raise BadChunk("events of another size than its head says")
    starts = ends - sizes
    return offsets + head.start, [data[a:b] for a, b in zip(starts, ends, strict=True)], gaps


# -- parts ---------------------------------------------------------------------------------------

def _gap_bytes(gaps: Ints) -> bytes:
    return len(gaps).to_bytes(4, "little") + gaps.astype("<u4").tobytes()


def _read_gaps(head: Head, summary: bytes) -> tuple[Ints, int]:
    count = int.from_bytes(summary[:4], "little")
    if len(summary) < 4 + 8 * count or not head.count:
        raise BadChunk("a summary cut in its gaps")
    gaps = np.frombuffer(summary, "<u4", 2 * count, 4).reshape(count, 2).astype(np.int64)
    if count and (gaps[:, 0].max() >= head.count or (np.diff(gaps[:, 0]) <= 0).any()):
        raise BadChunk("gaps outside its samples")
    return gaps, 4 + 8 * count


def _pack_series(values: Ints) -> bytes:
    """Width, first value, then the differences, all their lowest bytes first."""
    steps = np.diff(values)
    most = int(max(steps.max(), ~steps.min())) if len(steps) else 0
    width = next(w for w in (1, 2, 4, 8) if most < 1 << (8 * w - 1))
    planes = steps.astype(f"<i{width}").view(np.uint8).reshape(-1, width).T
    return bytes([width]) + int(values[0]).to_bytes(8, "little", signed=True) + planes.tobytes()


def _read_series(data: bytes, at: int, count: int) -> tuple[Ints, int]:
    width = data[at] if at < len(data) else 0
    end = at + 9 + width * (count - 1)
    if width not in (1, 2, 4, 8) or count < 1 or end > len(data):
        raise BadChunk("a series cut short")
    first = int.from_bytes(data[at + 1:at + 9], "little", signed=True)
    planes = np.frombuffer(data, np.uint8, end - at - 9, at + 9).reshape(width, count - 1)
    values = np.empty(count, np.int64)
    values[0] = first
    values[1:] = np.ascontiguousarray(planes.T).view(f"<i{width}").ravel()
    return np.cumsum(values), end
