# SPDX-License-Identifier: Apache-2.0
"""Stages of a device and samples of a meter on one clock, and how far off that may be.

Two ways, the better one where it is possible:

markers  The board toggles a pin where a stage begins and after the last; a digital input of the
         meter sees it. Edges have the samples' own times: each is off by at most half a sample.
link     An event says that a stage begins, and the host notes when it came. It was said between
         the shortest measured round trip and no time before: half of that is taken off, half of it
         is the error. Added to the error are the time that the event took on a line of known
         speed (the device may have waited for it or not), what arrivals contradict the
         device's own timer by, what the meter's own times may be off, and half a sample.

How long a stage takes is the device's own count where its ticks are time.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from host_tools.measurement.runs import RecordedRun, read_runs
from host_tools.recording.channels import SampleChannel
from host_tools.recording.chunks import Floats, Ints
from host_tools.recording.reader import Recording

ROUND_TRIP = struct.Struct("<qqq")
UNKNOWN_ROUND_TRIP = 0.02   # s, when none was measured: a UART behind USB
FRAME_BYTES = 11            # of an event besides its payload (docs/PROTOCOL.md)
STAGE_BYTES = 71
REACH = 0.25                # s around a run in which its edges must be


@dataclass(frozen=True, slots=True)
class Alignment:
    """How stages got their times: `method` (markers, link, none), `error` s, why in words."""

    method: str
    error: float
    why: str


@dataclass(frozen=True, slots=True, eq=False)
class Stages:
    """Every stage of every whole run: number of run and stage [n], times [n] s of the samples."""

    run: Ints
    stage: Ints
    start: Floats
    stop: Floats
    alignment: Alignment

    @property
    def count(self) -> int:
        """Of stages in all."""
        return len(self.run)


def round_trip(recording: Recording) -> float | None:
    """The shortest round trip (s) that was measured on the link, None without any."""
    channel = recording.events.get("clock")
    if channel is None:
        return None
    trips = [(after - before) / 1e9 for event in channel.read()
             if len(event.payload) == ROUND_TRIP.size
             for before, _, after in [ROUND_TRIP.unpack(event.payload)] if after >= before]
    return min(trips, default=None)


def align(recording: Recording, meter: SampleChannel | None = None, bit: int = 0) -> Stages:
    """Times of all stages on the clock of a meter's samples; edges are those of input `bit`."""
    device = recording.events.get("device")
    runs = [run for run in read_runs(device) if run.stages] if device else []
    if not runs:
        return _stages([], [], Alignment("none", 0.0, "no run has all its stage events"))
    by_link = _by_link(recording, runs, meter)
    digital = [i for i, c in enumerate(meter.columns) if c.quantity == "digital"] if meter else []
    if meter is None or not digital:
        return by_link
    edges = find_edges(meter, digital[0], bit)
    return _by_markers(recording, runs, edges, meter) or by_link


def find_edges(meter: SampleChannel, column: int, bit: int) -> Floats:
    """Times (s) at which an input changes: in the middle between the samples before and after."""
    found, last = [], None
    for piece in meter.chunks():
        state = piece.values[column].astype(np.int64) >> bit & 1
        times = piece.times
        if last is not None:
            state = np.concatenate([[last[0]], state])
            times = np.concatenate([[last[1]], times])
        at = np.flatnonzero(np.diff(state))
        found.append((times[at] + times[at + 1]) / 2)
        last = (state[-1], times[-1])
    return np.concatenate(found) if found else np.zeros(0)


def _by_markers(recording: Recording, runs: Sequence[RecordedRun], edges: Floats,
                meter: SampleChannel) -> Stages | None:
    """Stages before edges; None unless every run finds as many edges as it has stage events.

    A device marks, then says so, then computes until the next mark: where ticks are time, a stage
    is its ticks before the next edge, and the time of saying so belongs to none.
    """
    if len(edges) == sum(len(run.stages) for run in runs):
        cuts = np.cumsum([len(run.stages) for run in runs])[:-1]
        own = np.split(edges, cuts)
    else:
        own = [edges[(edges > run.began - REACH) & (edges < run.ended + REACH)] for run in runs]
    if any(len(mine) != len(run.stages) for mine, run in zip(own, runs, strict=True)):
        return None
    stages = _stages(runs, own, Alignment(
        "markers", 0.5 / _rate(meter),
        f"{len(edges)} edges of the marker input, each to half a sample"))
    took = _ticked(recording, runs)
    if took is None:
        return stages
    return Stages(stages.run, stages.stage, np.maximum(stages.start, stages.stop - took),
                  stages.stop, stages.alignment)


def _by_link(recording: Recording, runs: Sequence[RecordedRun], meter: SampleChannel | None
             ) -> Stages:
    trip = round_trip(recording)
    half = (UNKNOWN_ROUND_TRIP if trip is None else trip) / 2
    device = _fields(recording.meta.get("device"))
    per_second, ticks = _number(device, "bytes_per_second"), _number(device, "ticks_per_second")
    frame = (FRAME_BYTES + STAGE_BYTES) / per_second if per_second else 0.0
    begins = [np.array(run.arrived) - half for run in runs]
    against = max((_contradiction(run, ticks) for run in runs), default=0.0) if ticks else 0.0
    own = _number(meter.description, "clock_error") + 0.5 / _rate(meter) if meter else 0.0
    trip_text = "no round trip was measured" if trip is None else f"round trip {trip * 1e3:.3g} ms"
    why = (f"{trip_text}, an event's frame {frame * 1e3:.3g} ms, arrivals against ticks "
           f"{against * 1e3:.3g} ms, meter {own * 1e3:.3g} ms")
    stages = _stages(runs, begins, Alignment("link", half + frame + against + own, why))
    took = _ticked(recording, runs)
    if took is None:
        return stages
    return Stages(stages.run, stages.stage, stages.start, stages.start + took, stages.alignment)


def _ticked(recording: Recording, runs: Sequence[RecordedRun]) -> Floats | None:
    """How long (s) each stage computed by the device's timer; None where ticks are not time."""
    ticks = _number(_fields(recording.meta.get("device")), "ticks_per_second")
    if not ticks:
        return None
    took: Floats = np.concatenate([np.diff([s.ticks for s in run.stages]) for run in runs]) / ticks
    return took


def _rate(meter: SampleChannel) -> float:
    """Samples per second, also of a meter whose samples have times of their own."""
    span = meter.span or (0.0, 0.0)
    return meter.rate or max(meter.count - 1, 1) / max(span[1] - span[0], 1e-6)


def _contradiction(run: RecordedRun, ticks_per_second: float) -> float:
    """How much sooner (s) than its ticks say a stage event came after the one before."""
    took = np.diff([stage.ticks for stage in run.stages]) / ticks_per_second
    return float(max(0.0, (took - np.diff(run.arrived)).max())) if len(took) else 0.0


def _stages(runs: Sequence[RecordedRun], edges: Sequence[Floats], alignment: Alignment) -> Stages:
    """Stage i of a run lies between its edges i and i + 1."""
    def joined(parts: list[Any], kind: type) -> Any:
        return np.concatenate(parts).astype(kind) if parts else np.zeros(0, kind)

    return Stages(
        joined([np.full(len(e) - 1, run.number) for run, e in zip(runs, edges, strict=True)],
               np.int64),
        joined([np.arange(len(e) - 1) for e in edges], np.int64),
        joined([e[:-1] for e in edges], np.float64), joined([e[1:] for e in edges], np.float64),
        alignment)


def _fields(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _number(fields: dict[str, Any], key: str) -> float:
    """A number of a description, 0 when there is none: a recording may hold anything."""
    value = fields.get(key)
    good = isinstance(value, (int, float)) and not isinstance(value, bool) and 1e-12 < value < 1e12
    return float(value) if good and value is not None else 0.0
