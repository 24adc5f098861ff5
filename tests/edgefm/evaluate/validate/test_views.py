# SPDX-License-Identifier: Apache-2.0
"""Views of an input, and the way back for boxes and masks."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.evaluate.validate.views import MOST, View, views

PICTURE = np.arange(2 * 4 * 5).reshape(1, 8, 5, 1).astype(np.uint8)


def test_the_first_view_is_the_picture_and_the_second_its_mirror() -> None:
    first, second = views(2)
    np.testing.assert_array_equal(first.of(PICTURE), PICTURE)
    np.testing.assert_array_equal(second.of(PICTURE), PICTURE[:, :, ::-1])


def test_all_views_differ_and_move_by_three_pixels_at_most() -> None:
    seen = views(MOST)
    assert len(set(seen)) == MOST
    assert all(max(abs(view.down), abs(view.right)) <= 3 for view in seen)


@pytest.mark.parametrize("count", [0, MOST + 1])
def test_another_number_of_views_is_refused(count: int) -> None:
    with pytest.raises(BadInput, match=f"expected 1 to {MOST}"):
        views(count)


def test_a_move_repeats_the_edge() -> None:
    moved = View(False, 2, -1).of(PICTURE)
    np.testing.assert_array_equal(moved[0, 2:, :-1], PICTURE[0, :-2, 1:])
    np.testing.assert_array_equal(moved[0, 0], moved[0, 2])
    np.testing.assert_array_equal(moved[0, :, -1], moved[0, :, -2])


def test_channels_first_is_moved_alike() -> None:
    view = View(True, 1, -2)
    np.testing.assert_array_equal(
        view.of(PICTURE.transpose(0, 3, 1, 2).repeat(3, 1))[:, 1], view.of(PICTURE)[..., 0])


@pytest.mark.parametrize("view", views(MOST))
def test_masks_and_boxes_come_back_to_where_they_were(view: View) -> None:
    mask = np.zeros((1, 40, 50), np.int64)
    mask[0, 10:20, 15:40] = 7
    seen = view.of(mask[..., None])[..., 0]
    np.testing.assert_array_equal(view.mask_back(seen, (40, 50)), mask)
    rows, columns = np.nonzero(seen[0])
    box = np.array([rows.min() / 40, columns.min() / 50,
                    (rows.max() + 1) / 40, (columns.max() + 1) / 50])
    np.testing.assert_allclose(view.boxes_back(box[None, None], (40, 50))[0, 0],
                               [10 / 40, 15 / 50, 20 / 40, 40 / 50])
