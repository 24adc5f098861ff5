# SPDX-License-Identifier: Apache-2.0
"""Energy per stage: the integral of measured power over each stage, with its error.

A sample stands for the time from half-way to the one before to half-way to the one behind; next
to a gap for half the usual distance. Gaps are not filled: what is missing is in the error.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from host_tools.measurement.align import Alignment, Stages, align
from host_tools.recording.channels import SampleChannel
from host_tools.recording.chunks import Column, Floats, Ints
from host_tools.recording.reader import Recording
from host_tools.recording.views import Samples

UNITS = {"watts": "J", "amperes": "C"}


@dataclass(frozen=True, slots=True, eq=False)
class Integrals:
    """Over each of n intervals: the integral, s that samples cover, samples, mean square noise."""

    value: Floats
    covered: Floats
    samples: Floats
    noise: Floats


@dataclass(frozen=True, slots=True)
class StageEnergy:
    """One stage on one rail, the mean over `runs` runs.

    `error` is what the value may be off by: the three parts below, added. `unit` is J, or C where
    the meter knows no volts.
    """

    stage: int
    rail: str
    unit: str
    value: float
    error: float
    alignment_error: float
    noise_error: float
    gap_error: float
    seconds: float
    missing_seconds: float
    runs: int


@dataclass(frozen=True, slots=True)
class EnergyTable:
    """Measured energy of every stage, and of whole runs (stage -1), on every rail."""

    meter: str
    rows: tuple[StageEnergy, ...]
    alignment: Alignment


def integrate(channel: SampleChannel, column: int, starts: Floats, stops: Floats) -> Integrals:
    """Integrals of a column over intervals [n] (s), in one pass over the samples."""
    queries, inverse = np.unique(np.concatenate([starts, stops]), return_inverse=True)
    sums = np.zeros((4, len(queries)))
    carried = np.zeros(4)
    before: tuple[float, float, int] | None = None
    spacing = _spacing(channel)
    for piece in channel.chunks():
        if not len(queries):
            break
        knots, steps = _steps(piece, column, before, spacing)
        total = carried[:, None] + np.concatenate([np.zeros((4, 1)), steps.cumsum(axis=1)], axis=1)
        low, high = np.searchsorted(queries, [knots[0], knots[-1]])
        for row in range(4):
            sums[row, low:high] = np.interp(queries[low:high], knots, total[row])
        carried = total[:, -1]
        sums[:, high:] = carried[:, None]
        before = float(piece.times[-1]), float(piece.values[column, -1]), int(piece.index[-1])
    if before:  # the half sample behind the last
        _finish(sums, carried, queries, before, spacing)
    parts = sums[:, inverse]
    value, covered, samples, square = parts[:, len(starts):] - parts[:, :len(starts)]
    noise = np.divide(square, 2 * samples, out=np.zeros_like(square), where=samples > 0)
    return Integrals(value, covered, samples, noise)


def _spacing(channel: SampleChannel) -> float:
    """Usual distance (s) of samples."""
    if channel.rate:
        return 1 / channel.rate
    span = channel.span or (0.0, 0.0)
    return (span[1] - span[0]) / max(channel.count + channel.lost - 1, 1) or 1.0


def _steps(piece: Samples, column: int, before: tuple[float, float, int] | None, spacing: float
           ) -> tuple[Floats, Floats]:
    """Knots in time [k + 1], and what each of four sums grows by in between [4, k].

    A piece begins half a sample before its first and ends at its last sample's time: the half
    behind belongs to the next piece, which knows whether there is a gap.
    """
    times, values, index = piece.times, piece.values[column], piece.index
    if before is None:
        before = float(times[0]) - spacing, float(values[0]), int(index[0]) - 2
    times = np.concatenate([[before[0]], times])
    values = np.concatenate([[before[1]], values])
    index = np.concatenate([[before[2]], index])
    gap = (np.diff(index) != 1) | (np.diff(times) > 8 * spacing)
    middle = (times[:-1] + times[1:]) / 2
    behind = np.where(gap, np.minimum(times[:-1] + spacing / 2, middle), middle)
    ahead = np.where(gap, np.maximum(times[1:] - spacing / 2, middle), middle)
    knots = np.maximum.accumulate(
        np.stack([times[:-1], behind, ahead, times[1:]], axis=1).ravel())
    if index[1] - index[0] == 2 and before[0] == times[1] - spacing:
        knots[:2] = knots[2]  # nothing is known in front of the very first sample
    width = np.diff(knots).reshape(-1)
    power, one = np.zeros(len(width)), np.zeros(len(width))
    power[0::4], power[2::4] = values[:-1], values[1:]
    one[0::4] = one[2::4] = 1
    count, square = np.zeros(len(width)), np.zeros(len(width))
    count[2::4] = 1
    square[2::4] = np.where(gap, 0, np.diff(values) ** 2)
    return knots, np.stack([power * width, one * width, count, square])


def _finish(sums: Floats, carried: Floats, queries: Floats, before: tuple[float, float, int],
            spacing: float) -> None:
    rest = np.clip(queries - before[0], 0, spacing / 2)
    late = queries >= before[0]
    sums[0, late] = carried[0] + before[1] * rest[late]
    sums[1, late] = carried[1] + rest[late]


def energy_by_stage(recording: Recording, meter: str | None = None, bit: int = 0
                    ) -> EnergyTable | None:
    """Energy of each stage as a meter of the recording measured it; the first meter by default.

    None when there is no meter, or no run with all its events. Raises KeyError.
    """
    names = list(recording.samples)
    if not names:
        return None
    channel = recording.samples[meter or names[0]]
    stages = align(recording, channel, bit)
    measured = [(i, c) for i, c in enumerate(channel.columns) if c.quantity == "watts"] or \
        [(i, c) for i, c in enumerate(channel.columns) if c.quantity == "amperes"]
    if not stages.count or not measured:
        return None
    rows: list[StageEnergy] = []
    for number, column in measured:
        rows += _rows(channel, number, column, stages)
    return EnergyTable(channel.name, tuple(rows), stages.alignment)


def _rows(channel: SampleChannel, number: int, column: Column, stages: Stages
          ) -> list[StageEnergy]:
    starts, stops, error = stages.start, stages.stop, stages.alignment.error
    runs = _whole_runs(stages)
    all_starts = np.concatenate([starts, starts[runs[:, 0]]])
    all_stops = np.concatenate([stops, stops[runs[:, 1]]])
    three = integrate(channel, number, np.concatenate(
        [all_starts, all_starts - error, all_starts + error]), np.concatenate(
        [all_stops, all_stops - error, all_stops + error]))
    count = len(all_starts)
    found = Integrals(three.value[:count], three.covered[:count], three.samples[:count],
                      three.noise[:count])
    early, late = three.value[count:2 * count], three.value[2 * count:]
    shift = np.maximum(np.abs(early - found.value), np.abs(late - found.value))
    which = np.concatenate([stages.stage, np.full(len(runs), -1)])
    return [_row(int(stage), column, found, shift, all_stops - all_starts, which == stage)
            for stage in np.unique(which)]


def _whole_runs(stages: Stages) -> Ints:
    """First and last stage [r, 2] of each run."""
    first = np.flatnonzero(stages.stage == 0)
    return np.stack([first, np.append(first[1:], stages.count) - 1], axis=1)


def _row(stage: int, column: Column, found: Integrals, shift: Floats, length: Floats,
         mine: NDArray[np.bool_]) -> StageEnergy:
    value, covered, seconds = found.value[mine], found.covered[mine], length[mine]
    runs = len(value)
    missing = np.maximum(seconds - covered, 0)
    missing[missing < 1e-9] = 0
    mean_power = np.divide(value, covered, out=np.zeros_like(value), where=covered > 0)
    steps = np.divide(covered, found.samples[mine], out=np.zeros_like(covered),
                      where=found.samples[mine] > 0)
    noise = np.sqrt(found.noise[mine] * np.maximum(found.samples[mine], 1)) * steps
    among = float(np.std(value, ddof=1)) / np.sqrt(runs) if runs > 1 else 0.0
    noise_error = max(float(np.sqrt((noise ** 2).sum()) / runs), among)
    gap_error, alignment_error = float((missing * mean_power).mean()), float(shift[mine].mean())
    return StageEnergy(stage, column.rail, UNITS[column.quantity], float(value.mean()),
                       alignment_error + noise_error + gap_error, alignment_error, noise_error,
                       gap_error, float(seconds.mean()), float(missing.mean()), runs)
