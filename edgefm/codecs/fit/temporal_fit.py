# SPDX-License-Identifier: Apache-2.0
"""Tables for `temporal`: those of `context`, since what a tile trusts is said in the code."""

from __future__ import annotations

from collections.abc import Sequence

from edgefm.codecs.fit import context_fit
from edgefm.codecs.interface import Candidate, Rows, RowShape
from edgefm.codecs.temporal import HEAD

TILE = 8  # pixels; 4 and 16 take 0.3 % more on a still camera's maps


def candidates(maps: Sequence[Rows], shape: RowShape) -> list[Candidate]:
    """Tables of growing size, and what context is expected to take with them."""
    return [Candidate(HEAD.pack(TILE, 0) + one.tables, one.bits_per_value)
            for one in context_fit.candidates(maps, shape)]
