# SPDX-License-Identifier: Apache-2.0
"""Geometry: the crop rule, and boxes and masks that come back to where they were."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgefm.images.geometry import GEOMETRIES, Placement, place

sides = st.integers(1, 400)


def test_crop_only_cuts_a_picture_within_five_percent() -> None:
    placement = place((227, 235), "crop", (224, 224))
    assert placement.resized == (227, 235)
    assert placement.offset == (-1, -5)


@pytest.mark.parametrize("picture", [(236, 224), (223, 224), (300, 230)])
def test_crop_resizes_any_other_picture_to_256_224ths(picture: tuple[int, int]) -> None:
    placement = place(picture, "crop", (224, 224))
    assert min(placement.resized) == 256


def test_crop_keeps_the_aspect_ratio_and_takes_the_middle() -> None:
    placement = place((640, 480), "crop", (96, 96))
    assert placement.resized == (147, 110)  # 96 * 256 / 224 = 109.7
    assert placement.offset == (-25, -7)


def test_stretch_fills_the_input() -> None:
    assert place((640, 480), "stretch", (300, 200)) == Placement(
        (640, 480), (300, 200), (0, 0), (300, 200))


def test_letterbox_shows_everything_in_the_middle() -> None:
    placement = place((640, 480), "letterbox", (513, 513))
    assert placement.resized == (513, 385)
    assert placement.offset == (0, 64)


@given(sides, sides, sides, sides)
def test_crop_always_covers_the_input(w: int, h: int, input_w: int, input_h: int) -> None:
    resized = place((w, h), "crop", (input_w, input_h)).resized
    assert resized[0] >= input_w and resized[1] >= input_h


@given(sides, sides, sides, sides)
def test_letterbox_never_exceeds_the_input(w: int, h: int, input_w: int, input_h: int) -> None:
    resized = place((w, h), "letterbox", (input_w, input_h)).resized
    assert 1 <= resized[0] <= input_w and 1 <= resized[1] <= input_h


@given(st.sampled_from(GEOMETRIES), st.integers(50, 400), st.integers(50, 400))
def test_boxes_come_back_to_the_picture(geometry: str, width: int, height: int) -> None:
    placement = place((width, height), geometry, (200, 200))
    center = np.array([[0.4, 0.45, 0.6, 0.55]])
    top, left, bottom, right = placement.boxes_to_picture(center)[0]
    assert abs((top + bottom) / 2 - height / 2) <= max(1.0, height / 100)
    assert abs((left + right) / 2 - width / 2) <= max(1.0, width / 100)


def test_boxes_are_clipped_to_the_picture() -> None:
    boxes = place((100, 50), "letterbox", (100, 100)).boxes_to_picture(np.array([[-1, -1, 2, 2]]))
    assert boxes.tolist() == [[0, 0, 50, 100]]


def test_mask_of_a_letterboxed_picture_leaves_the_margins_behind() -> None:
    mask = np.full((4, 4), 9, np.uint8)
    mask[1:3] = [[1, 1, 2, 2], [3, 3, 4, 4]]
    back = place((4, 2), "letterbox", (4, 4)).mask_to_picture(mask)
    assert back.tolist() == [[1, 1, 2, 2], [3, 3, 4, 4]]


def test_mask_smaller_than_the_input_is_spread() -> None:
    back = place((8, 8), "stretch", (4, 4)).mask_to_picture(np.array([[1, 2], [3, 4]]))
    assert np.array_equal(back, np.kron([[1, 2], [3, 4]], np.ones((4, 4), np.int64)))


def test_mask_of_a_cropped_picture_says_what_was_never_seen() -> None:
    back = place((512, 256), "crop", (224, 224)).mask_to_picture(np.ones((2, 2), np.int32), 255)
    assert back.shape == (256, 512)
    assert np.all(back[:, :144] == 255) and np.all(back[16:240, 144:368] == 1)
