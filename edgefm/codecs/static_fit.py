# SPDX-License-Identifier: Apache-2.0
"""Learning tables for rice and tans from calibration maps, with whole arrays at a time.

The integer predictions, distances and activities are those of `static.py`, for all values of a
sample at once. A histogram of (channel, class, distance) then says what any table would cost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.codecs import rice, static, tans
from edgefm.codecs.interface import Candidate, Rows, RowShape
from edgefm.codecs.static import CLASSES, GROUP, HEIGHTS, ONE, WEIGHTS, Front

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SAMPLE_VALUES = 1 << 19
FIRST_START = 16
RIDGE = 40.0            # samples that the usual taps are worth
USUAL_TAPS = (0.5, 0.45)
MODES = 16              # parameters 0..7, without and with the zero flag
ROUNDS = 12             # of clustering; it settles earlier
MAP_COUNTS = (1, 2, 4, 8)
WORTH = 0.3             # of a 64th: rarer symbols are written as escapes


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


def fit_rice(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables for rice: plain ones, and growing numbers of class maps."""
    seen = survey(maps, shape)
    costs = _mode_costs(seen)
    out = []
    for count in MAP_COUNTS:
        if count == 1 or 2 * count <= seen.channels:
            which, bits = _cluster(costs, count)
            out.append(_rice_tables(seen, costs, which, count, bits))
    return sorted([_plain(seen), *out], key=lambda c: len(c.tables))


def fit_tans(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables for tans: growing numbers of class maps over learned distributions."""
    seen = survey(maps, shape)
    flag = shape.zero_point == -128 and bool(np.mean(seen.value == 0) >= 1 / 64)
    counts, costs, out = _upper_counts(seen, flag), _mode_costs(seen), []
    for count in MAP_COUNTS:
        if count == 1 or 2 * count <= seen.channels:
            which, _ = _cluster(costs, count)
            out += [_tans_tables(seen, counts, flag, which, count, many)
                    for many in ((4, 8) if count == 1 else (8,))]
    return out


def survey(maps: Sequence[Rows], shape: RowShape) -> Survey:
    """A band of rows of each map, as many as SAMPLE_VALUES allow, seen as the codecs see them."""
    rows = max(2, SAMPLE_VALUES // (len(maps) * shape.values))
    bands = [_band(m, i, rows).astype(np.int64) + 128 for i, m in enumerate(maps)]
    taps = _taps(bands, shape)
    first = [_look(band, shape, taps, FIRST_START) for band in bands]
    start = int(np.clip(np.mean([f[1].mean() / 2 for f in first]), 1, 255))
    columns = [_columns(band, shape, *_look(band, shape, taps, start)) for band in bands]
    value, channel, known, distance, apart = (np.concatenate(c) for c in zip(*columns, strict=True))
    return Survey(shape.channels, shape.zero_point, taps, start, value, channel, known, distance,
                  apart)


def _columns(band: Ints, shape: RowShape, prediction: Ints, around: Ints) -> tuple[Ints, ...]:
    channel = np.broadcast_to(np.arange(shape.channels), band.shape)
    known = HEIGHTS * _log2(around + 1) + _log2(prediction + 1)
    found = band, channel, known, _fold(band, prediction, 0), _fold(band, prediction, 1)
    return tuple(a.reshape(-1) for a in found)


def _band(values: Rows, number: int, rows: int) -> Rows:
    first = number * 7919 % max(len(values) - rows, 1)
    return values[first:first + rows]


def _neighbours(band: Ints, shape: RowShape) -> tuple[Ints, Ints]:
    north = np.empty_like(band)
    north[1:], north[0] = band[:-1], shape.zero_point + 128
    west = np.empty_like(band)
    west[:, 1:], west[:, 0] = band[:, :-1], north[:, 0]
    return west, north


def _taps(bands: Sequence[Ints], shape: RowShape) -> tuple[int, int]:
    """Least squares over all channels, calm places counting as much as busy ones; taps >= 0 whose
    sum is at most 64."""
    square, mixed = RIDGE * np.eye(2), RIDGE * np.array(USUAL_TAPS)
    zero = shape.zero_point + 128
    for band in bands:
        west, north = _neighbours(band, shape)
        corner = np.empty_like(band)
        corner[:, 1:], corner[:, 0] = north[:, :-1], north[:, 0]
        busy = np.abs(north - corner) + np.abs(west - corner)
        trust = 1 / (busy + busy.mean((0, 1)) + 2)
        w, n, v = (((a - zero) * trust).reshape(-1) for a in (west, north, band))
        square = square + np.array([[w @ w, w @ n], [n @ w, n @ n]])
        mixed = mixed + np.array([w @ v, n @ v])
    taps = np.maximum(np.linalg.solve(square, mixed), 0)
    taps = np.floor(taps * ONE / max(float(taps.sum()), 1.0) + 0.5).astype(int)
    if taps.sum() > ONE:
        taps[taps.argmax()] -= taps.sum() - ONE
    return int(taps[0]), int(taps[1])


def _look(band: Ints, shape: RowShape, taps: tuple[int, int], start: int) -> tuple[Ints, Ints]:
    """Predictions, and the activity around each value, as the codecs compute them."""
    west, north = _neighbours(band, shape)
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


def _mode_costs(seen: Survey) -> Floats:
    """Bits by [channel, class, mode]; modes that are not allowed cost infinitely much."""
    where, size = seen.channel * CLASSES + seen.known, seen.channels * CLASSES
    costs = np.full((size, MODES), np.inf)
    for k in range(8):
        costs[:, k] = np.bincount(where, _rice_bits(seen.distance, k), size)
        if seen.zero_point == -128:
            bits = 1 + (seen.value > 0) * _rice_bits(seen.apart, k)
            costs[:, 8 + k] = np.bincount(where, bits, size)
    return costs.reshape(seen.channels, CLASSES, MODES)


def _cluster(costs: Floats, count: int) -> tuple[npt.NDArray[np.intp], float]:
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


def _rice_tables(seen: Survey, costs: Floats, which: npt.NDArray[np.intp], count: int,
                 bits: float) -> Candidate:
    everywhere = costs.sum(0)
    maps = []
    for t in range(count):
        own = costs[which == t].sum(0)
        used = own[:, 0] > 0
        best = np.where(used, own.argmin(1), everywhere.argmin(1))
        never = everywhere[:, 0] == 0
        best[never] = np.clip(np.arange(CLASSES) // HEIGHTS - 2, 0, 7)[never]
        maps.append(bytes(best.astype(np.uint8)))
    front = Front(seen.taps, seen.start, tuple(maps),
                  bytes(which.astype(np.uint8)) if count > 1 else b"")
    return Candidate(static.pack(front, 0, b""), bits / len(seen.known))


def _plain(seen: Survey) -> Candidate:
    """A parameter and a centre per channel: a median of all values or of those not zero, or 0."""
    out, total = bytearray(static.HEAD), 0.0
    for c in range(seen.channels):
        own = seen.value[seen.channel == c]
        centres = {int(np.median(own)), int(np.median(own[own > 0])) if own.any() else 0, 0}
        tried = []
        for centre in centres:
            at = np.full_like(own, centre)
            folded = _fold(own, at, 0), _fold(own, at, 1)
            for k in range(8):
                tried.append((float(_rice_bits(folded[0], k).sum()), k, centre))
                if seen.zero_point == -128:
                    bits = 1 + (own > 0) * _rice_bits(folded[1], k)
                    tried.append((float(bits.sum()), 8 + k, centre))
        cost, mode, centre = min(tried)
        total += cost
        out += bytes((mode, centre))
    return Candidate(bytes(out), total / len(seen.value))


def _upper_counts(seen: Survey, flag: bool) -> Floats:
    """How often [channel * class, parameter, symbol] occurs, symbols not yet merged to escapes."""
    distance = seen.apart if flag else seen.distance
    size = seen.channels * CLASSES
    counts = np.zeros((size, 8, tans.SYMBOLS))
    for k in range(8):
        symbol = np.minimum((distance >> k) + tans.FIRST, tans.ESCAPE)
        symbol = np.where(seen.value == 0, tans.ZERO, symbol) if flag else symbol
        where = (seen.channel * CLASSES + seen.known) * tans.SYMBOLS + symbol
        counts[:, k] = np.bincount(where, minlength=size * tans.SYMBOLS).reshape(size, -1)
    return counts


def _tans_tables(seen: Survey, counts: Floats, flag: bool, which: npt.NDArray[np.intp], count: int,
                 many: int) -> Candidate:
    """Classes and distributions in turn: each class takes the parameter and distribution that suit
    it, each distribution becomes that of its classes."""
    by_map = np.stack([counts.reshape(seen.channels, CLASSES, 8, tans.SYMBOLS)[which == t].sum(0)
                       for t in range(count)]).reshape(-1, 8, tans.SYMBOLS)
    shares = _first_shares(by_map, many)
    bits = np.inf
    for _ in range(ROUNDS):
        tables = np.stack([_whole(share, flag) for share in shares])
        costs = np.einsum("uks,kds->ukd", by_map, _symbol_bits(tables), optimize=True)
        best = costs.reshape(len(by_map), -1).argmin(1)
        now = float(costs.reshape(len(by_map), -1).min(1).sum())
        if now >= bits:
            break
        bits, k, d = now, best // many, best % many
        kept, modes = tables, k | d << 3
        shares = [by_map[np.arange(len(by_map)), k][d == i].sum(0) + 1e-3
                  for i in range(many)]
    front = Front(seen.taps, seen.start,
                  tuple(bytes(m.astype(np.uint8)) for m in modes.reshape(count, CLASSES)),
                  bytes(which.astype(np.uint8)) if count > 1 else b"")
    middle = b"".join(bytes(t.astype(np.uint8)) for t in kept)
    return Candidate(static.pack(front, many - 1, middle), bits / len(seen.value))


def _first_shares(by_map: Floats, many: int) -> list[Floats]:
    """Classes by how much their first symbol takes of them, in as many equal parts."""
    k = np.array([_entropies(unit).argmin() for unit in by_map])
    own = by_map[np.arange(len(by_map)), k]
    size = own.sum(1)
    order = np.argsort(own[:, :2].sum(1) / np.maximum(size, 1))
    part = np.minimum(np.cumsum(size[order]) * many // max(float(size.sum()), 1), many - 1)
    return [own[order[part == i]].sum(0) + 1e-3 for i in range(many)]


def _entropies(unit: Floats) -> Floats:
    """Bits of one class for each parameter, with a distribution of its own."""
    share = unit / np.maximum(unit.sum(1, keepdims=True), 1)
    own = -(unit * np.log2(np.maximum(share, 1e-9))).sum(1)
    plain = np.arange(8) * unit[:, tans.FIRST:tans.ESCAPE].sum(1)
    return np.asarray(own + plain + tans.ESCAPE_BITS * unit[:, tans.ESCAPE])


def _whole(share: Floats, flag: bool) -> Ints:
    """The distribution in 64ths: what is too rare gets none, escape always has one."""
    exact = share / share.sum() * tans.STATES
    counts = np.where(exact < WORTH, 0, np.maximum(np.rint(exact), 1)).astype(np.int64)
    counts[tans.ESCAPE] = max(counts[tans.ESCAPE], 1)
    counts[tans.ZERO] = max(counts[tans.ZERO], 1) if flag else 0
    least = np.zeros(tans.SYMBOLS, np.int64)
    least[[tans.ESCAPE, tans.ZERO]] = 1
    while counts.sum() != tans.STATES:
        down = counts.sum() > tans.STATES
        gain = exact * np.log2((counts + (-1 if down else 1)).clip(0.01) / counts.clip(0.01))
        allowed = counts > np.maximum(least, 1) if down else counts > 0
        counts[np.where(allowed, gain, -np.inf).argmax()] += -1 if down else 1
    return counts


def _symbol_bits(tables: Ints) -> Floats:
    """Bits by [parameter, distribution, symbol], plain ones included."""
    own = tans.LOG_STATES - np.log2(np.maximum(tables, 1))
    escape = own[:, tans.ESCAPE:] + tans.ESCAPE_BITS
    k = np.arange(8)[:, None, None]
    bits = np.where(tables > 0, own + k, escape)
    bits[:, :, tans.ZERO] = np.where(tables[:, tans.ZERO] > 0, own[:, tans.ZERO], np.inf)
    bits[:, :, tans.ESCAPE] = escape[:, 0]
    return np.where(np.isinf(bits), 99.0, bits)
