# SPDX-License-Identifier: Apache-2.0
"""Bits in bytes."""

import pytest

from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.errors import BadContainer


def test_bits_are_written_highest_first_and_come_back():
    writer = BitWriter()
    for value, count in ((1, 1), (5, 4), (0x1FF, 9), (0, 3)):
        writer.write(value, count)
    code = writer.bytes()
    assert code == bytes([0b10101111, 0b11111100, 0])
    reader = BitReader(code)
    assert [reader.read(n) for n in (1, 4, 9, 3)] == [1, 5, 0x1FF, 0]
    reader.finish()


def test_reading_past_the_end_is_refused():
    with pytest.raises(BadContainer, match="after 1 bytes"):
        BitReader(b"\xff").read(9)


def test_padding_must_be_zero_and_less_than_a_byte():
    reader = BitReader(b"\x01")
    reader.read(4)
    with pytest.raises(BadContainer, match="padding"):
        reader.finish()
    with pytest.raises(BadContainer, match="0 were used"):
        BitReader(b"\x00").finish()
