# SPDX-License-Identifier: Apache-2.0
"""A recording as Chrome trace JSON, for ui.perfetto.dev: stages as slices, the rest as counters.

Written event by event; only times and energies of stages are held. Times are whole µs, and no slice
of a track overlaps another (`timeline.py`).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np

from edgefm.package.traffic import MapInfo, traffic
from host_tools.link.events import Counted
from host_tools.measurement.about import mapping, plan_of, recorded_maps, stage_names, whole_number
from host_tools.measurement.align import Stages, align
from host_tools.measurement.costs import load_costs, modeled
from host_tools.measurement.energy import RailEnergy, measure, measured_columns
from host_tools.measurement.runs import RecordedRun, read_logs, read_runs
from host_tools.outputs.timeline import Slices, clip, label, lay_out, lay_out_runs, moment
from host_tools.recording.channels import EventChannel, SampleChannel
from host_tools.recording.reader import Recording

DEVICE, METER = 1, 2        # process numbers in the trace
RUNS, STAGES = 1, 2         # thread numbers
POINTS = 20_000             # of each power counter
MOVED = ("external_read", "external_write", "weight_read")
UNITS = {"watts": "W", "amperes": "A"}

TraceEvent = dict[str, Any]


def write_trace(recording: Recording, file: IO[str], points: int = POINTS) -> int:
    """Write the whole trace; how many events it has."""
    meta = recording.meta
    other = {"recorded": str(meta.get("started", "")), "state": str(meta.get("state", ""))}
    file.write('{"displayTimeUnit":"ms","otherData":' + json.dumps(other) + ',"traceEvents":[')
    count = 0
    for count, event in enumerate(trace_events(recording, points), 1):
        file.write((",\n" if count > 1 else "\n") + json.dumps(event, allow_nan=False))
    file.write("\n]}\n")
    return count


def trace_events(recording: Recording, points: int = POINTS) -> Iterator[TraceEvent]:
    """Metadata, slices of runs and stages, bytes per second, power."""
    device = recording.events.get("device")
    board = mapping(recording.meta.get("device")).get("board", "device")
    yield _name("process_name", DEVICE, 0, str(board))
    yield _name("thread_name", DEVICE, RUNS, "runs")
    yield _name("thread_name", DEVICE, STAGES, "stages")
    if device:
        yield from _device_events(recording, device)
    for number, channel in enumerate(recording.samples.values()):
        yield _name("process_name", METER + number, 0, channel.name)
        yield from _power(channel, METER + number, points)


def _device_events(recording: Recording, device: EventChannel) -> Iterator[TraceEvent]:
    meter = next(iter(recording.samples.values()), None)
    stages = align(recording, meter)
    drawn = lay_out(stages)
    runs = _Runs(stages, drawn, _Energy(meter, stages, whole_number(
        plan_of(recording.meta).get("macs")) or 0), stage_names(recording.meta),
        recorded_maps(recording.meta))
    for run, (start, stop) in zip(read_runs(device), lay_out_runs(device, drawn), strict=True):
        yield from runs.events(run, start, stop)
    for time, text in read_logs(device):
        yield {"ph": "i", "name": clip(text), "ts": moment(time), "pid": DEVICE,
               "tid": RUNS, "s": "p", "args": {"text": text}}


class _Energy:
    """Energy of stages and runs: measured where there is a meter and a time, else modeled."""

    def __init__(self, meter: SampleChannel | None, stages: Stages, macs: int) -> None:
        self._meter = meter.name if meter else ""
        self._rails = measure(meter, stages) if meter else []
        self._stages, self._macs = stages.count, macs
        self._costs = load_costs()

    def of_stage(self, at: int, moved: Counted) -> dict[str, object]:
        """Of the stage `at`, counted over all runs."""
        return self._measured(at) if self._rails else self._modeled("memories", moved, 0)

    def of_run(self, number: int | None, counted: Counted) -> dict[str, object]:
        """Of a run, by its number among those with stages; None: it has none."""
        if self._rails and number is not None:
            return self._measured(self._stages + number)
        return self._modeled("memories and operations" if self._macs else "memories", counted,
                              self._macs)

    def _measured(self, at: int) -> dict[str, object]:
        return {"kind": "measured", "by": self._meter,
                "rails": {rail.rail: _amount(rail, at) for rail in self._rails}}

    def _modeled(self, what: str, counted: Counted, macs: int) -> dict[str, object]:
        found = modeled(self._costs, counted, macs)
        return {"kind": found.label, "by": self._costs.name,
                "rails": {what: {"J": found.value, "error": found.error}}}


def _amount(rail: RailEnergy, at: int) -> dict[str, float] | None:
    """None where the meter has not one sample."""
    value, error = float(rail.value[at]), float(rail.error[at])
    if rail.missing[at] >= rail.seconds[at] > 0 or not math.isfinite(value + error):
        return None
    return {rail.unit: value, "error": error}


@dataclass(slots=True)
class _Runs:
    """Runs of a device, one after the other; `at` and `number` are of the next one's stages."""

    stages: Stages
    drawn: Slices
    energy: _Energy
    names: list[str]
    maps: Sequence[MapInfo]
    at: int = field(default=0, init=False)
    number: int = field(default=0, init=False)

    def events(self, run: RecordedRun, start: int, stop: int) -> Iterator[TraceEvent]:
        """A run's slice, its stages', and what they moved per second."""
        count = max(len(run.stages) - 1, 0)
        yield _slice(f"run {run.number}" if run.number >= 0 else "run", RUNS, start, stop,
                     self._of_run(run, self.number if count else None))
        for i in range(count):
            yield from self._stage(run, i, self.at + i)
        if count:
            yield _counter("bytes per second", DEVICE, stop, dict.fromkeys(MOVED, 0.0))
        self.at, self.number = self.at + count, self.number + (count > 0)

    def _of_run(self, run: RecordedRun, number: int | None) -> TraceEvent:
        found: TraceEvent = {"missed_events": run.missed, "status": "no end was recorded"}
        if run.end:
            found |= {"status": run.end.status, "ticks": run.end.ticks,
                      "fast_bytes_high_water": run.end.fast_high_water,
                      "outputs_sha256": run.end.outputs_sha256.hex(),
                      "energy": self.energy.of_run(number, run.end.counted)}
        if run.maps is not None:
            found["bits_per_value"] = {
                label(i, one.name): one.bits_per_value
                for i, one in enumerate(traffic(self.maps, [run.maps]))}
        return found

    def _stage(self, run: RecordedRun, i: int, at: int) -> Iterator[TraceEvent]:
        counted = run.stages[i + 1].counted.since(run.stages[i].counted)
        moved = {key: getattr(counted, f"{key}_bytes") for key in MOVED}
        name = self.names[i] if i < len(self.names) else "stage"
        start, stop = int(self.drawn.start[at]), int(self.drawn.stop[at])
        alignment = self.stages.alignment
        yield _slice(label(i, name), STAGES, start, stop, {
            "run": run.number, "stage": i, "name": name,
            **{f"{key}_bytes": value for key, value in moved.items()},
            "ticks": run.stages[i + 1].ticks - run.stages[i].ticks,
            "energy": self.energy.of_stage(at, counted),
            "alignment": alignment.method, "alignment_error_s": alignment.error})
        seconds = float(self.stages.stop[at] - self.stages.start[at])
        yield _counter("bytes per second", DEVICE, start, {
            key: value / seconds if seconds > 0 else 0.0 for key, value in moved.items()})


def _power(channel: SampleChannel, process: int, points: int) -> Iterator[TraceEvent]:
    """Mean, least and greatest of each rail in equal pieces of time; nothing where no sample is."""
    for number in measured_columns(channel):
        column = channel.columns[number]
        name = f"{clip(column.rail)} ({UNITS[column.quantity]})"
        drawn = channel.envelope(number, buckets=max(1, min(points, channel.count)))
        for at in np.flatnonzero(np.isfinite(drawn.mean)):
            yield _counter(name, process, moment(float(drawn.edges[at])), {
                "mean": float(drawn.mean[at]), "low": float(drawn.low[at]),
                "high": float(drawn.high[at])})


def _slice(name: str, thread: int, start: int, stop: int, arguments: Mapping[str, object]
           ) -> TraceEvent:
    return {"ph": "X", "name": name, "ts": start, "dur": stop - start, "pid": DEVICE,
            "tid": thread, "args": dict(arguments)}


def _counter(name: str, process: int, time: int, values: Mapping[str, float]) -> TraceEvent:
    return {"ph": "C", "name": name, "ts": time, "pid": process, "args": dict(values)}


def _name(kind: str, process: int, thread: int, name: str) -> TraceEvent:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": clip(name)}}
