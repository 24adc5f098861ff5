# SPDX-License-Identifier: Apache-2.0
"""The ebpc codec's bits, by hand."""

import numpy as np
import pytest

from edgefm.codecs import RowShape, ebpc
from edgefm.errors import BadContainer


def coded(*bits: str) -> bytes:
    text = "".join(bits).replace(" ", "")
    return int(text.ljust(-len(text) % 8 + len(text), "0"), 2).to_bytes(-(-len(text) // 8), "big")


def test_flags_then_planes():
    row = np.array([[1], [2], [3], [4], [5], [6], [7], [8], [0], [0]], np.int8)
    # every difference is 1: planes 8..1 are zero (a run of 8), plane 0 all ones
    expected = coded("11111111", "0 0001", "000", "00000001", "001 110", "00000")
    assert ebpc.encode(RowShape(10, 1, 0), row) == expected
    assert np.array_equal(ebpc.decode(RowShape(10, 1, 0), expected), row)


@pytest.mark.parametrize("block, symbols", [
    ([4, 4, 4, 4, 4, 4, 4, 4], "00000100 001 111"),                     # nine planes of zeros
    ([0, 1, 1, 1, 1, 1, 1, 1], "00000000 001 110 00011 000"),           # a single one
    ([0, 1, 2, 2, 2, 2, 2, 2], "00000000 001 110 00010 000"),           # two adjacent ones
    ([0, 1, 1, 2, 2, 2, 2, 2], "00000000 001 110 1 1010000"),           # raw plane
    ([1, 0, -1, -2, -3, -4, -5, -6], "00000001 00000 001 110"),         # -1: ones, eight repeats
    ([0, 2, 2, 2, 2, 2, 2, 2], "00000000 001 101 00011 000 00001"),     # plane falls back to zero
])
def test_each_symbol_of_the_plane_code(block, symbols):
    shape = RowShape(8, 1, 100)
    row = np.array(block, np.int8)[:, None]
    assert ebpc.encode(shape, row) == coded("11111111", symbols)
    assert np.array_equal(ebpc.decode(shape, coded("11111111", symbols)), row)


def test_the_last_block_is_filled_up_with_zero_points():
    row = np.array([[5], [-3], [-3]], np.int8)
    code = ebpc.encode(RowShape(3, 1, -3), row)
    filled = ebpc.encode(RowShape(8, 1, 99), np.array([[5]] + [[-3]] * 7, np.int8))
    assert code[1:] == filled[1:]


@pytest.mark.parametrize("code", [
    coded("0 0001"),                                             # too few flags
    coded("0 1111"),                                             # a run past the row
    coded("11111111"),                                           # no block
    coded("11111111", "00000001 001 110 00011 111"),             # no such position
    coded("11111111", "01111111 001 110 00000"),                 # 127 + 1
    coded("11111111", "00000001 001 110 01", "0" * 14),          # bytes to spare
    coded("11111111", "00000001 001 111", "01"),                 # ten planes
])
def test_what_no_encoder_writes_is_refused(code):
    with pytest.raises(BadContainer):
        ebpc.decode(RowShape(8, 1, 100), code)
