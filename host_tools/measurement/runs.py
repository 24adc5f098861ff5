# SPDX-License-Identifier: Apache-2.0
"""Runs of a device out of a recording's events: when each stage began, what it moved."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from edgefm.errors import BadMessage
from edgefm.package.counters import MapCounters
from host_tools.link.events import Log, Maps, RunBegin, RunEnd, StageBegin, join_maps, read_event
from host_tools.recording.channels import EventChannel


@dataclass(frozen=True, slots=True)
class RecordedRun:
    """One run; times are s of the recording when the event came.

    `stages` has one more than there are stages, the end of the last; it is empty when an event of
    the run is missing, as times cannot be matched to stages then. `maps` is what crossed for
    each stored map, None where the device did not say, or an event of it is missing.
    """

    begin: RunBegin | None
    end: RunEnd | None
    stages: tuple[StageBegin, ...]
    arrived: tuple[float, ...]
    began: float
    ended: float
    missed: int
    maps: tuple[MapCounters, ...] | None = None

    @property
    def is_whole(self) -> bool:
        """True for a run that went well and of which every event but those of maps is there."""
        return bool(self.stages) and self.end is not None and self.end.status == 0

    @property
    def number(self) -> int:
        """The device's number of the run."""
        some = self.begin or self.end
        return some.run if some else -1


def read_runs(channel: EventChannel, start: float = float("-inf"), stop: float = float("inf")
              ) -> Iterator[RecordedRun]:
    """Every run, in order, one at a time. Events that this host does not know are passed over."""
    run = _Run(0.0)
    for event in channel.read(start, stop):
        run.missed += event.missed
        try:
            message = read_event(event.payload)
        except BadMessage:
            continue
        if isinstance(message, RunBegin):
            if run.begin:
                yield run.finish()
            run = _Run(event.time, message)
        elif isinstance(message, StageBegin):
            run.stages.append(message)
            run.arrived.append(event.time)
        elif isinstance(message, Maps):
            run.maps.append(message)
        elif isinstance(message, RunEnd):
            run.end, run.ended = message, event.time
            yield run.finish()
            run = _Run(event.time)
    if run.begin:
        yield run.finish()


def read_logs(channel: EventChannel) -> Iterator[tuple[float, str]]:
    """Lines that the device said, with their times (s)."""
    for event in channel.read():
        try:
            message = read_event(event.payload)
        except BadMessage:
            continue
        if isinstance(message, Log):
            yield event.time, message.text


def count_unknown(channel: EventChannel) -> int:
    """Events that this host cannot read: of a firmware that it does not know."""
    unknown = 0
    for event in channel.read():
        try:
            read_event(event.payload)
        except BadMessage:
            unknown += 1
    return unknown


class _Run:
    """A run that is being put together."""

    def __init__(self, began: float, begin: RunBegin | None = None) -> None:
        self.began = self.ended = began
        self.begin = begin
        self.end: RunEnd | None = None
        self.stages: list[StageBegin] = []
        self.arrived: list[float] = []
        self.maps: list[Maps] = []
        self.missed = 0

    def finish(self) -> RecordedRun:
        count = self.begin.stages if self.begin else -1
        numbers = [(stage.run, stage.stage) for stage in self.stages]
        run = self.begin.run if self.begin else -1
        whole = numbers == [(run, i) for i in range(count + 1)] and (
            self.end is None or self.end.run == run)
        return RecordedRun(self.begin, self.end, tuple(self.stages) if whole else (),
                           tuple(self.arrived) if whole else (), self.began,
                           self.arrived[-1] if self.end is None and self.arrived else self.ended,
                           self.missed,
                           join_maps(self.maps) if all(m.run == run for m in self.maps) else None)
