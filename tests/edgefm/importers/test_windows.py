# SPDX-License-Identifier: Apache-2.0
"""Window arithmetic against a count by hand."""

import itertools

import pytest

from edgefm.importers.windows import same_padding, window_size


def test_window_size_counts_the_windows_that_fit() -> None:
    for size, kernel, stride, dilation, pads in itertools.product(
            (5, 6, 9), (1, 2, 3), (1, 2, 3), (1, 2), ((0, 0), (1, 0), (1, 2))):
        reach = (kernel - 1) * dilation + 1
        starts = range(-pads[0], size + pads[1] - reach + 1, stride)
        assert window_size(size, kernel, stride, dilation, pads) == len(starts)


@pytest.mark.parametrize(("size", "kernel", "stride", "dilation", "expected"), [
    (224, 3, 2, 1, (0, 1)), (7, 3, 2, 1, (1, 1)), (49, 10, 2, 1, (4, 5)), (33, 3, 1, 2, (2, 2)),
    (8, 1, 2, 1, (0, 0)), (5, 2, 1, 1, (0, 1))])
def test_same_padding(size: int, kernel: int, stride: int, dilation: int,
                      expected: tuple[int, int]) -> None:
    assert same_padding(size, kernel, stride, dilation) == expected
    assert window_size(size, kernel, stride, dilation, expected) == -(-size // stride)
