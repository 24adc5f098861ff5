# SPDX-License-Identifier: Apache-2.0
"""A recording as Chrome trace JSON, for ui.perfetto.dev: stages as slices, the rest as counters.

Written event by event: a recording of any length takes bounded memory.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import IO, Any

import numpy as np

from edgefm.package.traffic import MapInfo, traffic
from host_tools.measurement.about import mapping, stage_names, stored_maps
from host_tools.measurement.align import Stages, align
from host_tools.measurement.runs import RecordedRun, read_logs, read_runs
from host_tools.recording.channels import SampleChannel
from host_tools.recording.reader import Recording

DEVICE, METER = 1, 2        # process numbers in the trace
RUNS, STAGES = 1, 2         # thread numbers
POINTS = 20_000             # of each power counter
MICRO = 1e6

Event = dict[str, Any]


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


def trace_events(recording: Recording, points: int = POINTS) -> Iterator[Event]:
    """Metadata, slices of runs and stages, bytes per second, power."""
    device = recording.events.get("device")
    meter = next(iter(recording.samples.values()), None)
    board = mapping(recording.meta.get("device")).get("board", "device")
    yield _name("process_name", DEVICE, 0, str(board))
    yield _name("thread_name", DEVICE, RUNS, "runs")
    yield _name("thread_name", DEVICE, STAGES, "stages")
    if device:
        stages = align(recording, meter)
        names, maps = stage_names(recording.meta), stored_maps(recording.meta)
        at = 0
        for run in read_runs(device):
            yield from _run_events(run, stages, at, names, maps)
            at += max(len(run.stages) - 1, 0)
        for time, text in read_logs(device):
            yield {"ph": "i", "name": text, "ts": time * MICRO, "pid": DEVICE, "tid": RUNS,
                   "s": "p"}
    for number, channel in enumerate(recording.samples.values()):
        yield _name("process_name", METER + number, 0, channel.name)
        yield from _power(channel, METER + number, points)


def _run_events(run: RecordedRun, stages: Stages, at: int, names: list[str],
                maps: Sequence[MapInfo]) -> Iterator[Event]:
    """A run's slice, its stages', and what they moved per second."""
    count = max(len(run.stages) - 1, 0)
    began, ended = run.began, run.ended
    if count:
        began, ended = float(stages.start[at]), float(stages.stop[at + count - 1])
    arguments: dict[str, object] = {"missed_events": run.missed}
    if run.end:
        arguments |= {"status": run.end.status, "ticks": run.end.ticks,
                      "fast_bytes_high_water": run.end.fast_high_water,
                      "outputs_sha256": run.end.outputs_sha256.hex()}
    if run.maps is not None:
        arguments["bits_per_value"] = {one.name: one.bits_per_value
                                       for one in traffic(maps, [run.maps])}
    yield _slice(f"run {run.number}", RUNS, began, ended, arguments)
    for i in range(count):
        moved = run.stages[i + 1].counted.since(run.stages[i].counted)
        start, stop = float(stages.start[at + i]), float(stages.stop[at + i])
        bytes_moved = {"external_read": moved.external_read_bytes,
                       "external_write": moved.external_write_bytes,
                       "weight_read": moved.weight_read_bytes}
        name = names[i] if i < len(names) else f"stage {i}"
        yield _slice(name, STAGES, start, stop, {
            "run": run.number, "stage": i, **{f"{k}_bytes": v for k, v in bytes_moved.items()},
            "ticks": run.stages[i + 1].ticks - run.stages[i].ticks,
            "alignment": stages.alignment.method, "alignment_error_s": stages.alignment.error})
        seconds = stop - start
        rates = {k: v / seconds if seconds > 0 else 0.0 for k, v in bytes_moved.items()}
        yield _counter("bytes per second", DEVICE, start, rates)
    if count:
        yield _counter("bytes per second", DEVICE, ended, dict.fromkeys(
            ("external_read", "external_write", "weight_read"), 0.0))


def _power(channel: SampleChannel, process: int, points: int) -> Iterator[Event]:
    """Mean, least and greatest of each rail in equal pieces of time; nothing where no sample is."""
    wanted = [(i, c, "W") for i, c in enumerate(channel.columns) if c.quantity == "watts"] or \
        [(i, c, "A") for i, c in enumerate(channel.columns) if c.quantity == "amperes"]
    for number, column, unit in wanted:
        drawn = channel.envelope(number, buckets=max(1, min(points, channel.count)))
        for at in np.flatnonzero(np.isfinite(drawn.mean)):
            yield _counter(f"{column.rail} ({unit})", process, float(drawn.edges[at]),
                           {"mean": float(drawn.mean[at]), "low": float(drawn.low[at]),
                            "high": float(drawn.high[at])})


def _slice(name: str, thread: int, start: float, stop: float, arguments: Mapping[str, object]
           ) -> Event:
    return {"ph": "X", "name": name, "ts": start * MICRO, "dur": max(stop - start, 0.0) * MICRO,
            "pid": DEVICE, "tid": thread, "args": dict(arguments)}


def _counter(name: str, process: int, time: float, values: Mapping[str, float]) -> Event:
    return {"ph": "C", "name": name, "ts": time * MICRO, "pid": process, "args": dict(values)}


def _name(kind: str, process: int, thread: int, name: str) -> Event:
    return {"ph": "M", "name": kind, "pid": process, "tid": thread, "args": {"name": name}}

