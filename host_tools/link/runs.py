# SPDX-License-Identifier: Apache-2.0
"""A device's answers about a run, typed: its end and outputs, or all its events. No I/O."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edgefm.network.graph import Array
from edgefm.package.counters import MapCounters
from host_tools.link.events import EventMessage, Maps, RunBegin, RunEnd, StageBegin, join_maps
from host_tools.link.frames import Status


@dataclass(frozen=True, slots=True, eq=False)
class Run:
    """The result of a run; `outputs` is None if the device had no room to keep them.

    `maps` is None if the device was not asked to count by map, cannot do so, or had no room.
    """

    end: RunEnd
    outputs: list[Array] | None
    maps: tuple[MapCounters, ...] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """One run's events: `stages` has one more than there are stages, its end.

    `maps` is None if the device does not count by map or had no room.
    """

    begin: RunBegin
    stages: tuple[StageBegin, ...]
    end: RunEnd
    maps: tuple[MapCounters, ...] | None = None


def whole_profile(events: Sequence[EventMessage]) -> Profile | None:
    """The profile from the events of one run, if none of them is missing."""
    begin = next((e for e in events if isinstance(e, RunBegin)), None)
    end = next((e for e in events if isinstance(e, RunEnd)), None)
    stages = tuple(e for e in events if isinstance(e, StageBegin))
    if begin is None or end is None or {begin.run, *(s.run for s in stages)} != {end.run}:
        return None
    if end.status == Status.OK and [s.stage for s in stages] != list(range(begin.stages + 1)):
        return None
    return Profile(begin, stages, end, join_maps([e for e in events if isinstance(e, Maps)]))
