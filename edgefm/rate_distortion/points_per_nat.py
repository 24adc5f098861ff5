# SPDX-License-Identifier: Apache-2.0
"""Converts KL to points: how much accuracy a nat costs.

This depends on the network and the task. The share of decisions that small errors change is
proportional to the size of the errors, and so to the root of KL. It can be measured without labels,
on the calibration files of the network: 30 % per root of a nat on MobileNetV2, 70 % on MobileNetV1
0.25. A changed decision loses a point only if it was right before and is wrong now: one in seven to
ten, on every measured network (RESULTS.md, KL and points). `edgefm sweep` measures a network's own
points on labeled files, and `compile --points curve/sweep.json` uses them instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edgefm.errors import BadInput
from edgefm.files.read import read_json

PER_NAT = (21.0, 30.0)       # points, where changed decisions are not a top-1: likely, cautious
PER_CHANGE = (0.11, 0.14)    # points per percent of decisions that change: likely, cautious
_USUAL = 30.0                # percent of decisions that change per root of a nat,
_KNOWN = 10.0                # believed as much as that many files at a nat each
_LEAST = 1.0                 # a curve that lost nothing promises no free lunch
_MOST_KL = 0.3               # beyond, points are no longer in proportion


@dataclass(frozen=True, slots=True)
class Toll:
    """Points of top-1 that a KL in nats costs: `likely` and `cautious` times its `power`."""

    likely: float
    cautious: float
    power: float = 1.0

    def points(self, kl: float) -> tuple[float, float]:
        """Likely and cautious points."""
        share = max(kl, 0.0) ** self.power
        return self.likely * share, self.cautious * share

    def nats(self, points: float) -> float:
        """The KL that costs `points`, cautiously."""
        return float((points / self.cautious) ** (1 / self.power))


@dataclass(frozen=True, slots=True)
class Changes:
    """What one coarser network did to some files: mean KL, and the share of decisions changed."""

    kl: float
    changed: float
    files: int


def toll_of(seen: Sequence[Changes]) -> Toll:
    """The toll of a network, from what coarser steps changed; one standard error more is the
    cautious one."""
    changed = sum(one.changed * one.files for one in seen) + _USUAL / 100 * _KNOWN
    roots = sum(max(one.kl, 0.0) ** 0.5 * one.files for one in seen) + _KNOWN
    likely, more = (100 * count / roots for count in (changed, changed + changed ** 0.5))
    return Toll(PER_CHANGE[0] * likely, PER_CHANGE[1] * more, 0.5)


def per_nat(measured: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Points per nat, likely and cautious, from (KL, points lost, their standard error).

    The least-squares line through zero, weighted by the inverse variance; one standard error
    more is the cautious one. Raises BadInput when nothing with a KL up to 0.3 was measured.
    """
    rows = [row for row in measured if 0 < row[0] <= _MOST_KL]
    if not rows:
        raise BadInput(f"points: no budget was measured with a KL above 0 and up to {_MOST_KL}")
    kl, lost, error = (np.array(column, np.float64) for column in zip(*rows, strict=True))
    weight = 1 / np.maximum(error, 1e-3) ** 2
    information = float((weight * kl ** 2).sum())
    slope = float((weight * kl * lost).sum()) / information
    return max(slope, _LEAST), max(slope + information ** -0.5, _LEAST)


def read_per_nat(path: Path) -> tuple[float, float]:
    """The same from a sweep's JSON. Raises BadInput, naming the file, for any other file."""
    try:
        points = read_json(path)["points"]
        rows = [(float(p["kl"]), -float(p["difference"]), float(p["difference_error"]))
                for p in points if p["kl_budget"] is not None]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadInput(f"{path}: not the sweep.json of `edgefm sweep` ({error!r})") from None
    return per_nat(rows)
