# SPDX-License-Identifier: Apache-2.0
"""The bits of coded weights, by hand, and what no encoder writes."""

import numpy as np
import pytest

from edgefm.codecs.weights.huffman import (
    RUNS,
    SPECIALS,
    SYMBOLS,
    ZERO,
    WeightTable,
    decode,
    encode,
    read_table,
    symbols_of,
)
from edgefm.errors import BadContainer


def table_of(**lengths: int) -> WeightTable:
    """From e=escape, r8, r32, r128, and p/m + number for weights."""
    names = {"e": 0, "r8": 1, "r32": 2, "r128": 3}
    found = np.zeros(SYMBOLS, np.int64)
    for name, length in lengths.items():
        weight = int(name[1:]) * (1 if name[0] == "p" else -1) if name not in names else 0
        found[names.get(name, ZERO + weight)] = length
    return WeightTable(found)


SMALL = table_of(e=3, p0=1, p1=2, m1=3)
MIRRORED = table_of(e=3, m2=3, p0=1, p2=3)
RUNNING = table_of(e=3, r8=3, r32=3, r128=3, p0=1)


def test_codes_are_canonical_and_their_first_bit_is_the_lowest():
    codes = SMALL.codes
    assert [int(codes[s]) for s in (ZERO, ZERO + 1, 0, ZERO - 1)] == [0b0, 0b01, 0b011, 0b111]


def test_a_tile_by_hand():
    tile = np.array([0, 1, -1, 0, -100], np.int8)
    assert encode(tile, SMALL) == bytes([0b1_0_111_01_0, 0b01 | (156 & 63) << 2, 156 >> 6])
    assert np.array_equal(decode(encode(tile, SMALL), SMALL, 5), tile)


def test_zeros_are_gathered_from_the_longest_run_on():
    tile = np.array([0] * 178 + [5] + [0] * 8, np.int8)
    assert symbols_of(tile, True).tolist() == [3, 2, 1, 1, ZERO, ZERO, ZERO + 5, 1]
    assert symbols_of(tile, False).tolist() == (tile.astype(int) + ZERO).tolist()
    assert len(encode(np.zeros(128 * 8, np.int8), RUNNING)) == 3


def test_runs_count_only_where_all_have_codes():
    assert RUNNING.has_runs and not SMALL.has_runs
    assert not table_of(e=2, r8=2, p0=1).has_runs
    assert len(RUNS) == SPECIALS - 1


def test_the_record_by_hand_and_back():
    assert SMALL.record() == bytes([3, 0, 255, 2, 0, 1 << 4 | 3, 2])
    assert MIRRORED.record() == bytes([3, 0, 254, 4, 1, 0 << 4 | 3, 1])
    for table in (SMALL, RUNNING, MIRRORED):
        assert np.array_equal(read_table(table.record()).lengths, table.lengths)


@pytest.mark.parametrize("record", [
    b"", b"\x03\x00\xff\x02", b"\x03\x00\xff\x02\x00\x13", b"\x03\x00\xff\x02\x00\x13\x02\x00",
    b"\x03\x00\xff\x02\x00\x13\x12", b"\x03\x00\x7f\x02\x00\x13\x02",
    b"\x03\x00\xff\x02\x00\x11\x01", b"\x0b\x00\xff\x02\x00\x13\x02",
    b"\x00\x00\x00\x00\x00\x00", b"\x03\x00\xfe\x04\x02\x03\x01", b"\x03\x00\xfe\x05\x01\x03\x01",
    b"\x03\x00\xfe\x04\x01\x03\x11", b"\x03\x00\xfe\x04\x01\x03"])
def test_a_record_that_no_encoder_writes_is_refused(record):
    with pytest.raises(BadContainer):
        read_table(record)


@pytest.mark.parametrize("code, count", [
    (b"", 1), (b"\x00", 9), (b"\x00\x00", 3), (b"\xfe", 1), (b"\x03", 1), (b"\x00", 0)])
def test_a_code_that_no_encoder_writes_is_refused(code, count):
    with pytest.raises(BadContainer):
        decode(code, SMALL, count)


def test_a_run_past_the_end_is_refused():
    with pytest.raises(BadContainer):
        decode(encode(np.zeros(128, np.int8), RUNNING), RUNNING, 127)
