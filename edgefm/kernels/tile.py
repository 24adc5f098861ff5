# SPDX-License-Identifier: Apache-2.0
"""What a tile of CONV or DEPTHWISE holds: how sums become bytes, then weights; docs/FORMAT.md."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np

from edgefm.network.graph import Array

TWICE, ONCE = 0, 1  # how sums are rounded
ROUND_ONCE, PROVED = 1, 2  # flags of a table
HEAD = struct.Struct("<bbbBi")  # low, high, weight zero point, flags, output zero point
CHANNEL = np.dtype([("bias", "<i4"), ("multiplier", "<i4"), ("packed", "<u4")])
SHIFT_MIN = -31
_SHIFT_AT = 22
_SUM_LIMIT = 1 << 30  # that a proved sum stays below


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
        shift = np.where(self.multiplier | self.low, self.shift, -1)  # of nothing any gives zero
        flags = (ROUND_ONCE if self.rounding == ONCE else 0) | (
            PROVED if self._is_proved(weights, shift) else 0)
        channels = np.zeros(self.bias.size, CHANNEL)
        channels["bias"], channels["multiplier"] = self.bias, self.multiplier
        channels["packed"] = self.low | (shift - SHIFT_MIN) << _SHIFT_AT
        return (HEAD.pack(*self.clamps, self.weight_zero, flags, self.zero_point)
                + channels.tobytes())

    def _is_proved(self, weights: Array, shift: Array) -> bool:
        """True when no input brings a sum to 2**30, and every shift is to the right."""
        by = weights.astype(np.int64) - self.weight_zero
        up, down = np.maximum(by, 0).sum(axis=1), np.minimum(by, 0).sum(axis=1)
        most = self.bias + 127 * up - 128 * down
        least = self.bias - 128 * up + 127 * down
        return bool((most < _SUM_LIMIT).all() and (least > -_SUM_LIMIT).all()
                    and (shift < 0).all())
