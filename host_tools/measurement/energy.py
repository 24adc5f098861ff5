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
from host_tools.recording.chunks import Floats, Ints
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


@dataclass(frozen=True, slots=True, eq=False)
class RailEnergy:
    """One rail over each of n intervals, in `unit`: its value and the three parts of its error [n];
    `seconds` that an interval has, and `missing` of them for which there are no samples [n]."""

    rail: str
    unit: str
    value: Floats
    alignment_error: Floats
    noise_error: Floats
    gap_error: Floats
    seconds: Floats
    missing: Floats

    @property
    def error(self) -> Floats:
        """The three parts, added [n]."""
        return self.alignment_error + self.noise_error + self.gap_error


@dataclass(frozen=True, slots=True)
class StageEnergy:
    """One stage on one rail, the mean over `runs` runs.

    `error` is the uncertainty of the value: the three parts below, added. `unit` is J, or C where
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
    rails = measure(channel, stages)
    if not rails:
        return None
    which = np.concatenate([stages.stage, np.full(len(_whole_runs(stages)), -1)])
    rows = [_row(int(stage), rail, which == stage) for rail in rails for stage in np.unique(which)]
    return EnergyTable(channel.name, tuple(rows), stages.alignment)


def measured_columns(channel: SampleChannel) -> list[int]:
    """The columns of power; those of current where the meter knows no volts."""
    kinds = [column.quantity for column in channel.columns]
    wanted = "watts" if "watts" in kinds else "amperes"
    return [i for i, kind in enumerate(kinds) if kind == wanted]


def measure(channel: SampleChannel, stages: Stages) -> list[RailEnergy]:
    """Energy of every stage of every run, then of whole runs, on each rail; [] without stages."""
    if not stages.count:
        return []
    runs = _whole_runs(stages)
    starts = np.concatenate([stages.start, stages.start[runs[:, 0]]])
    stops = np.concatenate([stages.stop, stages.stop[runs[:, 1]]])
    return [_measure(channel, number, starts, stops, stages.alignment.error)
            for number in measured_columns(channel)]


def _measure(channel: SampleChannel, number: int, starts: Floats, stops: Floats, error: float
             ) -> RailEnergy:
    three = integrate(channel, number, np.concatenate([starts, starts - error, starts + error]),
                      np.concatenate([stops, stops - error, stops + error]))
    count = len(starts)
    value, covered, samples, noise = (part[:count] for part in (
        three.value, three.covered, three.samples, three.noise))
    early, late = three.value[count:2 * count], three.value[2 * count:]
    shift = np.maximum(np.abs(early - value), np.abs(late - value))
    missing = np.maximum(stops - starts - covered, 0)
    missing[missing < 1e-9] = 0
    mean_power = np.divide(value, covered, out=np.zeros_like(value), where=covered > 0)
    steps = np.divide(covered, samples, out=np.zeros_like(covered), where=samples > 0)
    column = channel.columns[number]
    return RailEnergy(column.rail, UNITS[column.quantity], value, shift,
                    np.sqrt(noise * np.maximum(samples, 1)) * steps, missing * mean_power,
                    stops - starts, missing)


def _whole_runs(stages: Stages) -> Ints:
    """First and last stage [r, 2] of each run."""
    first = np.flatnonzero(stages.stage == 0)
    return np.stack([first, np.append(first[1:], stages.count) - 1], axis=1)


def _row(stage: int, found: RailEnergy, mine: NDArray[np.bool_]) -> StageEnergy:
    value, noise = found.value[mine], found.noise_error[mine]
    runs = len(value)
    among = float(np.std(value, ddof=1)) / np.sqrt(runs) if runs > 1 else 0.0
    noise_error = max(float(np.sqrt((noise ** 2).sum()) / runs), among)
    alignment_error, gap_error, seconds, missing = (float(part[mine].mean()) for part in (
        found.alignment_error, found.gap_error, found.seconds, found.missing))
    return StageEnergy(stage, found.rail, found.unit, float(value.mean()),
                       alignment_error + noise_error + gap_error, alignment_error, noise_error,
                       gap_error, seconds, missing, runs)
