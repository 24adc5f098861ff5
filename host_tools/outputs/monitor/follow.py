# SPDX-License-Identifier: Apache-2.0
"""A growing recording as plain data for the page: state, and power between two times.

Only runs since the last look are read; the last `KEPT` runs are kept for stage bands. Stages stand
where their events came, less half the shortest round trip: good enough to look at, the report
aligns better.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from typing import Any

import numpy as np

from edgefm.console.names import distinct, short, stage_labels
from edgefm.package.traffic import traffic
from host_tools.measurement.about import (
    listing,
    mapping,
    plan_of,
    recorded_maps,
    stage_names,
    whole_number,
    why_no_maps,
)
from host_tools.measurement.align import round_trip
from host_tools.measurement.costs import Costs, load_costs, modeled
from host_tools.measurement.runs import RecordedRun, read_runs
from host_tools.measurement.summary import PLANNED
from host_tools.recording.channels import SampleChannel
from host_tools.recording.reader import Recording

KEPT = 2000           # runs whose stages can be drawn
MOST_BUCKETS = 2000
MOST_BANDS = 400      # in one answer
MOST_GAPS = 200
RECENT_SECONDS = 0.5  # that "now" is a mean of
MACHINE_UNITS = ("instructions", "cycles", "us")


class Follower:
    """Looks at a recording whenever it is asked; safe to use from several threads."""

    def __init__(self, recording: Recording, costs: Costs | None = None) -> None:
        self._recording, self._costs = recording, costs or load_costs()
        self._runs: deque[RecordedRun] = deque(maxlen=KEPT)
        self._last: RecordedRun | None = None
        self._whole = self._failed = self._missed = 0
        self._after = -math.inf
        self._lock = threading.Lock()
        self.version = 0

    def look(self) -> dict[str, Any]:
        """The state now; `version` rises when something was added since the last look."""
        with self._lock:
            if self._recording.refresh() or self.version == 0:
                self.version += 1
                self._take_runs()
            return self._state()

    def power(self, start: float, stop: float, buckets: int) -> dict[str, Any]:
        """Every rail's least, greatest and mean in equal buckets, stage bands and gaps there.

        Times are s of the recording; where nothing was measured values are None.
        """
        with self._lock:
            buckets = max(1, min(buckets, MOST_BUCKETS))
            rails = [_rail(channel, column, rail, unit, start, stop, buckets)
                     for channel in self._recording.samples.values()
                     for column, rail, unit in _powers(channel)]
            gaps = [[gap.start, gap.end, gap.lost]
                    for channel in self._recording.samples.values()
                    for gap in islice(channel.gaps(start, stop), MOST_GAPS)]
            return {"start": start, "stop": stop, "rails": rails, "gaps": gaps,
                    "bands": self._bands(start, stop)}

    def _take_runs(self) -> None:
        device = self._recording.events.get("device")
        if device is None:
            return
        for run in read_runs(device, self._after):
            if run.end is None:
                continue
            self._runs.append(replace(run, maps=None))
            self._missed += run.missed
            self._failed += run.end.status != 0
            if run.is_whole:
                self._whole += 1
                self._last = run
            self._after = math.nextafter(run.ended, math.inf)

    def _state(self) -> dict[str, Any]:
        recording = self._recording
        meta, device = recording.meta, mapping(recording.meta.get("device"))
        unit = device.get("unit")
        return {
            "version": self.version, "growing": recording.is_growing(),
            "state": str(meta.get("state", "")), "board": str(device.get("board", "")),
            "network": short(str(mapping(meta.get("model")).get("name", ""))),
            "command": str(mapping(meta.get("run")).get("command", "")),
            "known": device.get("known") is not False, "build": str(device.get("build", "")),
            "unit": unit if unit in MACHINE_UNITS else "ticks",
            "span": self._span(), "runs": self._whole, "failed": self._failed,
            "missed": self._missed, "fast_bytes": whole_number(plan_of(meta).get("fast_bytes")),
            "last": self._run(self._last) if self._last else None,
            "now": [now for channel in recording.samples.values() for now in _now(channel)],
            "meters": [{"name": c.name, "samples": c.count, "lost": c.lost, "ended": c.ended}
                       for c in recording.samples.values()],
            "problems": list(recording.problems)}

    def _span(self) -> list[float]:
        """First and last time (s) of anything."""
        spans = [c.span for c in (*self._recording.samples.values(),
                                  *self._recording.events.values()) if c.span]
        return [min(a for a, _ in spans), max(b for _, b in spans)] if spans else [0.0, 0.0]

    def _run(self, run: RecordedRun) -> dict[str, Any]:
        """The last whole run and its stages, as counted on the device."""
        assert run.end
        meta = self._recording.meta
        per_second = whole_number(mapping(meta.get("device")).get("ticks_per_second")) or 0
        plan, maps = plan_of(meta), recorded_maps(meta)
        names, told = stage_labels(stage_names(meta)), distinct(one.name for one in maps)
        planned = listing(plan.get("stages"))
        stages = []
        for i, (a, b) in enumerate(zip(run.stages, run.stages[1:], strict=False)):
            own = mapping(planned[i]) if i < len(planned) else {}
            stages.append(_figures(names[i] if i < len(names) else f"stage {i}", b.ticks - a.ticks,
                                   per_second, asdict(b.counted.since(a.counted)), own))
        macs = whole_number(plan.get("macs")) or 0
        return {"number": run.number, "high_water": run.end.fast_high_water, "stages": stages,
                "total": _figures("whole run", run.end.ticks, per_second,
                                  asdict(run.end.counted), plan),
                "modeled": modeled(self._costs, run.end.counted, macs).value,
                "outputs": run.end.outputs_sha256.hex(),
                "maps": [{**one.to_json(), "name": told[one.name]}
                         for one in traffic(maps, [run.maps] if run.maps else [])],
                "no_maps": why_no_maps(meta) if maps and not run.maps else ""}

    def _bands(self, start: float, stop: float) -> list[list[Any]]:
        """[start, stop, stage] s of stages in a window; none where they would be too many."""
        early = (round_trip(self._recording) or 0.0) / 2
        found = [[a - early, b - early, stage]
                 for run in self._runs if run.stages and run.ended > start and run.began < stop
                 for stage, (a, b) in enumerate(zip(run.arrived, run.arrived[1:], strict=False))
                 if b - early > start and a - early < stop]
        return found if len(found) <= MOST_BANDS else []


def _powers(channel: SampleChannel) -> list[tuple[int, str, str]]:
    return [(i, c.rail, "W") for i, c in enumerate(channel.columns) if c.quantity == "watts"] or \
        [(i, c.rail, "A") for i, c in enumerate(channel.columns) if c.quantity == "amperes"]


def _rail(channel: SampleChannel, column: int, rail: str, unit: str, start: float, stop: float,
          buckets: int) -> dict[str, Any]:
    span = channel.span or (0.0, 0.0)
    rate = channel.rate or channel.count / max(span[1] - span[0], 1e-9)
    drawn = channel.envelope(column, start, stop,
                             max(1, min(buckets, int((stop - start) * rate / 2))))
    return {"meter": channel.name, "rail": rail, "unit": unit, "low": _numbers(drawn.low),
            "high": _numbers(drawn.high), "mean": _numbers(drawn.mean)}


def _now(channel: SampleChannel) -> list[dict[str, Any]]:
    """The last half second of every rail."""
    if channel.span is None:
        return []
    found = []
    for column, rail, unit in _powers(channel):
        last = channel.envelope(column, channel.span[1] - RECENT_SECONDS, channel.span[1], 1)
        found.append({"rail": rail, "unit": unit, "mean": _numbers(last.mean)[0]})
    return found


def _numbers(values: np.ndarray) -> Sequence[float | None]:
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values]


def _figures(name: str, ticks: int, per_second: int, moved: dict[str, int],
             planned: Mapping[str, Any]) -> dict[str, Any]:
    raw = [whole_number(planned.get(key)) for key in PLANNED]
    return {"name": name, "ticks": ticks,
            "seconds": ticks / per_second if per_second else None, **moved,
            "raw_read": raw[0], "raw_write": raw[1]}
