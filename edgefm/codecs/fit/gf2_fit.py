# SPDX-License-Identifier: Apache-2.0
"""Learns gf2's tables from maps: which binary features to store, and how values follow from them.

Stored bits are chosen by orthogonal matching pursuit (Pati et al., 1993): from all plane bits, all
"any of the planes from p up" and all "at least n of the block's pixels have plane p" the next one
taken is that which leaves the least squared error of a linear reconstruction of all values. Each
value then gets signed powers of two by the same greedy rule on the quantized residual.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from edgefm.codecs.gf2 import MOST_STORED, PLANES, Learned, Term, blocks_of, pack, planes_of
from edgefm.codecs.interface import Rows, RowShape
from edgefm.errors import BadInput

Floats = npt.NDArray[np.float64]
Unit = tuple[int, tuple[Term, ...]]

BITS_PER_VALUE = 3.5   # stored, unless the caller says otherwise
BLOCK = 4              # pixels
OUTPUTS = 64           # values of a block, where it may be shorter
TERMS = (64, 32, 16, 8, 4, 2)  # of a value, at most
SAMPLES = 1 << 17      # blocks looked at
_CHUNK = 4096          # of them at once
MOST_OUTPUTS = 256     # values of a block: moments of all its features are held
_LEAST_VARIANCE = 1e-4
_LEAST_GAIN = 0.01     # squared steps that a term must save
_SIZES = 2.0 ** np.arange(PLANES)
_WEIGHTS = np.concatenate([_SIZES, -_SIZES])


def fit(maps: Sequence[Rows], shape: RowShape, limit: int) -> bytes:
    """Tables at the usual rate, of at most `limit` bytes where few terms are enough for that."""
    block = max(1, min(BLOCK, OUTPUTS // shape.channels, shape.width))
    return pack(learn(maps, shape, BITS_PER_VALUE, block, limit))


def learn(maps: Sequence[Rows], shape: RowShape, bits_per_value: float = BITS_PER_VALUE,
          block: int = BLOCK, limit: int | None = None) -> Learned:
    """The codec that stores `bits_per_value` bits for each value of blocks of `block` pixels.

    `maps`: calibration maps int8 [H, W, C]. With fewer terms per value until the tables take at
    most `limit` bytes, 2 at least. Raises BadInput for an impossible rate or a block too large.
    """
    outputs = block * shape.channels
    stored = round(bits_per_value * outputs)
    if not 1 <= stored < PLANES * outputs:
        raise BadInput(f"gf2: {bits_per_value:g} bits per value, expected between "
                       f"{1 / outputs:.2g} and 8")
    if outputs > MOST_OUTPUTS or stored > MOST_STORED:
        raise BadInput(f"gf2: blocks of {outputs} values and {stored} bits, expected at most "
                       f"{MOST_OUTPUTS} and {MOST_STORED}")
    lowest = int(min(rows.min() for rows in maps))
    levels = _samples(maps, lowest, block)
    units = _candidates(outputs, shape.channels)
    moments = _moments(units, levels)
    chosen = _pursue(moments, stored)
    kept = moments.only(chosen)
    for terms in TERMS:
        values = tuple(_value(kept, output, terms) for output in range(outputs))
        learned = Learned(block, lowest, tuple(units[i] for i in chosen), values)
        if limit is None or len(pack(learned)) <= limit:
            break
    return learned


def _samples(maps: Sequence[Rows], lowest: int, block: int) -> npt.NDArray[np.int32]:
    """At most `SAMPLES` blocks, evenly spread over all maps."""
    levels = np.concatenate([blocks_of(rows, lowest, block) for rows in maps])
    return levels[::max(1, len(levels) // SAMPLES)]


def _candidates(outputs: int, channels: int) -> list[Unit]:
    """Every feature that may be stored."""
    return [*_single(outputs), *_any_from(outputs), *_at_least(outputs, channels)]


def features(units: Sequence[Unit], levels: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
    """The features' bits [N, features] of blocks [N, values]."""
    planes = planes_of(levels).astype(np.uint8)
    columns = np.empty((len(levels), len(units)), np.float32)
    for i, (threshold, terms) in enumerate(units):
        columns[:, i] = planes[:, [index for index, _ in terms]].sum(1) >= threshold
    return columns


def _single(outputs: int) -> Iterator[Unit]:
    for index in range(PLANES * outputs):
        yield 1, ((index, 1),)


def _any_from(outputs: int) -> Iterator[Unit]:
    for plane in range(2, PLANES - 1):
        for output in range(outputs):
            yield 1, tuple((p * outputs + output, 1) for p in range(plane, PLANES))


def _at_least(outputs: int, channels: int) -> Iterator[Unit]:
    pixels = outputs // channels
    for plane in range(2, PLANES):
        for channel in range(channels):
            terms = tuple((plane * outputs + x * channels + channel, 1) for x in range(pixels))
            for threshold in range(1, pixels + 1 if pixels > 1 else 1):
                yield threshold, terms


@dataclass(frozen=True, slots=True, eq=False)
class _Moments:
    """Second moments of features and values around their means, and the means."""

    mean: Floats
    value_mean: Floats
    gram: Floats
    cross: Floats

    def only(self, chosen: Sequence[int]) -> _Moments:
        """Those of some of the features."""
        return _Moments(self.mean[chosen], self.value_mean, self.gram[np.ix_(chosen, chosen)],
                        self.cross[chosen])


def _moments(units: Sequence[Unit], levels: npt.NDArray[np.int32]) -> _Moments:
    """The moments over all samples, chunk by chunk."""
    count, width = len(units), levels.shape[1]
    sums = np.zeros((count + width + 1, count + width + 1))
    for first in range(0, len(levels), _CHUNK):
        part = levels[first:first + _CHUNK]
        ones = np.ones((len(part), 1), np.float32)
        row = np.concatenate([features(units, part), part.astype(np.float32), ones], axis=1)
        sums += row.T @ row
    sums /= len(levels)
    means = sums[-1, :-1]
    around = sums[:-1, :-1] - np.outer(means, means)
    return _Moments(means[:count], means[count:], around[:count, :count], around[:count, count:])


def _pursue(moments: _Moments, count: int) -> list[int]:
    """The features to store, best first; each is projected out of the others when it is taken."""
    gram, cross = moments.gram.copy(), moments.cross.copy()
    chosen: list[int] = []
    for _ in range(count):
        variance = np.diagonal(gram)
        gain = np.where(variance > _LEAST_VARIANCE,
                        (cross ** 2).sum(1) / np.maximum(variance, _LEAST_VARIANCE), 0.0)
        gain[chosen] = -1.0
        best = int(gain.argmax())
        chosen.append(best)
        if variance[best] > _LEAST_VARIANCE:
            column, row, size = gram[:, best].copy(), cross[best].copy(), variance[best].copy()
            gram -= np.outer(column, column / size)
            cross -= np.outer(column / size, row)
    return chosen


def _value(moments: _Moments, output: int, most: int) -> Unit:
    """Constant and terms of one value: the signed power of two that saves most, again and again."""
    variance = np.diagonal(moments.gram)
    left, weights = moments.cross[:, output].copy(), np.zeros(len(variance), int)
    terms: list[Term] = []
    while len(terms) < most:
        gain = 2 * left[:, None] * _WEIGHTS - variance[:, None] * _WEIGHTS ** 2
        index, which = divmod(int(gain.argmax()), len(_WEIGHTS))
        if gain[index, which] < _LEAST_GAIN:
            break
        weight = int(_WEIGHTS[which])
        left -= weight * moments.gram[:, index]
        weights[index] += weight
        terms.append((index, weight))
    constant = round(float(moments.value_mean[output] - weights @ moments.mean))
    return constant, tuple(terms)
