# SPDX-License-Identifier: Apache-2.0
"""Learning rice's quick tables from calibration maps: the integer sums, distances and activities of
`quick.py` for all values of a sample at once, then what each class would cost with each mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.codecs.engine import quick
from edgefm.codecs.engine.quick import (
    ACTIVITIES,
    CLASSES,
    FLAG,
    LARGEST,
    PARAMETER,
    SUMS,
    Quick,
)
from edgefm.codecs.engine.static import GROUP
from edgefm.codecs.fit.static_fit import (
    FIRST_START,
    MAP_COUNTS,
    Floats,
    Ints,
    cluster,
    sampled_bands,
)
from edgefm.codecs.interface import Candidate, Rows, RowShape

PARAMETERS = PARAMETER + 1
LONG = 0.5              # bits that a code counts more when it is not short: it takes longer
WIDE = 64               # rows of more pixels have groups of 8, others of 16


@dataclass(frozen=True, slots=True, eq=False)
class QuickSurvey:
    """Of every sampled value: what it is, from 0; channel, class, distance without and with zero
    set apart."""

    shape: RowShape
    start: int
    value: Ints
    channel: Ints
    known: Ints
    distance: Ints
    apart: Ints


def candidates(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables for rice: plain ones, and growing numbers of class maps."""
    seen = survey(maps, shape)
    costs = mode_costs(seen)
    found = [_classes(seen, costs, count) for count in MAP_COUNTS
             if count == 1 or 2 * count <= seen.shape.channels]
    return sorted([_plain(seen), *found], key=lambda c: len(c.tables))


def survey(maps: Sequence[Rows], shape: RowShape) -> QuickSurvey:
    """The bands of rows that static_fit samples, seen as the codec sees them."""
    bands = sampled_bands(maps, shape)
    first = [_look(band.values, shape, FIRST_START)[1][band.used] for band in bands]
    start = int(np.clip(np.mean([around.mean() / 2 for around in first]), 1, 255))
    columns = []
    for band in bands:
        both, around = (a[band.used] for a in _look(band.values, shape, start))
        value = band.values[band.used]
        channel = np.broadcast_to(np.arange(shape.channels), value.shape)
        known = SUMS * (ACTIVITIES - _digits(around + 1)) + SUMS - 1 - _digits(both)
        columns.append([a.reshape(-1) for a in (value, channel, known, _fold(value, both),
                                                _fold(np.maximum(value - 1, 0), both))])
    value, channel, known, distance, apart = (np.concatenate(c) for c in zip(*columns, strict=True))
    return QuickSurvey(shape, start, value, channel, known, distance, apart)


def group_of(width: int) -> tuple[int, int]:
    """Pixels of a group, as even as can be, and what a distance counts in it: half its mean."""
    most = GROUP if width > WIDE else LARGEST
    size = -(-width // -(-width // most))
    return max(size, GROUP), (64 + size // 2) // size


def _look(band: Ints, shape: RowShape, start: int) -> tuple[Ints, Ints]:
    """Sums of the neighbors, and the activity around each value, as the codec computes them."""
    north = np.empty_like(band)
    north[1:], north[0] = band[:-1], shape.zero_point + 128
    west = np.empty_like(band)
    west[:, 1:], west[:, 0] = band[:, :-1], north[:, 0]
    both = west + north
    distance = _fold(band, both)
    height, width, channels = band.shape
    size, weight = group_of(width)
    activity = np.full((-(-width // size), channels), start, np.int64)
    around = np.empty_like(band)
    for y in range(height):
        before = activity[0].copy()
        for g, group in enumerate(activity):
            part = slice(g * size, (g + 1) * size)
            near = before + group
            around[y, part] = near
            sums = distance[y, part].sum(0)
            before = np.minimum((32 * near + weight * sums) >> 7, 255)
            activity[g] = before
    return both, around


def _digits(v: Ints) -> Ints:
    return np.asarray(np.frexp(v.astype(np.float64))[1], np.int64)


def _zigzag(e: Ints) -> Ints:
    return np.where(e >= 0, 2 * e, -2 * e - 1)


def _fold(value: Ints, both: Ints) -> Ints:
    return np.where(value > both, value, _zigzag(both // 2 - value))


def _bits(u: Ints, k: int) -> Ints:
    return np.where(u >> k == 0, k + 1, 2 * _digits(u) - k)


def _cost(u: Ints, k: int) -> Floats:
    """Bits, and what a code costs that is not short: it takes longer."""
    return _bits(u, k) + LONG * (u >> k > 0)


def mode_costs(seen: QuickSurvey) -> Floats:
    """Costs by [channel, class, mode]; modes that are not allowed cost infinitely much."""
    where, size = seen.channel * CLASSES + seen.known, seen.shape.channels * CLASSES
    costs = np.full((size, 2 * PARAMETERS), np.inf)
    for k in range(PARAMETERS):
        costs[:, k] = np.bincount(where, _cost(seen.distance, k), size)
        if seen.shape.zero_point == -128:
            bits = 1 + (seen.value > 0) * _cost(seen.apart, k)
            costs[:, FLAG + k] = np.bincount(where, bits, size)
    return costs.reshape(seen.shape.channels, CLASSES, 2 * PARAMETERS)


def _classes(seen: QuickSurvey, costs: Floats, count: int) -> Candidate:
    which, bits = cluster(costs, count)
    everywhere = costs.sum(0)
    never = everywhere[:, 0] == 0
    usual = np.clip(ACTIVITIES - 3 - np.arange(CLASSES) // SUMS, 0, PARAMETER)
    maps = []
    for t in range(count):
        own = costs[which == t].sum(0)
        best = np.where(own[:, 0] > 0, own.argmin(1), everywhere.argmin(1))
        maps.append(bytes(np.where(never, usual, best).astype(np.uint8)))
    group, weight = group_of(seen.shape.width)
    tables = Quick(maps=tuple(maps), start=seen.start, group=group, weight=weight,
                   which=bytes(which.astype(np.uint8)) if count > 1 else b"")
    return Candidate(quick.pack(tables), bits / len(seen.known))


def _plain(seen: QuickSurvey) -> Candidate:
    """A parameter and a center, the median, per channel; or a bit of its own for zero."""
    modes, centers, total = bytearray(), bytearray(), 0.0
    for c in range(seen.shape.channels):
        own = seen.value[seen.channel == c]
        center = int(np.median(own))
        cost, mode = min(_plain_costs(own, center, seen.shape.zero_point == -128))
        total += cost
        modes.append(mode)
        centers.append(center if mode < FLAG else 0)
    return Candidate(quick.pack(Quick(bytes(modes), bytes(centers))), total / len(seen.value))


def _plain_costs(own: npt.NDArray[np.int64], center: int, flag: bool) -> list[tuple[float, int]]:
    around = _zigzag((own - center + 128) % 256 - 128)
    costs = [(float(_cost(around, k).sum()), k) for k in range(PARAMETERS)]
    if flag:
        above = own[own > 0] - 1
        costs += [(float(len(own) + _cost(above, k).sum()), FLAG + k) for k in range(PARAMETERS)]
    return costs
