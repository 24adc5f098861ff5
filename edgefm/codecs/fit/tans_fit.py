# SPDX-License-Identifier: Apache-2.0
"""Learning tables for tans: the survey and the channels' maps are rice's (`static_fit.py`), classes
and distributions are found in turn."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from edgefm.codecs import tans
from edgefm.codecs.engine import static
from edgefm.codecs.engine.static import CLASSES, Front
from edgefm.codecs.fit.static_fit import (
    MAP_COUNTS,
    ROUNDS,
    Floats,
    Ints,
    Survey,
    cluster,
    mode_costs,
    survey,
)
from edgefm.codecs.interface import Candidate, Rows, RowShape

WORTH = 0.3  # of a 64th: rarer symbols are written as escapes


def candidates(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables for tans: growing numbers of class maps over learned distributions."""
    seen = survey(maps, shape)
    flag = shape.zero_point == -128 and bool(np.mean(seen.value == 0) >= 1 / 64)
    counts, costs, out = _upper_counts(seen, flag), mode_costs(seen), []
    for count in MAP_COUNTS:
        if count == 1 or 2 * count <= seen.channels:
            which, _ = cluster(costs, count)
            out += [_tans_tables(seen, counts, flag, which, count, many)
                    for many in ((4, 8) if count == 1 else (8,))]
    return out


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
