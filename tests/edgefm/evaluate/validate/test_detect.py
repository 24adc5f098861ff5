# SPDX-License-Identifier: Apache-2.0
"""Mean average precision from boxes that can be judged by hand."""

import pytest

from edgefm.evaluate.validate.detect import average_precision, figures, overlap

A, B = [0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 40.0, 40.0]


def found(truth: list[list[float]], ours: list[list[float]],
          oracle: list[list[float]] | None = None) -> dict[str, object]:
    return {"truth": truth, "ours": [ours], "oracle": None if oracle is None else [oracle]}


def test_overlap_of_known_boxes() -> None:
    assert overlap(A, A) == 1
    assert overlap(A, [0, 0, 10, 5]) == 0.5
    assert overlap(A, [5, 0, 15, 10]) == pytest.approx(1 / 3)
    assert overlap(A, B) == overlap(A, [10, 0, 20, 10]) == 0


def test_average_precision_of_known_rankings() -> None:
    assert average_precision([(0.9, True), (0.8, True)], 2) == 1
    assert average_precision([(0.9, False), (0.8, True)], 1) == 0.5
    assert average_precision([(0.9, True), (0.8, False), (0.7, True)], 2) == pytest.approx(
        0.5 + 0.5 * 2 / 3)
    assert average_precision([(0.9, True)], 4) == 0.25
    assert average_precision([], 3) == 0


def test_every_label_is_found_once() -> None:
    result = figures([found([[1, *A]], [[1, 0.9, *A], [1, 0.8, *A]])])
    assert (result["map50"], result["classes"], result["boxes"]) == (100.0, 1, 1)
    result = figures([found([[1, *A], [1, *B]], [[1, 0.9, *A], [1, 0.8, *A], [1, 0.7, *B]])])
    assert result["map50"] == pytest.approx(100 * (0.5 + 0.5 * 2 / 3))


def test_a_box_of_another_class_or_too_far_away_is_wrong() -> None:
    assert figures([found([[1, *A]], [[2, 0.9, *A]])])["map50"] == 0
    assert figures([found([[1, *A]], [[1, 0.9, 0, 0, 10, 4.9]])])["map50"] == 0
    assert figures([found([[1, *A]], [[1, 0.9, 0, 0, 10, 5]])])["map50"] == 100


def test_the_mean_is_over_labeled_classes_and_all_pictures() -> None:
    result = figures([found([[1, *A]], [[1, 0.9, *A], [3, 0.9, *B]]), found([[2, *B]], [])])
    assert (result["map50"], result["classes"]) == (50.0, 2)


def test_a_false_box_in_another_picture_costs_precision() -> None:
    result = figures([found([[1, *A]], [[1, 0.5, *A]]), found([[1, *B]], [[1, 0.9, *A]])])
    assert result["map50"] == pytest.approx(100 * 0.5 * 0.5)


def test_difference_and_agreement_are_the_judges() -> None:
    pictures = [found([[1, *A]], [[1, 0.9, *A]], [[1, 0.6, *A]]),
                found([[1, *B]], [], [[1, 0.6, *B], [1, 0.4, *A]])]
    result = figures(pictures)
    assert (result["map50"], result["reference_map50"]) == (50.0, 100.0)
    assert (result["difference"], result["agreement"], result["changed"]) == (-50.0, 50.0, 50.0)
    assert result["difference_error"] == 50.0


def test_without_a_judge_its_figures_are_null() -> None:
    result = figures([found([[1, *A]], [[1, 0.9, *A]])])
    assert {name for name, value in result.items() if value is None} == {
        "map50_error", "reference_map50", "difference", "difference_error", "agreement", "changed"}
