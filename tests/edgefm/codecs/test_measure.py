# SPDX-License-Identifier: Apache-2.0
"""Measuring codecs counts every byte."""

import numpy as np

from edgefm.codecs import CODECS, RowShape
from edgefm.codecs.measure import measure

SHAPE = RowShape(8, 4, 0)


def test_raw_is_eight_bits_and_has_no_directory():
    result = measure(CODECS["raw"], b"", SHAPE, [np.zeros((3, 8, 4), np.int8)] * 2)
    assert (result.bits_per_value, result.directory, result.raw_rows) == (8.0, 0, 6)


def test_row_lengths_count():
    result = measure(CODECS["zvc"], b"", SHAPE, [np.zeros((3, 8, 4), np.int8)])
    assert (result.code, result.directory, result.rows, result.raw_rows) == (12, 6, 3, 0)
    assert result.bits_per_value == 8 * 18 / 96


def test_an_engine_takes_the_place_of_python():
    class Engine:
        def row_bytes(self, codec, tables, shape, rows):
            assert (codec, tables, shape) == (1, b"", SHAPE)
            return [7] * len(rows)

    result = measure(CODECS["rle"], b"", SHAPE, [np.zeros((3, 8, 4), np.int8)], Engine())
    assert result.code == 21
