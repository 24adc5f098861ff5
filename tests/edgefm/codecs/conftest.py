# SPDX-License-Identifier: Apache-2.0
"""Maps that codecs find hard."""

import numpy as np
import pytest

from edgefm.codecs import RowShape
from edgefm.codecs.interface import Rows

Case = tuple[RowShape, Rows]


def smooth(height: int, width: int, channels: int, seed: int) -> np.ndarray:
    """A random surface with neighbors and channels that resemble each other."""
    noise = np.random.default_rng(seed).normal(0, 6, (height, width, channels))
    surface = noise.cumsum(0).cumsum(1) / 3 + noise[..., :1] * 4
    return np.clip(surface, -128, 127).astype(np.int8)


def hard_cases() -> dict[str, Case]:
    """Name -> (shape, map)."""
    rng = np.random.default_rng(7)
    sparse = np.where(rng.random((5, 9, 6)) < 0.9, -128, rng.integers(-127, 128, (5, 9, 6)))
    flips = np.where(np.indices((4, 6, 3)).sum(0) % 2, 127, -128)
    maps = {
        "constant": (np.full((3, 5, 4), 17), 17),
        "constant_but_not_zero": (np.full((3, 5, 4), 17), -3),
        "lowest": (np.full((3, 5, 4), -128), -128),
        "highest": (np.full((3, 5, 4), 127), 127),
        "random": (rng.integers(-128, 128, (4, 7, 5)), 0),
        "sparse": (sparse, -128),
        "sparse_high_zero": (-1 - sparse, 127),
        "alternating": (flips, -128),
        "alternating_zero_high": (flips, 127),
        "one_value": (np.array([[[-5]]]), -5),
        "width_one": (rng.integers(-20, 20, (6, 1, 11)), 0),
        "one_channel": (rng.integers(-3, 3, (6, 13, 1)), -1),
        "long_runs": (np.where(np.arange(2 * 40 * 2).reshape(2, 40, 2) % 67 == 3, 9, -128), -128),
        "smooth": (smooth(8, 12, 6, 1), 3),
        "smooth_relu": (np.maximum(smooth(8, 12, 6, 2), -100).astype(int), -100),
        "smooth_relu_lowest": (np.maximum(smooth(8, 12, 6, 3).astype(int) - 60, -128), -128),
    }
    return {name: (RowShape(m.shape[1], m.shape[2], zero), m.astype(np.int8))
            for name, (m, zero) in maps.items()}


@pytest.fixture(params=hard_cases().keys())
def case(request: pytest.FixtureRequest) -> Case:
    """Each hard map in turn."""
    return hard_cases()[request.param]


@pytest.fixture
def smooth_maps() -> list[Rows]:
    """Six similar maps int8 [16, 10, 8] with much to learn."""
    return [smooth(16, 10, 8, seed) for seed in range(6)]
