# SPDX-License-Identifier: Apache-2.0
"""What every codec is to the compiler: pure functions on int8 rows, plus a state where it has one.

A map int8 [H, W, C] is coded row by row, in order. A row whose code would not be shorter than the
row itself is stored as it is, and the codec is told with `skip`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadContainer

Rows = npt.NDArray[np.int8]
LENGTH_BYTES = 2  # of a row's entry in the directory of row lengths


@dataclass(frozen=True, slots=True)
class RowShape:
    """What a codec knows of a map: pixels of a row, values of a pixel, the value that means 0."""

    width: int
    channels: int
    zero_point: int

    @property
    def in_pairs(self) -> RowShape:
        """That of two rows as one."""
        return RowShape(self.width, 2 * self.channels, self.zero_point)

    @property
    def values(self) -> int:
        """Values, and so bytes, of one row."""
        return self.width * self.channels


def in_pairs(rows: Rows) -> Rows:
    """A map int8 [H, W, C] as codes of two rows see it: [H / 2, W, 2 * C], the upper row's values
    of each pixel first. A last row without another is both."""
    height, width, channels = rows.shape
    even = np.concatenate([rows, rows[-1:]]) if height % 2 else rows
    halves = even.reshape(-1, 2, width, channels).transpose(0, 2, 1, 3)
    return np.ascontiguousarray(halves).reshape(-1, width, 2 * channels)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Tables of one size, and the bits that one value is expected to cost with them."""

    tables: bytes
    bits_per_value: float


def no_skip(shape: RowShape, row: Rows) -> None:
    """`skip` and `recall` of a codec without state."""
    del shape, row


@dataclass(frozen=True, slots=True)
class Codec:
    """One codec; docs/FORMAT.md gives its bits, docs/CODECS.md its reasons.

    `fit(maps, shape, limit)` learns tables of at most `limit` bytes from calibration maps
    int8 [H, W, C]. `start(tables, shape)` gives the state before row 0 (BadContainer when the
    tables do not fit the shape). `encode(state, row)` and `decode(state, code)` go on by one row
    int8 [W, C]; `skip(state, row)` says that the row was stored as it is instead, and
    `recall(state, row)` that the row above is to be taken for this one; what was learned stays.
    `state_bytes(shape)` is what one cursor needs in fast memory; C says the same number.
    `candidates(maps, shape)`, if the codec has it, gives tables of growing size to choose from. A
    codec that is not `lossless` gives rows back as exactly as its tables allow; it is used only
    when the user names it. A codec that `refers` reads the same row of the previous frame from
    `state.reference`, which the caller sets before each row.
    """

    id: int
    name: str
    fit: Callable[[Sequence[Rows], RowShape, int], bytes]
    start: Callable[[bytes, RowShape], Any]
    encode: Callable[[Any, Rows], bytes]
    decode: Callable[[Any, bytes], Rows]
    skip: Callable[[Any, Rows], None]
    state_bytes: Callable[[RowShape], int]
    candidates: Callable[[Sequence[Rows], RowShape], Sequence[Candidate]] | None = None
    lossless: bool = True
    refers: bool = False
    recall: Callable[[Any, Rows], None] = no_skip


def fit_of(candidates: Callable[[Sequence[Rows], RowShape], Sequence[Candidate]],
           ) -> Callable[[Sequence[Rows], RowShape, int], bytes]:
    """The `fit` that takes the best of `candidates` within the limit, or else the smallest."""
    def fit(maps: Sequence[Rows], shape: RowShape, limit: int) -> bytes:
        found = candidates(maps, shape)
        fitting = [c for c in found if len(c.tables) <= limit]
        return min(fitting or [min(found, key=lambda c: len(c.tables))],
                   key=lambda c: c.bits_per_value).tables

    return fit


def no_fit(maps: Sequence[Rows], shape: RowShape, limit: int) -> bytes:
    """`fit` of a codec without tables."""
    del maps, shape, limit
    return b""


def no_start(tables: bytes, shape: RowShape) -> RowShape:
    """`start` of a codec without tables and state: the shape is all it needs."""
    if tables:
        raise BadContainer(f"codec tables of {len(tables)} bytes, expected none")
    return shape


def no_state(shape: RowShape) -> int:
    """`state_bytes` of a codec without state."""
    del shape
    return 0
