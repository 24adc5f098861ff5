# SPDX-License-Identifier: Apache-2.0
"""Views of a picture: mirrored and shifted by 1 to 3 pixels, to measure one photo many times.

Any small change can turn a decision near the border between two classes. The mean over views says
how near it is, and halves the standard error of a difference compared to a single view.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edgefm.errors import BadInput
from edgefm.network.graph import Array

_SHIFTS = ((0, 0), (1, 2), (-2, 1), (-1, -3), (3, -1), (2, 3), (-3, -2), (1, -1))
MOST = 2 * len(_SHIFTS)


@dataclass(frozen=True, slots=True)
class View:
    """A picture mirrored left to right (or not), then moved by pixels of the network's input."""

    mirrored: bool
    down: int
    right: int

    def of(self, data: Array) -> Array:
        """The view of an input [1, H, W, C] or [1, C, H, W]; edges are repeated where it moved."""
        rows, columns = (1, 2) if data.shape[3] in (1, 3) else (2, 3)
        if self.mirrored:
            data = np.flip(data, columns)
        for axis, by in ((rows, self.down), (columns, self.right)):
            data = _moved(data, axis, by)
        return np.ascontiguousarray(data)

    def boxes_back(self, boxes: Array, size: tuple[int, int]) -> Array:
        """Boxes [..., 4] (top, left, bottom, right; 0..1 of an input of `size` (height, width))
        as they lie in the picture itself."""
        moved = np.asarray(boxes, np.float64) - np.tile(
            (self.down / size[0], self.right / size[1]), 2)
        if self.mirrored:
            moved = moved[..., [0, 3, 2, 1]] * (1, -1, 1, -1) + (0, 1, 0, 1)
        return np.asarray(moved)

    def mask_back(self, mask: Array, size: tuple[int, int]) -> Array:
        """A mask [1, h, w, ...] over an input of `size` (height, width), as it lies in the picture.
        """
        for axis, by, length in ((1, self.down, size[0]), (2, self.right, size[1])):
            mask = _moved(mask, axis, -round(by * mask.shape[axis] / length))
        return np.flip(mask, 2) if self.mirrored else mask


def views(count: int) -> Sequence[View]:
    """The first `count` views: as it is, mirrored, then moved and both, again and again."""
    if not 1 <= count <= MOST:
        raise BadInput(f"{count} views; expected 1 to {MOST}")
    return [View(bool(number % 2), *_SHIFTS[number // 2]) for number in range(count)]


def _moved(data: Array, axis: int, by: int) -> Array:
    if by == 0:
        return data
    length = data.shape[axis]
    return data.take(np.clip(np.arange(length) - by, 0, length - 1), axis)
