# SPDX-License-Identifier: Apache-2.0
"""Standard errors against the textbook."""

import numpy as np
import pytest

from edgefm.evaluate.validate.statistics import jackknife, mean_and_error


def test_the_error_of_a_mean_is_the_textbooks() -> None:
    assert mean_and_error([1.0, 3.0]) == (2.0, 1.0)
    assert mean_and_error([5.0]) == (5.0, None)


def test_the_jackknife_of_a_mean_is_its_error() -> None:
    values = np.random.default_rng(0).normal(size=40)
    found = jackknife(40, lambda some: float(values[list(some)].mean()))
    assert found == pytest.approx(mean_and_error(list(values))[1])


def test_many_pictures_are_left_out_in_groups() -> None:
    values = np.random.default_rng(0).normal(size=3000)
    sizes = set()

    def mean(some: object) -> float:
        chosen = np.asarray(some)
        sizes.add(len(chosen))
        return float(values[chosen].mean())

    assert jackknife(3000, mean) == pytest.approx(3000 ** -0.5, rel=0.3)
    assert sizes == {2970}


def test_one_picture_has_no_error() -> None:
    assert jackknife(1, lambda _: 1.0) is None
