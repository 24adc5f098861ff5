# SPDX-License-Identifier: Apache-2.0
"""Learning the mix codec's tables: context's, and taps of the pixels around in other channels.

What a channel's own neighbors leave is explained by what other channels show: earlier ones at the
same pixel, and any at the pixels around. Both are picked one by one, whichever explains most.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from edgefm.codecs import mix
from edgefm.codecs.context import ONE, Tables
from edgefm.codecs.fit import context_fit
from edgefm.codecs.fit.context_fit import RIDGE, Floats, Ints, Sample
from edgefm.codecs.interface import Candidate, Rows, RowShape

SIZES = ((0, 0), (2, 0), (4, 1), (6, 2), (8, 4))  # terms, and taps in each pixel around
MOST_CHANNELS = 256    # more have no taps of other pixels: too much to learn from few samples


@dataclass(frozen=True, slots=True)
class _Pick:
    """What explains a channel: a source (0: earlier channels at this pixel; then w, n, nw, ne), the
    channel, and its weight."""

    source: int
    channel: int
    weight: int


def candidates(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables for maps like these, the smallest first, each with the code it promises."""
    sample = context_fit.sample_of(maps, shape)
    trust = context_fit.trust_of(sample)
    first = context_fit.first_tables(sample, shape, trust)
    power, count = _products(sample, shape, first, trust)
    few = SIZES if shape.channels <= MOST_CHANNELS else ((0, 0), (2, 0), (4, 0), (8, 0))
    picked = [_picks(power, count, c, shape.channels, few) for c in range(shape.channels)]
    return [_candidate(sample, shape, first, [picks[i] for picks in picked], size)
            for i, size in enumerate(few)]


def _products(sample: Sample, shape: RowShape, tables: Tables, trust: Floats
              ) -> tuple[Floats, int]:
    """Products of all sources [source * C, source * C], and of how many pixels."""
    surprise = sample.flat(sample.v * ONE - context_fit.near_of(sample, shape, tables)) / ONE
    around = [sample.flat(a) - shape.zero_point for a in sample.around]
    seen = [surprise, *(around if shape.channels <= MOST_CHANNELS else ())]
    weighted = np.concatenate(seen, axis=1) * trust.mean(axis=1, keepdims=True)
    return np.asarray(weighted.T @ weighted), len(weighted)


def _picks(power: Floats, count: int, c: int, channels: int, sizes: Sequence[tuple[int, int]]
           ) -> list[list[_Pick]]:
    """What explains channel c, for each size."""
    order = _order(power, count, c, channels, sizes[-1])
    found = []
    for terms, taps in sizes:
        chosen = [k for source in range(len(power) // channels) for k in
                  [k for k in order if k // channels == source][:taps if source else terms]]
        weights = _weights(power, count, chosen, c)
        found.append([_Pick(k // channels, k % channels, w)
                      for k, w in zip(chosen, weights, strict=True)])
    return found


def _order(power: Floats, count: int, c: int, channels: int, most: tuple[int, int]) -> list[int]:
    """Sources in the order in which they explain most of the remainder of channel c."""
    own = np.diag(power) + 1e-6 * count
    places = np.arange(len(power))
    distance = c - places % channels
    source = places // channels
    room = np.where(np.arange(source[-1] + 1) == 0, most[0], most[1])
    free = np.where(source == 0, (distance > 0) & (distance < 256), np.abs(distance) < 128)
    chosen: list[int] = []
    left = power[:, c].copy()
    while True:
        gain = np.where(free & (room[source] > 0), left ** 2 / own, 0)
        best = int(gain.argmax())
        if gain[best] <= 0:
            return chosen
        chosen.append(best)
        free[best] = False
        room[source[best]] -= 1
        left = power[:, c] - power[:, chosen] @ _solved(power, count, chosen, c)


def _solved(power: Floats, count: int, chosen: Sequence[int], c: int) -> Floats:
    own = np.diag(power)
    damp = np.diag((own[chosen] + own[c]) * RIDGE / count)
    return np.asarray(np.linalg.solve(power[np.ix_(chosen, chosen)] + damp, power[chosen, c]))


def _weights(power: Floats, count: int, chosen: Sequence[int], c: int) -> list[int]:
    """In 64ths."""
    if not chosen:
        return []
    whole = np.clip(np.rint(_solved(power, count, chosen, c) * ONE), -128, 127)
    return [int(w) for w in whole]


def _candidate(sample: Sample, shape: RowShape, first: Tables, picked: Sequence[Sequence[_Pick]],
               size: tuple[int, int]) -> Candidate:
    """Tables with these terms and taps."""
    terms, taps = size
    cross, beside = [], []
    for c, picks in enumerate(picked):
        mine = [(c - p.channel, p.weight) for p in picks if p.source == 0]
        others = [[(p.channel - c, p.weight) for p in picks if p.source == 1 + pixel]
                  for pixel in range(mix.PIXELS)]
        cross.append(tuple(mine + [(0, 0)] * (terms - len(mine))))
        beside.append(tuple(tap for i in range(taps) for tap in
                            [(mine[i] if i < len(mine) else (0, 0)) for mine in others]))
    tables = replace(first, cross=tuple(cross) if terms else ())
    finished, bits = context_fit.finish(sample, shape, tables, _said(sample, shape, beside))
    return Candidate(mix.pack(mix.Tables(finished, tuple(beside))), bits)


def _said(sample: Sample, shape: RowShape, beside: Sequence[Sequence[mix.Tap]]) -> Ints:
    """What the taps say of every value, in 64ths: [N, H, W, C]."""
    said = np.zeros(sample.v.shape, np.float32)  # whole numbers below 2^24, so exact
    for pixel, around in enumerate(sample.around):
        matrix = np.zeros((shape.channels, shape.channels), np.float32)
        for c, taps in enumerate(beside):
            for distance, weight in taps[pixel::mix.PIXELS]:
                matrix[c + distance, c] += weight
        if matrix.any():
            said += (around - shape.zero_point).astype(np.float32) @ matrix
    return said.astype(np.int32)
