# SPDX-License-Identifier: Apache-2.0
"""Where a picture lies in a network's input, and the way back for boxes and masks.

Three geometries: `crop` keeps the middle, `stretch` ignores the aspect ratio, `letterbox` shows the
whole picture and fills the rest. All of them are one scale and one offset per axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgefm.network.graph import Array

GEOMETRIES = ("crop", "stretch", "letterbox")

# The usual evaluation of ImageNet networks resizes to 256 before it crops 224.
_RESIZE, _CROP = 256, 224
_CLOSE = 20  # an image at most 1/20 larger than the input is only cropped


@dataclass(frozen=True, slots=True)
class Placement:
    """A picture of `picture` pixels is resized to `resized`, then shifted by `offset` into `input`.

    All pairs are (width, height). An offset is negative where pixels are cut off and positive
    where the input is wider than the resized picture.
    """

    picture: tuple[int, int]
    resized: tuple[int, int]
    offset: tuple[int, int]
    input: tuple[int, int]

    def boxes_to_picture(self, boxes: Array) -> Array:
        """Map boxes [N, 4] (top, left, bottom, right; 0..1 of the input) to picture pixels.

        Returns float64 [N, 4] in the same order, clipped to the picture.
        """
        result = np.empty((len(boxes), 4), np.float64)
        for column, axis in enumerate((1, 0, 1, 0)):
            at = np.asarray(boxes, np.float64)[:, column] * self.input[axis] - self.offset[axis]
            at *= self.picture[axis] / self.resized[axis]
            result[:, column] = np.clip(at, 0, self.picture[axis])
        return result

    def mask_to_picture(self, mask: Array, outside: int = 0) -> Array:
        """Map a label map [h, w] over the input to [picture height, picture width], same type.

        Each picture pixel takes the label under its center; pixels the input never saw get
        `outside`.
        """
        rows, row_seen = self._labels_along(1, mask.shape[0])
        columns, column_seen = self._labels_along(0, mask.shape[1])
        result: Array = mask[np.ix_(rows, columns)]
        result[~row_seen, :] = outside
        result[:, ~column_seen] = outside
        return result

    def _labels_along(self, axis: int, labels: int) -> tuple[Array, Array]:
        """For every picture pixel on one axis: the index in the mask, and whether it has one."""
        center = np.arange(self.picture[axis]) + 0.5
        at = center * self.resized[axis] / self.picture[axis] + self.offset[axis]
        index = np.floor(at * labels / self.input[axis]).astype(np.int64)
        return np.clip(index, 0, labels - 1), (index >= 0) & (index < labels)


def place(picture: tuple[int, int], geometry: str, target: tuple[int, int]) -> Placement:
    """Place a picture of (width, height) pixels in an input of `target` (width, height) pixels."""
    if geometry == "stretch":
        return Placement(picture, target, (0, 0), target)
    if geometry == "letterbox":
        resized = _scaled(picture, target, cover=False)
    elif _nearly(picture, target):
        resized = picture
    else:
        wanted = (_round(target[0] * _RESIZE, _CROP), _round(target[1] * _RESIZE, _CROP))
        resized = _scaled(picture, wanted, cover=True)
    # floor division puts the odd pixel of a cut on the far side, of a margin on the near side
    offset = (-((resized[0] - target[0]) // 2), -((resized[1] - target[1]) // 2))
    return Placement(picture, resized, offset, target)


def _nearly(picture: tuple[int, int], target: tuple[int, int]) -> bool:
    """True when the picture covers the input and is at most 5 % larger."""
    excess = [(p - t, t) for p, t in zip(picture, target, strict=True)]
    return all(over >= 0 and over * _CLOSE <= side for over, side in excess)


def _scaled(picture: tuple[int, int], box: tuple[int, int], *, cover: bool) -> tuple[int, int]:
    """Scale with the aspect ratio kept, until the picture covers the box or just fits inside."""
    by_width = (box[0], max(1, _round(picture[1] * box[0], picture[0])))
    by_height = (max(1, _round(picture[0] * box[1], picture[1])), box[1])
    return max(by_width, by_height) if cover else min(by_width, by_height)


def _round(numerator: int, denominator: int) -> int:
    """Divide positive integers to the nearest integer, halves up."""
    return (2 * numerator + denominator) // (2 * denominator)
