# SPDX-License-Identifier: Apache-2.0
"""What a tile of CONV or DEPTHWISE holds: how sums become bytes, then weights; docs/FORMAT.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

import numpy as np

from edgefm.network.graph import Array

TWICE, ONCE = 0, 1  # how sums are rounded
ROUND_ONCE, PROVED = 1, 2  # flags of a table
HEAD = struct.Struct("<bbbBi")  # low, high, weight zero point, flags, output zero point
CHANNEL = np.dtype([("bias", "<i4"), ("multiplier", "<i4"), ("packed", "<u4")])
SHIFT_MIN = -31
_SHIFT_AT = 22
PROVED_SUM, INT32_SUM = 1 << 30, 1 << 31  # that sums stay below


def split(tile: bytes, out: int, rows: int) -> tuple[bytes, Array]:
    """The table of a tile of `out` channels, and what is behind it as int8 in `rows` rows."""
    end = HEAD.size + CHANNEL.itemsize * out
    return tile[:end], np.frombuffer(tile[end:], np.int8).reshape(rows, -1)


@dataclass(frozen=True, slots=True, eq=False)
class Requantization:
    """How the sums of a tile's output channels become int8.

    `bias`, `multiplier`, `shift` and `low` are int64 [O]; `low` is zero unless rounding is ONCE.
    """

    bias: Array
    multiplier: Array
    shift: Array
    low: Array
    rounding: int
    weight_zero: int
    zero_point: int
    clamps: tuple[int, int]

    def table(self, weights: Array) -> bytes:
        """The table in front of `weights`, int8 [O, K] in whatever order they are packed."""
        flags = (ROUND_ONCE if self.rounding == ONCE else 0) | (
            PROVED if self._proved(weights).all() else 0)
        channels = np.zeros(self.bias.size, CHANNEL)
        channels["bias"], channels["multiplier"] = self.bias, self.multiplier
        channels["packed"] = self.low | (self.shift - SHIFT_MIN) << _SHIFT_AT
        return (HEAD.pack(*self.clamps, self.weight_zero, flags, self.zero_point)
                + channels.tobytes())

    def normalized(self, weights: Array) -> tuple[Requantization, Array]:
        """The same results with channels that kernels have no special case for.

        A channel that gives one value whatever the input is (dead ones have biases of any size)
        gives it by a small bias and no weights.
        """
        least, most = self._sums(weights)
        ends = np.stack([self._results(least), self._results(most)])
        plain = (np.abs(least) < INT32_SUM) & (np.abs(most) < INT32_SUM) & (self.shift <= 0)
        dead = plain & (ends[0] == ends[1]) & ~self._proved(weights)
        if not dead.any():
            return self, weights
        one, step = 1 << 30, 4  # a factor of a quarter
        bias, multiplier, shift, low = (
            np.where(dead, there, here) for here, there in (
                (self.bias, step * (ends[0] - self.zero_point)), (self.multiplier, one),
                (self.shift, -1), (self.low, 0)))
        return (replace(self, bias=bias, multiplier=multiplier, shift=shift, low=low),
                np.where(dead[:, None], np.int8(self.weight_zero), weights))

    def _sums(self, weights: Array) -> tuple[Array, Array]:
        """The least and the largest sum of each channel with its bias, over every int8 input."""
        by = weights.astype(np.int64) - self.weight_zero
        up, down = np.maximum(by, 0).sum(axis=1), np.minimum(by, 0).sum(axis=1)
        return self.bias - 128 * up + 127 * down, self.bias + 127 * up - 128 * down

    def _proved(self, weights: Array) -> Array:
        """Where no input brings the sum to 2**30 and the shift is to the right."""
        least, most = self._sums(weights)
        proved: Array = (most < PROVED_SUM) & (least > -PROVED_SUM) & (self.shift < 0)
        return proved

    def _results(self, sums: Array) -> Array:
        """What sums become, per channel; of sums below 2**31 that nothing shifts to the left."""
        negative, size = sums < 0, np.abs(sums)
        right = -np.minimum(self.shift, 0)
        if self.rounding == ONCE:
            product = [(int(s) * int(m) + (int(s) * int(low) >> 22)) for s, m, low in
                       zip(size, self.multiplier, self.low, strict=True)]
            scaled = np.array([(p + (1 << 30 + int(r)) >> 31 + int(r)) for p, r in
                               zip(product, right, strict=True)], np.int64)
        else:
            high = sums * self.multiplier + (1 << 30) >> 31
            negative, scaled = high < 0, np.abs(high) + (1 << right >> 1) >> right
        signed = np.minimum(scaled, 1 << 24) * np.where(negative, -1, 1)
        results: Array = np.clip(signed + self.zero_point, *self.clamps)
        return results


def clamps(tile: bytes) -> bool:
    """Whether a tile's bounds are narrower than int8."""
    return HEAD.unpack_from(tile)[:2] != (-128, 127)


def weight_zero(tile: bytes) -> int:
    """The zero point of a tile's weights."""
    return int(HEAD.unpack_from(tile)[2])


def weights_of(tile: bytes, out: int, depth: int) -> Array:
    """The weights of a CONV tile of packing ROWS, int8 [out, depth]."""
    return np.frombuffer(tile, np.int8, out * depth, HEAD.size + CHANNEL.itemsize * out).reshape(
        out, depth)
