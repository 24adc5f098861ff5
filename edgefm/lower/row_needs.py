# SPDX-License-Identifier: Apache-2.0
"""Which input rows an output row needs: the formulas of docs/FORMAT.md, as tables.

Every function returns one (first, last) pair per output row, both inclusive, monotone, clamped.
"""

from __future__ import annotations

from edgefm.network.program import Stream

Need = tuple[tuple[int, int], ...]


def identity(height: int) -> Need:
    """Row y needs row y; also the need of an operator that accumulates `height` input rows."""
    return tuple((y, y) for y in range(height))


def everything(height_in: int, height: int) -> Need:
    """Every row needs the whole input."""
    return ((0, height_in - 1),) * height


def shifted(offset: int, height_in: int, height: int) -> Need:
    """Row y needs row y - offset, or the nearest there is."""
    return window(1, 1, 1, offset, height_in, height)


def window(kernel: int, stride: int, dilation: int, pad: int, height_in: int, height: int) -> Need:
    """Row y needs the rows under a window that starts at y * stride - pad."""
    def clamp(row: int) -> int:
        return min(max(row, 0), height_in - 1)
    starts = (y * stride - pad for y in range(height))
    return tuple((clamp(s), clamp(s + (kernel - 1) * dilation)) for s in starts)


def restream(source: Stream, result: Stream) -> Need:
    """Row y needs the rows that hold its bytes when both maps are one run of bytes."""
    size = source.row_bytes
    return tuple((y * result.row_bytes // size, ((y + 1) * result.row_bytes - 1) // size)
                 for y in range(result.height))
