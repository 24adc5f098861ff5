# SPDX-License-Identifier: Apache-2.0
"""Classification: exact figures from known evidence, scores and divergence."""

import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.evaluate.validate.classify import best, class_scores, divergence, figures

RIGHT = {"label": 1, "ours": [[1, 2]], "oracle": [[1, 3]], "source": None}
WRONG = {"label": 1, "ours": [[2, 1]], "oracle": [[1, 2]], "source": None}


def test_figures_of_known_evidence() -> None:
    found = figures([RIGHT, WRONG])
    assert (found["top1"], found["top5"], found["top1_error"]) == (50.0, 100.0, 50.0)
    assert (found["reference_top1"], found["reference_top5"]) == (100.0, 100.0)
    assert (found["difference"], found["difference_error"]) == (-50.0, 50.0)
    assert (found["top1_agreement"], found["changed"]) == (50.0, 50.0)
    assert found["float_top1"] is None


def test_the_float_network_is_the_judge_where_there_is_one() -> None:
    found = figures([{**RIGHT, "source": [[2, 1]]}])
    assert (found["float_top1"], found["reference_top1"]) == (0.0, 100.0)
    assert (found["top1_agreement"], found["difference"]) == (0.0, 100.0)


def test_views_of_one_picture_do_not_make_the_error_smaller() -> None:
    once = figures([RIGHT, WRONG])
    often = figures([{**one, "ours": one["ours"] * 4, "oracle": one["oracle"] * 4}
                     for one in (RIGHT, WRONG)])
    assert often == once


def test_a_view_that_turns_counts_in_part() -> None:
    found = figures([{**RIGHT, "ours": [[1], [2]], "oracle": [[1], [1]]}])
    assert (found["top1"], found["difference"], found["changed"]) == (50.0, -50.0, 50.0)


def test_scores_drop_the_background_of_1001_classes() -> None:
    scores = class_scores(np.arange(1001, dtype=np.float32)[None], 0, 0)
    assert scores.shape == (1000,) and scores[0] == 1
    assert class_scores(np.zeros((1, 1000), np.int8), 1, 0).shape == (1000,)


def test_scores_are_dequantized() -> None:
    assert class_scores(np.array([[130, 128]], np.uint8), 0.5, 128).tolist() == [1.0, 0.0]


@pytest.mark.parametrize("shape", [(1, 4, 4, 3), (1, 10, 4), (1,), ()])
def test_an_output_that_is_no_class_vector_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(BadInput, match="one score per class"):
        class_scores(np.zeros(shape, np.int8), 1, 0)


def test_equal_scores_rank_by_index() -> None:
    assert best(np.array([0, 7, 9, 7, 7, 7, 7])) == [2, 1, 3, 4, 5]


def test_divergence_of_probabilities_is_the_textbooks() -> None:
    p, q = np.array([0.5, 0.5]), np.array([0.25, 0.75])
    expected = 0.5 * np.log(2) + 0.5 * np.log(2 / 3)
    assert divergence(p, q) == pytest.approx(expected, rel=1e-4)
    assert divergence(p, p) == 0


def test_divergence_passes_logits_through_a_softmax() -> None:
    p = np.array([0.2, 0.8])
    assert divergence(np.log(p) + 7, p) == pytest.approx(0, abs=1e-9)


def test_a_probability_of_zero_costs_a_finite_amount() -> None:
    assert 5 < divergence(np.array([0.5, 0.5]), np.array([0.0, 1.0])) < 6
