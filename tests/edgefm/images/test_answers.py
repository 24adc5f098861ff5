# SPDX-License-Identifier: Apache-2.0
"""Outputs become classes, boxes and masks in the picture's own pixels."""

import numpy as np
import pytest
from PIL import Image

from edgefm.images import answers
from edgefm.images.geometry import place
from edgefm.network.graph import Array

DETECTOR = [(1, 10, 4), (1, 10), (1, 10), (1,)]


@pytest.mark.parametrize(("shapes", "expected"), [
    (DETECTOR, "boxes"), ([(1, 1001)], "scores"), ([(1, 1, 1, 10)], "scores"),
    ([(1, 513, 513)], "mask"), ([(1, 65, 65, 21)], "mask"), ([(1, 7, 7, 1)], "mask"),
    ([()], "tensors"), ([(1, 1)], "tensors"), ([(2, 5)], "tensors"), ([(1, 1, 9, 9)], "tensors")])
def test_kind_follows_the_shapes(shapes: list[tuple[int, ...]], expected: str) -> None:
    assert answers.kind(shapes) == expected


def test_an_autoencoders_output_is_no_class_list() -> None:
    assert answers.kind([(1, 640)], (1, 640)) == "tensors"


def test_top_scores_break_ties_by_index() -> None:
    best = answers.top_scores(np.array([[1, 3, 3, 2]]), ("a", "b"), 3)
    assert [(one.index, one.name, one.score) for one in best] == [
        (1, "b", 3.0), (2, "class 2", 3.0), (3, "class 3", 2.0)]


def test_dequantized_uses_scale_and_zero_point_of_integers_only() -> None:
    assert answers.dequantized(np.array([130], np.uint8), 0.5, 128).tolist() == [1.0]
    assert answers.dequantized(np.array([7], np.int64), 0.0, 0).tolist() == [7.0]
    assert answers.dequantized(np.array([0.25], np.float32), 0.5, 128).tolist() == [0.25]


def _detections(scores: list[float], count: float) -> list[Array]:
    edges = np.tile(np.array([0.25, 0.5, 0.5, 1.0], np.float32), (1, len(scores), 1))
    return [edges, np.arange(len(scores), dtype=np.float32)[None],
            np.array([scores], np.float32), np.array([count], np.float32)]


def test_boxes_come_best_first_above_the_threshold_in_picture_pixels() -> None:
    placement = place((600, 200), "stretch", (300, 300))
    found = answers.boxes(_detections([0.6, 0.9, 0.4], 3), placement, ("cat", "dog"), 0.5)
    assert [(box.name, round(box.score, 3)) for box in found] == [("dog", 0.9), ("cat", 0.6)]
    assert (found[0].top, found[0].left, found[0].bottom, found[0].right) == (50, 300, 100, 600)


@pytest.mark.parametrize("count", [1.0, 99.0, -1.0, float("nan")])
def test_boxes_never_trust_the_count(count: float) -> None:
    placement = place((10, 10), "stretch", (10, 10))
    found = answers.boxes(_detections([0.6, 0.9], count), placement, (), 0.0)
    assert len(found) == {1.0: 1, 99.0: 2}.get(count, 0)


@pytest.mark.parametrize("shape", [(1, 2, 2), (1, 2, 2, 1)])
def test_mask_of_classes(shape: tuple[int, ...]) -> None:
    output = np.array([0, 1, 2, 3], np.int64).reshape(shape)
    labels = answers.mask(output, place((4, 4), "stretch", (2, 2)))
    assert labels[::2, ::2].tolist() == [[0, 1], [2, 3]]


def test_mask_of_scores_takes_the_largest() -> None:
    output = np.eye(3, dtype=np.int8)[[0, 2, 1, 1]].reshape(1, 2, 2, 3)
    labels = answers.mask(output, place((2, 2), "stretch", (2, 2)))
    assert labels.tolist() == [[0, 2], [1, 1]]


def test_drawings_change_what_was_found_only() -> None:
    image = Image.new("RGB", (40, 30))
    box = answers.Box("cat", 0.5, 20, 10, 28, 30)
    drawn = np.asarray(answers.draw_boxes(image, [box]))
    assert drawn[28, 20].any() and not drawn[5, 5].any()
    labels = np.zeros((30, 40), np.int64)
    labels[3, 4] = 7
    changed = np.asarray(answers.draw_mask(image, labels)).any(axis=2)
    assert np.argwhere(changed).tolist() == [[3, 4]]
