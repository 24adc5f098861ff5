# SPDX-License-Identifier: Apache-2.0
"""What tans learns its tables from, and quick_fit.py the samples and the clustering of channels.

The integer predictions, distances and activities are those of `static.py`, for all values of a
sample at once. A histogram of (channel, class, distance) then says what any table would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.codecs import rice
from edgefm.codecs.engine.static import CLASSES, GROUP, HEIGHTS, ONE, WEIGHTS
from edgefm.codecs.interface import Rows, RowShape

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SAMPLE_VALUES = 1 << 18
WARM = 3                # rows before a band, so that it begins as in the middle of a map
FIRST_START = 16
RIDGE = 40.0            # samples that the usual taps are worth
USUAL_TAPS = (0.5, 0.45)
MODES = 16              # parameters 0..7, without and with the zero flag
ROUNDS = 12             # of clustering; it settles earlier
MAP_COUNTS = (1, 2, 4, 8)


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """Of every sampled value: what it is, from 0; channel, class, distance without and with zero
    set apart."""

    channels: int
    zero_point: int
    taps: tuple[int, int]
    start: int
    value: Ints
    channel: Ints
    known: Ints
    distance: Ints
    apart: Ints


@dataclass(frozen=True, slots=True, eq=False)
class RowBand:
    """Rows of a map, counted from 0; statistics are taken of those that are `used`."""

    values: Ints
    used: slice


def survey(maps: Sequence[Rows], shape: RowShape) -> Survey:
    """A band of rows of each map, as many as SAMPLE_VALUES allow, seen as the codecs see them."""
    bands = sampled_bands(maps, shape)
    taps = _taps(bands, shape)
    first = [_look(band.values, shape, taps, FIRST_START)[1][band.used] for band in bands]
    start = int(np.clip(np.mean([around.mean() / 2 for around in first]), 1, 255))
    columns = [_columns(band, shape, *_look(band.values, shape, taps, start)) for band in bands]
    value, channel, known, distance, apart = (np.concatenate(c) for c in zip(*columns, strict=True))
    return Survey(shape.channels, shape.zero_point, taps, start, value, channel, known, distance,
                  apart)


def sampled_bands(maps: Sequence[Rows], shape: RowShape) -> list[RowBand]:
    """A band of rows of each map, as many as SAMPLE_VALUES allow."""
    rows = max(2, SAMPLE_VALUES // (len(maps) * shape.values))
    return [_band(m, i, rows) for i, m in enumerate(maps)]


def _columns(band: RowBand, shape: RowShape, prediction: Ints, around: Ints) -> tuple[Ints, ...]:
    values, prediction = band.values[band.used], prediction[band.used]
    channel = np.broadcast_to(np.arange(shape.channels), values.shape)
    known = HEIGHTS * _log2(around[band.used] + 1) + _log2(prediction + 1)
    found = values, channel, known, _fold(values, prediction, 0), _fold(values, prediction, 1)
    return tuple(a.reshape(-1) for a in found)


def _band(values: Rows, number: int, rows: int) -> RowBand:
    """Rows of one map, another part of each; above them some that are only looked back to."""
    first = number * 7919 % max(len(values) - rows, 1)
    above = min(first, WARM)
    return RowBand(values[first - above:first + rows].astype(np.int64) + 128, slice(above, None))


def _neighbors(band: Ints, shape: RowShape) -> tuple[Ints, Ints]:
    north = np.empty_like(band)
    north[1:], north[0] = band[:-1], shape.zero_point + 128
    west = np.empty_like(band)
    west[:, 1:], west[:, 0] = band[:, :-1], north[:, 0]
    return west, north


def _taps(bands: Sequence[RowBand], shape: RowShape) -> tuple[int, int]:
    """Least squares over all channels, calm places counting as much as busy ones; taps >= 0 whose
    sum is at most 64."""
    square, mixed = RIDGE * np.eye(2), RIDGE * np.array(USUAL_TAPS)
    zero = shape.zero_point + 128
    for band in bands:
        west, north = _neighbors(band.values, shape)
        corner = np.empty_like(west)
        corner[:, 1:], corner[:, 0] = north[:, :-1], north[:, 0]
        busy = np.abs(north - corner) + np.abs(west - corner)
        trust = (1 / (busy + busy.mean((0, 1)) + 2))[band.used]
        w, n, v = (((a[band.used] - zero) * trust).reshape(-1)
                   for a in (west, north, band.values))
        square = square + np.array([[w @ w, w @ n], [n @ w, n @ n]])
        mixed = mixed + np.array([w @ v, n @ v])
    taps = np.maximum(np.linalg.solve(square, mixed), 0)
    taps = np.floor(taps * ONE / max(float(taps.sum()), 1.0) + 0.5).astype(int)
    if taps.sum() > ONE:
        taps[taps.argmax()] -= taps.sum() - ONE
    return int(taps[0]), int(taps[1])


def _look(band: Ints, shape: RowShape, taps: tuple[int, int], start: int) -> tuple[Ints, Ints]:
    """Predictions, and the activity around each value, as the codecs compute them."""
    west, north = _neighbors(band, shape)
    offset = (shape.zero_point + 128) * (ONE - sum(taps)) + ONE // 2
    prediction = (taps[0] * west + taps[1] * north + offset) // ONE
    flag = shape.zero_point == -128
    distance = np.where(flag & (band == 0), 2 * prediction, _fold(band, prediction, 0))
    height, width, channels = band.shape
    groups = -(-width // GROUP)
    activity = np.full((groups, channels), start, np.int64)
    around = np.empty_like(band)
    for y in range(height):
        before = activity[0].copy()
        for g in range(groups):
            part = distance[y, g * GROUP:(g + 1) * GROUP]
            near = before + activity[min(g + 1, groups - 1)]
            around[y, g * GROUP:(g + 1) * GROUP] = near
            before = np.minimum((32 * near + WEIGHTS[len(part) - 1] * part.sum(0)) >> 7, 255)
            activity[g] = before
    return prediction, around


def _log2(v: Ints) -> Ints:
    return np.asarray(np.frexp(v.astype(np.float64))[1] - 1, np.int64)


def _fold(value: Ints, prediction: Ints, low: int) -> Ints:
    e = value - prediction
    both = np.where(e >= 0, 2 * e, -2 * e - 1)
    return np.maximum(np.where(e > prediction - low, value - low, both), 0)


def _rice_bits(distance: Ints, k: int) -> Ints:
    steps = distance >> k
    return np.where(steps < rice.LONGEST, steps + 1 + k, rice.LONGEST + rice.ESCAPE_BITS)


def mode_costs(seen: Survey) -> Floats:
    """Bits by [channel, class, mode]; modes that are not allowed cost infinitely much."""
    where, size = seen.channel * CLASSES + seen.known, seen.channels * CLASSES
    costs = np.full((size, MODES), np.inf)
    for k in range(8):
        costs[:, k] = np.bincount(where, _rice_bits(seen.distance, k), size)
        if seen.zero_point == -128:
            bits = 1 + (seen.value > 0) * _rice_bits(seen.apart, k)
            costs[:, 8 + k] = np.bincount(where, bits, size)
    return costs.reshape(seen.channels, CLASSES, MODES)


def cluster(costs: Floats, count: int) -> tuple[npt.NDArray[np.intp], float]:
    """Which of `count` class maps each channel has, so that they cost little; and their bits."""
    channels = len(costs)
    which = np.empty(channels, np.intp)
    which[np.argsort(costs.min(2).sum(1))] = np.arange(channels) * count // channels
    bits = np.inf
    for _ in range(ROUNDS):
        best = np.stack([costs[which == t].sum(0).argmin(1) for t in range(count)])
        each = np.stack([np.take_along_axis(costs, best[t][None, :, None], 2).sum((1, 2))
                         for t in range(count)], 1)
        which = each.argmin(1)
        if each.min(1).sum() >= bits:
            break
        bits = float(each.min(1).sum())
    return which, bits
