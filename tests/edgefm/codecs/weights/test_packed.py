# SPDX-License-Identifier: Apache-2.0
"""Packed weights: the bytes by hand, and what no encoder writes."""

import numpy as np
import pytest

from edgefm.codecs.weights.packed import decode, encode
from edgefm.errors import BadContainer


def test_a_tile_by_hand():
    tile = np.array([-3, 4, -3, 0], np.int8)
    assert encode(tile) == bytes([3, 253, 0b00_111_000, 0b0110])
    assert np.array_equal(decode(bytes([3, 253, 0b00_111_000, 0b0110]), 4), tile)


@pytest.mark.parametrize("span", [0, 7, 8, 15, 16, 63])
def test_a_tile_takes_the_fewest_bits_that_reach(span):
    tile = np.array([100 - span, 100], np.int8)
    code = encode(tile)
    assert code is not None and code[0] == max(span.bit_length(), 3)
    assert np.array_equal(decode(code, 2), tile)


def test_more_than_six_bits_are_not_packed():
    assert encode(np.array([-32, 32], np.int8)) is None


@pytest.mark.parametrize("code, count", [
    (b"", 0), (b"\x03", 0), (b"\x02\x00\x00", 1), (b"\x07\x00\x00", 1), (b"\x03\x00", 1),
    (b"\x03\x00\x00\x00", 1), (b"\x03\x00\x08", 1)])
def test_what_no_encoder_writes_is_refused(code, count):
    with pytest.raises(BadContainer):
        decode(code, count)
