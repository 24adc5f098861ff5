# SPDX-License-Identifier: Apache-2.0
"""How many bits a value takes at coarser steps, estimated from samples of a map.

With fine steps a step twice as large saves one bit. A sparse map, or one that is coarse already,
saves less, and a search that shares out a budget has to know. The estimate is the entropy of what a
prediction from the west and north neighbors leaves, in classes of how busy it is around: close
to what an adapting coder makes of the map, without running one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgefm.network.graph import Array

Floats = npt.NDArray[np.float64]

FACTORS: tuple[float, ...] = tuple(2.0 ** (i / 2) for i in range(13))  # 1 to 64
_CLASSES = 8
_SPAN = 512  # residuals are in (-256, 256)
_ROWS = 32   # of each sample, evenly spread in bands


def bits_per_value(maps: Sequence[Array], zero_point: int) -> Floats:
    """Bits that a value of maps int8 [H, W, C] takes when steps are FACTORS times as large."""
    bands = [_band(m, i).astype(np.float32) for i, m in enumerate(maps)]
    return np.array([_entropy([np.rint((band - zero_point) / factor).astype(np.int32)
                               for band in bands]) for factor in FACTORS])


def _band(rows: Array, number: int) -> Array:
    """A band of rows, at another height in each sample."""
    rest = max(0, len(rows) - _ROWS)
    start = (number * 7919) % (rest + 1)
    return rows[start:start + _ROWS]


def _entropy(maps: Sequence[npt.NDArray[np.int32]]) -> float:
    """Mean bits per value; each class has its own frequencies."""
    counts = np.zeros((_CLASSES + 1, _SPAN), np.int64)
    for q in maps:
        west, north, corner = q.copy(), q.copy(), q.copy()
        west[:, 1:], north[1:], corner[1:, 1:] = q[:, :-1], q[:-1], q[:-1, :-1]
        busy = np.abs(west - corner) + np.abs(north - corner)
        group = np.minimum(np.ceil(np.log2(busy + 1)).astype(np.int32), _CLASSES - 1)
        group[(west == 0) & (north == 0) & (corner == 0)] = _CLASSES  # among zeros, of sparse maps
        left = q - ((west + north) >> 1)
        at = group * _SPAN + np.clip(left + _SPAN // 2, 0, _SPAN - 1)
        counts += np.bincount(at.ravel(), minlength=counts.size).reshape(counts.shape)
    total = counts.sum(axis=1, keepdims=True)
    share = counts / np.maximum(total, 1)
    logs = np.log2(np.where(counts > 0, share, 1.0))
    return float(-(counts * logs).sum() / max(counts.sum(), 1))
