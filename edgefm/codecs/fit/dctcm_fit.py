# SPDX-License-Identifier: Apache-2.0
"""Learning dctcm's tables: mode, step, code orders and channel order by the bytes that they cost.

All coefficients get the same step, the largest power of two whose mean squared error on the
calibration maps is at most `ERROR`: equal steps are best for a given error. A map whose mask and
values take fewer bits than the transform passes it by, and then loses nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from edgefm.codecs import dctcm
from edgefm.codecs.dctcm import BYPASS, DCT, DCT_WITH_ZEROS, MOST_ORDER, MOST_STEP, SIZE, Tables
from edgefm.codecs.interface import Candidate, Rows, RowShape

Ints = npt.NDArray[np.int64]

ERROR = 1.0            # squared steps of the map, on average
SAMPLE_VALUES = 1 << 17


def candidates(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables in the network's channel order and, for more than 8 channels, in a learned one."""
    rows = _sample(maps, shape)
    plain = _best(rows, shape, ())
    if shape.channels <= SIZE or plain[0].mode == BYPASS:
        return [Candidate(dctcm.pack(plain[0]), plain[1])]
    found = (plain, _best(rows, shape, _order(rows)))
    return [Candidate(dctcm.pack(tables), bits) for tables, bits in found]


def _sample(maps: Sequence[Rows], shape: RowShape) -> Rows:
    """Pixels [N, C] of all maps, evenly spread."""
    pixels = np.concatenate([m.reshape(-1, shape.channels) for m in maps])
    return pixels[::max(1, pixels.size // SAMPLE_VALUES)]


def _best(rows: Rows, shape: RowShape, order: tuple[int, ...]) -> tuple[Tables, float]:
    """The mode that takes the fewest bits, and how many per value."""
    values = dctcm.grouped(shape, Tables(BYPASS, order=order), rows)
    mask = values.size
    tried = [(float(mask + 8 * np.count_nonzero(values)), Tables(BYPASS))]
    for mode in (DCT, DCT_WITH_ZEROS):
        tables = _coarsest(Tables(mode, order=order), values)
        steps = dctcm.transform(tables, values)
        orders, bits = _orders(steps)
        filled = int(values.any(-1).sum()) if mode == DCT_WITH_ZEROS else 0
        tried.append((bits + mask + SIZE * filled, replace(tables, orders=orders)))
    bits, tables = min(tried, key=lambda each: each[0])
    return tables, bits / rows.size


def _coarsest(tables: Tables, values: Ints) -> Tables:
    """With the largest step whose error is small enough, but at least the smallest step."""
    best = tables
    for step in range(MOST_STEP + 1):
        trial = replace(tables, steps=(step,) * SIZE)
        back = dctcm.restore(trial, dctcm.transform(trial, values))
        if tables.mode == DCT_WITH_ZEROS:
            back = np.where(values != 0, back, 0)
        if np.mean((back - values) ** 2) > ERROR:
            break
        best = trial
    return best


def _orders(steps: Ints) -> tuple[tuple[int, ...], float]:
    """Per coefficient the order of Exp-Golomb that is shortest, and the bits of all, signs too."""
    orders, total = [], 0.0
    for k in range(SIZE):
        size = np.abs(steps[..., k])
        size = size[size > 0] - 1
        costs = [float((2 * (np.frexp(size + (1 << o))[1] - 1) - o + 2).sum())
                 for o in range(MOST_ORDER + 1)]
        orders.append(int(np.argmin(costs)))
        total += min(costs)
    return tuple(orders), total


def _order(rows: Rows) -> tuple[int, ...]:
    """Channels in groups that resemble each other: each group begins with the busiest channel that
    is left, and takes the seven that correlate most with it, one after the other."""
    centered = rows - rows.mean(0)
    power = centered.T @ centered
    size = np.sqrt(np.maximum(np.diag(power), 1e-9))
    alike = np.abs(power / size / size[:, None])
    left, out = set(range(rows.shape[1])), list[int]()
    while left:
        rest = sorted(left)
        first = max(rest, key=lambda c: size[c])
        group = [first]
        rest.remove(first)
        while rest and len(group) < SIZE:
            closest = max(rest, key=lambda c: float(alike[group, c].sum()))
            group.append(closest)
            rest.remove(closest)
        out += group
        left -= set(group)
    return tuple(out)
