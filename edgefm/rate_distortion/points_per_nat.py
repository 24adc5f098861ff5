# SPDX-License-Identifier: Apache-2.0
"""From KL to points: how much accuracy a nat costs.

It is a property of the network and of the task. Without a measurement the two slopes below stand in
for it; `edgefm sweep` measures a network's own, as points lost and KL at every budget, and
`compile --points curve/sweep.json` uses them.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from edgefm.errors import BadInput
from edgefm.files.read import read_json

PER_NAT = (21.0, 30.0)  # points of top-1: 21 ± 9 over two networks (RESULTS.md, KL and points)
_LEAST = 1.0            # a curve that lost nothing promises no free lunch
_MOST_KL = 0.3          # beyond, points are no longer in proportion


def per_nat(measured: Sequence[tuple[float, float, float]]) -> tuple[float, float]:
    """Points per nat, likely and cautious, from (KL, points lost, their standard error).

    The line through nought of least squares, weighted by the inverse variance; one standard error
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
    """The same from a sweep's JSON. Raises BadInput, naming the file, when it is none."""
    try:
        points = read_json(path)["points"]
        rows = [(float(p["kl"]), -float(p["difference"]), float(p["difference_error"]))
                for p in points if p["kl_budget"] is not None]
    except (ValueError, KeyError, TypeError, OverflowError) as error:
        raise BadInput(f"{path}: not the sweep.json of `edgefm sweep` ({error!r})") from None
    return per_nat(rows)
