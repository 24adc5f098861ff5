# SPDX-License-Identifier: Apache-2.0
"""The context codec's tables and coder."""

import numpy as np
import pytest

from edgefm.codecs import RowShape, context
from edgefm.errors import BadContainer

TABLES = context.Tables(True, 24, (12, 24, 8, 8, 1), (26, 26, -6, 13),
                        (((0, 0), (0, 0)), ((1, -128), (0, 0)), ((2, 127), (1, -3))))


def test_tables_come_back_from_their_bytes():
    assert context.unpack(context.pack(TABLES), 3) == TABLES


def test_tables_layout_is_the_documented_one():
    assert context.pack(TABLES).hex(" ") == (
        "01 02 18 0c 18 08 08 01 1a 1a fa 0d 00 00 00 00 01 80 00 00 02 7f 01 fd")


@pytest.mark.parametrize("change", [
    lambda t: t[:11], lambda t: t[:-1], lambda t: t + b"\0", lambda t: b"\2" + t[1:],
    lambda t: t[:1] + b"\x09" + t[2:], lambda t: t[:12] + b"\1" + t[13:],
    lambda t: t[:13] + b"\1" + t[14:]])
def test_broken_tables_are_refused(change):
    with pytest.raises(BadContainer):
        context.start(change(context.pack(TABLES)), RowShape(4, 3, -128))


def test_tables_of_another_channel_count_are_refused():
    with pytest.raises(BadContainer, match="4 channels"):
        context.unpack(context.pack(TABLES), 4)


@pytest.mark.parametrize("v, expected", list(enumerate((0, 1, 2, 2, 3, 3, 4, 4, 4, 4, 5))))
def test_half_octave_counts_two_classes_per_doubling(v, expected):
    assert context.half_octave(v) == expected


def test_a_code_with_a_byte_too_many_is_refused():
    shape = RowShape(4, 3, -128)
    row = np.arange(12).reshape(4, 3).astype(np.int8)
    code = context.encode(context.start(context.pack(TABLES), shape), row)
    for more in (b"\0", b"\1", b"\0\0\0\1"):
        with pytest.raises(BadContainer):
            context.decode(context.start(context.pack(TABLES), shape), code + more)
