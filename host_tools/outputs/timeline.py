# SPDX-License-Identifier: Apache-2.0
"""Runs and stages as a viewer of traces can draw them: in whole µs, one after the other.

Viewers drop a slice that begins in another one and ends behind it. Times by link may give such:
each is off by as much as its event came late, and a device's timer need not go as the host's clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from edgefm.console.names import short
from host_tools.measurement.align import Stages
from host_tools.measurement.runs import read_runs
from host_tools.recording.channels import EventChannel
from host_tools.recording.chunks import Floats, Ints

MICRO = 1e6
FAR = 1 << 52       # µs: 140 years, whole in every reader's numbers
NAME_MOST = 40      # characters


@dataclass(frozen=True, slots=True, eq=False)
class Slices:
    """n slices of one track, none of which overlaps the next; µs [n]."""

    start: Ints
    stop: Ints

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self.start.tolist(), self.stop.tolist(), strict=True)


def lay_out(stages: Stages) -> Slices:
    """Every stage of every whole run.

    An event may come late, but never early: where a stage would end behind the next one's begin,
    it is drawn earlier, by at most the error of its time. What then is too long still ends there.
    """
    start = np.maximum.accumulate(_finite(stages.start))
    took = np.maximum(_finite(stages.stop) - _finite(stages.start), 0)
    begin, shares = start.tolist(), took.tolist()
    earliest = np.maximum(start - stages.alignment.error, 0).tolist()
    for i in range(len(begin) - 2, -1, -1):
        begin[i] = max(earliest[i], min(begin[i], begin[i + 1] - shares[i]))
    first, last = _micro(np.array(begin)), _micro(np.array(begin) + took)
    return Slices(first, _before_next(first, last))


def lay_out_runs(device: EventChannel, stages: Slices) -> Slices:
    """Every run: about its stages, or when its events came, as far as its neighbors leave room."""
    starts, stops, staged, at = [], [], [], 0
    for run in read_runs(device):
        count = max(len(run.stages) - 1, 0)
        came = _micro(_finite(np.array([run.began, run.ended])))
        starts.append(stages.start[at] if count else came[0])
        stops.append(stages.stop[at + count - 1] if count else came[1])
        staged.append(count > 0)
        at += count
    return _between(np.array(starts, np.int64), np.array(stops, np.int64), np.array(staged, bool))


def moment(seconds: float) -> int:
    """A time in whole µs, not before the recording's begin."""
    return int(_micro(_finite(np.array([seconds])))[0])


def label(number: int, name: str) -> str:
    """A short name that no other has: the number, and a tensor's own name or those of a stage's
    first and last."""
    first, between, last = name.partition(" .. ")
    most = (NAME_MOST - len(between)) // 2 if between else NAME_MOST
    return f"{number} {clip(short(first), most)}{between}{clip(short(last), most)}".rstrip()


def clip(text: str, most: int = NAME_MOST) -> str:
    """The end of a text, which tells tensors apart, as one short line."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= most else f"…{line[1 - most:]}"


def _between(start: Ints, stop: Ints, fixed: NDArray[np.bool_]) -> Slices:
    """Those that are `fixed` stay, as they do not overlap; the others move between them."""
    low = np.maximum.accumulate(np.where(fixed, stop, 0))
    high = np.minimum.accumulate(np.where(fixed, start, FAR)[::-1])[::-1]
    first = np.maximum.accumulate(np.where(fixed, start, np.clip(start, low, high)))
    return Slices(first, _before_next(first, stop))


def _before_next(start: Ints, stop: Ints) -> Ints:
    """Stops that are neither behind the next start nor before their own."""
    found: Ints = np.maximum(start, np.minimum(stop, np.append(start[1:], FAR)))
    return found


def _finite(seconds: Floats) -> Floats:
    return np.clip(np.nan_to_num(seconds), 0, FAR / MICRO)


def _micro(seconds: Floats) -> Ints:
    found: Ints = np.minimum(np.rint(seconds * MICRO), FAR).astype(np.int64)
    return found
