# SPDX-License-Identifier: Apache-2.0
"""Learning the context codec's tables from calibration maps, with whole arrays at a time.

The integer predictions, errors and classes below are those of `context.py`, computed for all values
of a sample at once. Sizes compete: `candidates` gives tables of growing size and says what code
they promise, and `edgefm.codecs.fit_maps` spends a budget of bytes where it saves most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import numpy.typing as npt

from edgefm.codecs import context
from edgefm.codecs.context import (
    HIGH,
    LONGEST,
    LOW,
    ONE,
    SCALES,
    SIDE_CONTEXTS,
    STEPS,
    ZERO_CONTEXTS,
    Tables,
)
from edgefm.codecs.interface import Candidate, Rows, RowShape

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

SAMPLE_VALUES = 1 << 18  # of one map; some thousand per channel
ZERO_SHARE = 1 / 16  # of zero points, from which the zero flag is tried
USUAL_TAPS = (26, 26, -6, 13)  # 64ths, where there is no evidence
RIDGE = 40.0  # samples that "no cross term" is worth
TERMS = (0, 1, 2, 4, 6)  # cross terms that tables may have: each costs 2 bytes per channel


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Rows to learn from: values and neighbors int32 [N, H, W, C]; `used` are not borrowed."""

    v: Ints
    around: tuple[Ints, Ints, Ints, Ints]
    used: slice

    def flat(self, array: Ints) -> Ints:
        """The used rows of an array [N, H, W, C] as [pixels, C]."""
        return array[:, self.used].reshape(-1, array.shape[-1])


def candidates(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables for maps like these, the smallest first, each with the code it promises."""
    sample = sample_of(maps, shape)
    trust = trust_of(sample)
    first = first_tables(sample, shape, trust)
    surprise = sample.flat(sample.v * ONE - near_of(sample, shape, first)) / ONE
    crosses = _cross(surprise * trust.mean(1, keepdims=True), TERMS[1:])
    finished = [finish(sample, shape, t)
                for t in (first, *(replace(first, cross=cross) for cross in crosses))]
    return [Candidate(context.pack(tables), bits) for tables, bits in finished]


def first_tables(sample: Sample, shape: RowShape, trust: Floats) -> Tables:
    """Taps, before anything else is learned."""
    return Tables(False, 0, (0, 0, 0, 0, 0), _taps(sample, shape, trust))


def sample_of(maps: Sequence[Rows], shape: RowShape) -> Sample:
    """A band of rows of each map, as many as SAMPLE_VALUES allow, with the row above each band."""
    height = min(len(m) for m in maps)
    rows = max(4, SAMPLE_VALUES // (len(maps) * shape.values))
    if rows >= height - 1:
        bands, used = [m[:height] for m in maps], slice(0, None)
    else:
        starts = [(i * 7919) % (height - rows) for i in range(len(maps))]
        bands = [m[s:s + rows + 1] for m, s in zip(maps, starts, strict=True)]
        used = slice(1, None)
    v = np.stack(bands).astype(np.int32)
    w = np.empty_like(v)
    w[:, :, 1:], w[:, 1:, 0], w[:, 0, 0] = v[:, :, :-1], v[:, :-1, 0], shape.zero_point
    n, nw, ne = np.empty_like(v), np.empty_like(v), np.empty_like(v)
    n[:, 1:], n[:, 0] = v[:, :-1], w[:, 0]
    nw[:, :, 0], nw[:, 1:, 1:], nw[:, 0] = n[:, :, 0], v[:, :-1, :-1], w[:, 0]
    ne[:, :, -1], ne[:, 1:, :-1], ne[:, 0] = n[:, :, -1], v[:, :-1, 1:], w[:, 0]
    return Sample(v, (w, n, nw, ne), used)


def trust_of(sample: Sample) -> Floats:
    """How exact each used value may be predicted: the inverse of the error that its surroundings
    let expect, so that calm places, where bits are short, count as much as busy ones."""
    w, n, nw, ne = (sample.flat(a) for a in sample.around)
    busy = np.abs(n - nw) + np.abs(n - ne) + np.abs(w - nw)
    return np.asarray(1 / (busy + busy.mean(0) + 2.0))


def _taps(sample: Sample, shape: RowShape, trust: Floats) -> tuple[int, int, int, int]:
    """Weighted least squares over all channels together."""
    v = (sample.flat(sample.v) - shape.zero_point) * trust
    near = [(sample.flat(a) - shape.zero_point) * trust for a in sample.around]
    square = np.array([[float((a * b).sum()) for a in near] for b in near])
    mixed = np.array([float((a * v).sum()) for a in near])
    solved = np.linalg.solve(square + RIDGE * np.eye(4), mixed + RIDGE * np.array(USUAL_TAPS) / ONE)
    w, n, nw, ne = (int(t) for t in np.clip(np.rint(solved * ONE), -128, 127))
    return w, n, nw, ne


def _cross(surprise: Floats, sizes: Sequence[int]) -> list[tuple[tuple[tuple[int, int], ...], ...]]:
    """For every channel the earlier ones that explain most of its surprise [pixels, C], picked one
    by one; with as many terms as each of `sizes` says."""
    n, channels = surprise.shape
    power = surprise.T @ surprise
    own = np.diag(power) + 1e-6 * n
    out: list[list[tuple[tuple[int, int], ...]]] = [[] for _ in sizes]
    for c in range(channels):
        first = max(0, c - 255)
        chosen: list[int] = []
        pairs: list[tuple[int, int]] = []
        left = power[first:c, c].copy()
        for size in range(1, sizes[-1] + 1):
            if size <= c - first:
                gain = left ** 2 / own[first:c]
                gain[[k - first for k in chosen]] = -1
                chosen.append(first + int(gain.argmax()))
                damp = np.diag((own[chosen] + own[c]) * RIDGE / n)
                weights = np.linalg.solve(power[np.ix_(chosen, chosen)] + damp, power[chosen, c])
                left = power[first:c, c] - power[first:c][:, chosen] @ weights
                whole = np.clip(np.rint(weights * ONE), -128, 127).astype(int).tolist()
                pairs = [(c - k, w) for k, w in zip(chosen, whole, strict=True)]
            if size in sizes:
                out[sizes.index(size)].append(tuple(pairs + [(0, 0)] * (size - len(pairs))))
    return [tuple(cross) for cross in out]


def near_of(sample: Sample, shape: RowShape, tables: Tables) -> Ints:
    """What the neighbors say of every value, in 64ths."""
    near = sum((t * a for t, a in zip(tables.taps, sample.around, strict=True)),
               np.int32(shape.zero_point * (ONE - sum(tables.taps))))
    return np.asarray(np.clip(near, LOW * ONE, HIGH * ONE + ONE - 1), np.int32)


def _mean(sample: Sample, shape: RowShape, tables: Tables, more: Ints | int = 0) -> Ints:
    near = near_of(sample, shape, tables)
    mean = near + more
    if tables.cross:
        surprise = sample.v * ONE - near
        pairs = np.array(tables.cross, np.int32)  # [C, terms, (distance, weight)]
        sources = np.arange(shape.channels)[:, None] - pairs[..., 0]
        missed = sum((weights * surprise[..., source] for weights, source in
                      zip(pairs[..., 1].T, sources.T, strict=True)), np.int32(0))
        mean = mean + np.sign(missed) * (np.abs(missed) // ONE)
    return np.asarray(np.clip(mean, LOW * ONE, HIGH * ONE + ONE - 1), np.int32)


def _signs(sample: Sample, tables: Tables, mean: Ints, error: Ints) -> list[Ints]:
    """The five signs of trouble of every used value, in quarters, each as [pixels, C]."""
    average = _average(error, tables.start_error)
    last = np.empty_like(error)
    last[:, :, 1:], last[:, :, 0] = error[:, :, :-1], average[:, :, 0]
    _, n, nw, ne = sample.around
    return [sample.flat(a) for a in (np.minimum(last, 255), average, 4 * np.abs(n - nw),
                                     4 * np.abs(n - ne), (mean - LOW * ONE) >> 4)]


def _average(error: Ints, start_error: int) -> Ints:
    """The running mean error of each channel before each value, in quarters."""
    out = np.empty_like(error)
    average = np.full((len(error), error.shape[-1]), start_error << 4, np.int32)
    for y in range(error.shape[1]):
        for x in range(error.shape[2]):
            out[:, y, x] = average >> 4
            average = average - (average >> 5) + (error[:, y, x] >> 1)
    return out


def finish(sample: Sample, shape: RowShape, tables: Tables, more: Ints | int = 0
           ) -> tuple[Tables, float]:
    """The tables with first error, weights and zero flag filled in, and the bits per value that
    they promise. `more` (64ths) is what the prediction of every value is told besides."""
    mean = _mean(sample, shape, tables, more)
    error = np.abs(sample.v * ONE - mean) >> 4
    seen = sample.flat(error)
    tables = replace(tables, start_error=int(np.clip(seen.mean(), 1, 255)))
    signs = _signs(sample, tables, mean, error)
    weights = _weights(np.stack([s[::4].reshape(-1) for s in signs], 1) / 4.0,
                       seen[::4].reshape(-1) / 4.0)
    tables = replace(tables, weights=weights)
    a, b, c, d, e = (w * s for w, s in zip(weights, signs, strict=True))
    expected = (a + b + e >> 5) + (c + d >> 5)
    v, mean = sample.flat(sample.v).reshape(-1), sample.flat(mean).reshape(-1)
    flags = (False, True) if np.mean(v == shape.zero_point) >= ZERO_SHARE else (False,)
    tried = [replace(tables, zero_flag=flag) for flag in flags]
    bits = [_entropy(t, shape, v, mean, expected.reshape(-1)) / v.size for t in tried]
    return tried[int(np.argmin(bits))], min(bits)


def _weights(signs: Floats, error: Floats) -> tuple[int, int, int, int, int]:
    """Weights >= 0, in 64ths, that predict the error best relative to its size.

    Weighted least squares; with five unknowns every subset that may be positive is tried.
    """
    scale = 1 / (signs[:, :2].mean(1) + 0.5)
    a, b = signs * scale[:, None], error * scale
    square, mixed = a.T @ a + 1e-3 * np.eye(5), a.T @ b
    best, best_gain = np.zeros(5), 0.0
    for size in range(1, 6):
        for subset in combinations(range(5), size):
            part = list(subset)
            w = np.linalg.solve(square[np.ix_(part, part)], mixed[part])
            gain = float(w @ mixed[part])
            if (w >= 0).all() and gain > best_gain:
                best, best_gain = np.zeros(5), gain
                best[part] = w
    a0, a1, a2, a3, a4 = (int(w) for w in np.clip(np.rint(best * ONE), 0, 255))
    return a0, a1, a2, a3, a4


def _half_octave(v: Ints) -> Ints:
    log = np.frexp((v + 2).astype(np.float64))[1].astype(np.int32) - 1
    return np.asarray(2 * log - 2 + ((v + 2) >> (log - 1) & 1), np.int32)


def _entropy(tables: Tables, shape: RowShape, v: Ints, mean: Ints, expected: Ints) -> float:
    """Bits of all decisions, each context at its own entropy, which adapting comes close to."""
    ones, seen = np.zeros(context.CONTEXTS), np.zeros(context.CONTEXTS)

    def add(where: Ints, bits: npt.NDArray[np.bool_]) -> None:
        seen[:] += np.bincount(where, minlength=len(seen))
        ones[:] += np.bincount(where[bits], minlength=len(ones))

    scale = np.minimum(_half_octave(expected), SCALES - 1)
    height = _half_octave((mean - LOW * ONE) >> 3)
    low = LOW
    if tables.zero_flag:
        zero = v == shape.zero_point
        add(4 * np.clip(height + 10 - scale, 0, 15) + np.minimum(scale // 4, 3), zero)
        v, mean, scale, height = v[~zero], mean[~zero], scale[~zero], height[~zero]
        low += shape.zero_point == LOW
    center = np.maximum(mean // ONE, low)
    below = v < center
    side = 16 * np.clip(height + 4 - scale, 0, 7) + 4 * np.minimum(scale // 2, 3) + mean // 16 % 4
    add((ZERO_CONTEXTS + side)[center > low], below[center > low])
    distance = np.where(below, center - 1 - v, v - center)
    bits = np.maximum(scale // 2 - 2, 0)
    steps = np.minimum(distance >> bits, LONGEST)
    for step in range(LONGEST):
        there = steps >= step
        first = ZERO_CONTEXTS + SIDE_CONTEXTS + STEPS * scale[there]
        add(first + min(step, STEPS - 1), steps[there] > step)
    plain = int(np.where(steps < LONGEST, bits, 8).sum())
    p = np.clip(ones / np.maximum(seen, 1), 1e-9, 1 - 1e-9)
    return plain - float((ones * np.log2(p) + (seen - ones) * np.log2(1 - p)).sum())
