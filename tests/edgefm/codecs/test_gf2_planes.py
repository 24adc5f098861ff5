# SPDX-License-Identifier: Apache-2.0
"""Tables that store upper planes on a curve: steps, zero, channels that share, channels without."""

import numpy as np
import pytest

from edgefm.codecs import RowShape, gf2
from edgefm.codecs.gf2_planes import curve_of, plane_net, rounded
from edgefm.codecs.interface import in_pairs


def through(learned: gf2.Learned, levels: np.ndarray) -> np.ndarray:
    """Levels [H, W, C] as they come back; the net is for pairs where it has a second row."""
    shape = RowShape(levels.shape[1], levels.shape[2], -128)
    rows = (levels - 128).astype(np.int8)
    paired = len(learned.values) != learned.block * shape.channels
    if paired:
        rows, shape = in_pairs(rows), shape.in_pairs
    state = gf2.start(gf2.pack(learned), shape)
    back = np.stack([gf2.decode(state, gf2.encode(state, row)) for row in rows]).astype(int) + 128
    if paired:
        back = back.reshape(-1, shape.width, 2, shape.channels // 2).transpose(0, 2, 1, 3)
    return back.reshape(-1, *levels.shape[1:])


@pytest.mark.parametrize("bits", [1, 3, 4, 7, 8])
def test_equal_steps_round_to_the_nearest_and_keep_zero(bits):
    levels = np.arange(256).reshape(8, 32, 1)
    back = through(plane_net(-128, [bits], [False], [0], 1.0, 1), levels)
    step = 1 << 8 - bits
    expected = np.minimum((levels + step // 2) // step, 2 ** bits - 1) * step
    assert np.array_equal(back, expected) and back[0, 0, 0] == 0


def test_a_curve_errs_less_on_small_values():
    levels = np.random.default_rng(1).exponential(25, (20, 50, 1)).clip(0, 255).astype(int)
    errors = [((through(plane_net(-128, [3], [False], [0], power, 1), levels) - levels) ** 2).mean()
              for power in (1.0, 1.4)]
    assert errors[1] < 0.7 * errors[0]


def test_the_curve_goes_there_and_back():
    coded, back = (np.frombuffer(part, np.uint8).astype(int) for part in curve_of(1.4))
    assert (np.diff(coded) >= 0).all() and (coded[0], coded[-1], back[-1]) == (0, 255, 255)
    assert np.abs(back[coded] - np.arange(256)).max() <= 1


def test_channels_have_bits_of_their_own_and_a_constant_without():
    levels = np.random.default_rng(2).integers(0, 256, (6, 9, 3))
    learned = plane_net(-128, [2, 0, 5], [False] * 3, [0, 77, 0], 1.4, 4)
    assert len(learned.bits) == 4 * 7
    back = through(learned, levels)
    unequal = np.frombuffer(curve_of(1.4)[1], np.uint8).astype(int)
    assert np.array_equal(back[..., 0], unequal[rounded(2, 1.4)[levels[..., 0]]])
    assert np.array_equal(back[..., 2], unequal[rounded(5, 1.4)[levels[..., 2]]])
    assert (back[..., 1] == unequal[77]).all()


def test_four_pixels_share_the_planes_that_half_of_them_have():
    levels = np.zeros((2, 4, 2), int)
    levels[:, :, 0] = [[128, 64, 255, 0], [192, 0, 255, 255]]
    levels[:, :, 1] = [[10, 20, 200, 90], [250, 0, 1, 30]]
    learned = plane_net(-128, [2, 3], [True, False], [0, 0], 1.0, 2, 2)
    assert len(learned.bits) == 2 + 4 * 3
    back = through(learned, levels)
    assert back[:, :, 0].tolist() == [[192, 192, 192, 192]] * 2
    assert np.array_equal(back[:, :, 1], rounded(3, 1.0)[levels[:, :, 1]])
