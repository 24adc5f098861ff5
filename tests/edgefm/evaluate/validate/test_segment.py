# SPDX-License-Identifier: Apache-2.0
"""Mean intersection over union from masks that can be counted by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from edgefm.errors import BadInput
from edgefm.evaluate.validate.segment import evidence, figures
from edgefm.images.annotations import MaskedFile
from edgefm.network.graph import Array

TRUTH = np.array([[0, 0, 1, 1], [0, 0, 1, 255]], np.uint8)


@pytest.fixture
def labeled(tmp_path: Path) -> MaskedFile:
    Image.fromarray(TRUTH).save(tmp_path / "mask.png")
    return MaskedFile(tmp_path / "a.jpg", tmp_path / "mask.png")


def mask(*values: int) -> Array:
    return np.array(values, np.int64).reshape(2, 4)


def test_unlabeled_pixels_do_not_count(labeled: MaskedFile) -> None:
    right = evidence(labeled, (4, 2), [mask(0, 0, 1, 1, 0, 0, 1, 9)], None)
    assert right["ours"][0][0] == 4 and np.sum(right["ours"]) == 7
    assert figures([right])["miou"] == 100


def test_a_known_mistake_costs_what_it_should(labeled: MaskedFile) -> None:
    one = evidence(labeled, (4, 2), [mask(0, 0, 0, 1, 0, 0, 5, 0)], None)
    result = figures([one])
    assert result["miou"] == pytest.approx(100 * (4 / 5 + 1 / 3) / 2)
    assert result["classes"] == 2


def test_pictures_are_counted_together_whatever_their_classes(labeled: MaskedFile) -> None:
    one = evidence(labeled, (4, 2), [mask(0, 0, 1, 1, 0, 0, 1, 0)], None)
    other = evidence(labeled, (4, 2), [mask(7, 7, 1, 1, 7, 7, 1, 0)], None)
    result = figures([one, other])
    assert result["miou"] == pytest.approx(100 * (4 / 8 + 1) / 2)
    assert result["miou_error"] == pytest.approx(25)


def test_views_and_judges(labeled: MaskedFile) -> None:
    ours = [mask(0, 0, 1, 1, 0, 0, 1, 0), mask(0, 0, 0, 0, 0, 0, 0, 0)]
    judge = [mask(0, 0, 1, 1, 0, 0, 1, 0)] * 2
    result = figures([evidence(labeled, (4, 2), ours, judge)])
    assert result["miou"] == pytest.approx(100 * (8 / 11 + 0.5) / 2)
    assert result["reference_miou"] == 100
    assert result["agreement"] == 100 * 13 / 16


def test_a_mask_of_another_size_is_refused(labeled: MaskedFile) -> None:
    with pytest.raises(BadInput, match=r"mask\.png: 4x2 pixels, expected 5x2 like a\.jpg"):
        evidence(labeled, (5, 2), [mask(*[0] * 8)], None)
