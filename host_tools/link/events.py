# SPDX-License-Identifier: Apache-2.0
"""The events that a running device sends (docs/PROTOCOL.md). Bytes only, no I/O."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType

from edgefm.errors import BadMessage
from edgefm.package.counters import MapCounters

RUN_BEGIN = struct.Struct("<BIQH8s")
STAGE = struct.Struct("<BIHQ7Q")
RUN_END = struct.Struct("<BIbQI7QQQ32s")
MAPS = struct.Struct("<BIHH")
MAP_RECORD = struct.Struct("<QQ5I")  # follows MAPS, and makes up `:maps`


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes since the run began, counted at each memory; `coded_values` counts values."""

    external_read_bytes: int
    external_write_bytes: int
    weight_read_bytes: int
    input_read_bytes: int
    output_write_bytes: int
    coded_bytes: int
    coded_values: int

    def since(self, before: Counted) -> Counted:
        """The difference to the counts `before`."""
        return Counted(*(getattr(self, field.name) - getattr(before, field.name)
                         for field in fields(Counted)))


NOTHING = Counted(0, 0, 0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class RunBegin:
    """A run starts, of `stages` stages; `package` is the head of the package's SHA-256."""

    run: int
    ticks: int
    stages: int
    package: bytes


@dataclass(frozen=True, slots=True)
class StageBegin:
    """Stage number `stage` begins; the number of stages: all are done."""

    run: int
    stage: int
    ticks: int
    counted: Counted


@dataclass(frozen=True, slots=True)
class RunEnd:
    """A run has ended with a status of the protocol; `ticks` are those of computing only."""

    run: int
    status: int
    ticks: int
    fast_high_water: int
    counted: Counted
    coded_rows: int
    raw_rows: int
    outputs_sha256: bytes


@dataclass(frozen=True, slots=True)
class Maps:
    """The traffic of the stored maps `first`, `first` + 1, … of `maps` in a run."""

    run: int
    first: int
    maps: int
    counted: tuple[MapCounters, ...]


@dataclass(frozen=True, slots=True)
class Log:
    """A line for a person."""

    text: str


EventMessage = RunBegin | StageBegin | RunEnd | Log | Maps


def read_event(payload: bytes) -> EventMessage:
    """Read one event. Raises BadMessage for an unknown kind or a wrong size."""
    read = _READERS.get(payload[0]) if payload else None
    if read is None:
        raise BadMessage(f"event of an unknown kind: {payload[:1].hex() or 'empty'}")
    try:
        return read(payload)
    except struct.error:
        raise BadMessage(f"event of kind {payload[0]}: {len(payload)} bytes") from None


def read_run_end(payload: bytes) -> RunEnd:
    """A RUN_END, as an event or as read under `:run`."""
    found = read_event(payload)
    if not isinstance(found, RunEnd):
        raise BadMessage(f"expected a RUN_END, got kind {payload[0]}")
    return found


def read_maps(data: bytes) -> tuple[MapCounters, ...]:
    """Records of maps, as in MAPS and as read under `:maps`. Raises BadMessage."""
    if len(data) % MAP_RECORD.size:
        raise BadMessage(f"records of maps: {len(data)} bytes, expected a multiple of "
                         f"{MAP_RECORD.size}")
    return tuple(MapCounters(*fields) for fields in MAP_RECORD.iter_unpack(data))


def join_maps(messages: Sequence[Maps]) -> tuple[MapCounters, ...] | None:
    """All maps of one run; None if some are missing, or none was reported."""
    found: list[MapCounters] = []
    for message in messages:
        if message.first != len(found):
            return None
        found += message.counted
    return tuple(found) if messages and len(found) == messages[-1].maps else None


def _begin(payload: bytes) -> RunBegin:
    _, run, ticks, stages, package = RUN_BEGIN.unpack(payload)
    return RunBegin(run, ticks, stages, package)


def _stage(payload: bytes) -> StageBegin:
    _, run, stage, ticks, *counted = STAGE.unpack(payload)
    return StageBegin(run, stage, ticks, Counted(*counted))


def _end(payload: bytes) -> RunEnd:
    _, run, status, ticks, high_water, *counted, coded_rows, raw_rows, digest = \
        RUN_END.unpack(payload)
    return RunEnd(run, status, ticks, high_water, Counted(*counted), coded_rows, raw_rows, digest)


def _maps(payload: bytes) -> Maps:
    _, run, first, maps = MAPS.unpack_from(payload)
    return Maps(run, first, maps, read_maps(payload[MAPS.size:]))


def _log(payload: bytes) -> Log:
    return Log(payload[1:].decode("utf-8", "replace"))


_READERS: Mapping[int, Callable[[bytes], EventMessage]] = MappingProxyType(
    {1: _begin, 2: _stage, 3: _end, 4: _log, 5: _maps})
