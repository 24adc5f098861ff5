# SPDX-License-Identifier: Apache-2.0
"""Maps that are as bad as can be for codecs and caps."""

import numpy as np

from edgefm.codecs import RowShape


def adversaries(shape: RowShape, rows: int, seed: int) -> list[np.ndarray]:
    """Maps that no codec likes, and some that all do."""
    random = np.random.default_rng(seed)
    size = (rows, shape.width, shape.channels)
    ends = np.where(random.random(size) < 0.5, -128, 127)
    return [random.integers(-128, 128, size).astype(np.int8), ends.astype(np.int8),
            np.full(size, 127, np.int8), np.full(size, shape.zero_point, np.int8),
            np.where(np.arange(rows)[:, None, None] % 3 == 0, ends, 0).astype(np.int8)]
