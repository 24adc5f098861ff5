# SPDX-License-Identifier: Apache-2.0
"""The zvc codec's bytes, by hand."""

import numpy as np
import pytest

from edgefm.codecs import RowShape, zvc
from edgefm.errors import BadContainer

SHAPE = RowShape(5, 2, 3)


def test_the_mask_comes_first_and_starts_at_the_lowest_bit():
    row = np.array([[7, 3], [3, 3], [3, -2], [3, 3], [3, 9]], np.int8)
    code = zvc.encode(SHAPE, row)
    assert code == bytes([0b00100001, 0b10, 7, 0xFE, 9])
    assert np.array_equal(zvc.decode(SHAPE, code), row)


@pytest.mark.parametrize("code", [
    b"", b"\x00", b"\x01\x00", b"\x00\x00\x07", b"\x00\x04", b"\x01\x00\x03"])
def test_what_no_encoder_writes_is_refused(code):
    with pytest.raises(BadContainer):
        zvc.decode(SHAPE, code)
