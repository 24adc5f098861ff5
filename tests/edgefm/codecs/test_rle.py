# SPDX-License-Identifier: Apache-2.0
"""The rle codec's bits, by hand."""

import numpy as np
import pytest

from edgefm.codecs import RowShape, rle
from edgefm.errors import BadContainer

SHAPE = RowShape(3, 2, -1)


def test_a_row_is_read_channel_by_channel():
    row = np.array([[-1, 5], [-1, -1], [-1, -1]], np.int8)  # 3 zeros, 5, 2 zeros
    bits = "0 0010" + "1 00000101" + "0 0001"
    code = rle.encode(SHAPE, row)
    assert code == int(bits.replace(" ", "").ljust(24, "0"), 2).to_bytes(3, "big")
    assert np.array_equal(rle.decode(SHAPE, code), row)


@pytest.mark.parametrize("bits, text", [
    ("00000 00100", "goes on"), ("00110", "past the row"), ("111111111 00100", "as a value"),
    ("00101 001", "holds a one"), ("00101 000 00000000", "were used"), ("0010", "in the middle")])
def test_what_no_encoder_writes_is_refused(bits, text):
    bits = bits.replace(" ", "")
    code = int(bits.ljust(-len(bits) % 8 + len(bits), "0"), 2).to_bytes(-(-len(bits) // 8), "big")
    if text == "in the middle":
        code = b""
    with pytest.raises(BadContainer, match=text):
        rle.decode(SHAPE, code)
