# SPDX-License-Identifier: Apache-2.0
"""Capped maps in Python: they come back, coarser where they must, in no more bytes than said."""

import numpy as np
import pytest
from adversaries import adversaries

from edgefm.codecs import CODECS, RowShape
from edgefm.codecs.shift import (
    FRESH,
    Cap,
    decode_map,
    encode_map,
    lattice,
    packed_bytes,
    shifted,
    unshifted,
)
from edgefm.errors import BadContainer

LOSSLESS = [codec for codec in CODECS.values() if codec.id and codec.lossless]


@pytest.mark.parametrize("codec", LOSSLESS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("zero_point", [-128, -3, 127])
def test_no_map_takes_more_than_its_cap_and_all_come_back_coarser(codec, zero_point):
    shape = RowShape(5, 3, zero_point)
    for seed, (rate, depth) in enumerate([(1, 0), (2, 5), (7, 3), (12, 30), (16, 100)]):
        cap = Cap(rate, depth)
        for rows in adversaries(shape, 9, seed):
            tables = codec.fit([rows], shape, 100)
            stored = encode_map(codec, tables, shape, rows, cap)
            lengths = [len(code) for code in stored]
            for first in range(len(lengths)):
                for last in range(first + 1, len(lengths) + 1):
                    assert sum(lengths[first:last]) <= cap.most_bytes(last - first, shape.values)
            back = decode_map(codec, tables, shape, stored)
            for row, code, got in zip(rows, stored, back, strict=True):
                shift = code[0] & 15
                assert np.array_equal(got, unshifted(shifted(row, zero_point, shift), zero_point,
                                                     shift))


def test_without_need_nothing_is_lost():
    shape = RowShape(5, 3, 4)
    for rows in adversaries(shape, 6, 1):
        codec = CODECS["context"]
        tables = codec.fit([rows], shape, 100)
        stored = encode_map(codec, tables, shape, rows, Cap(shape.values + 1, 0))
        assert all(code[0] & 15 == 0 for code in stored)
        assert np.array_equal(decode_map(codec, tables, shape, stored), rows)


def test_a_shift_moves_values_to_the_nearest_multiple_around_the_zero_point():
    row = np.arange(-128, 128, dtype=np.int8).reshape(64, 4)
    for zero_point in (-128, -5, 0, 127):
        for shift in range(9):
            low, high = lattice(zero_point, shift)
            assert 1 <= high - low + 1 <= 1 << (8 - shift)
            got = unshifted(shifted(row, zero_point, shift), zero_point, shift).astype(int)
            error = np.abs(got - row)
            inside = (row >= zero_point + low * 2**shift) & (row <= zero_point + high * 2**shift)
            assert error[inside].max(initial=0) <= 1 << shift >> 1
            assert error.max() < 1 << shift


def test_least_shifts_are_kept():
    shape = RowShape(4, 2, 0)
    rows = adversaries(shape, 4, 2)[0]
    stored = encode_map(CODECS["zvc"], b"", shape, rows, Cap(9, 9, bytes([0, 3, 1, 8])))
    assert [code[0] & 15 for code in stored] == [0, 3, 2, 8]  # after 3 a finer one step by step


def test_a_row_in_slots_smaller_than_itself_fits_them():
    shape = RowShape(6, 4, 0)
    rows = adversaries(shape, 5, 3)[0]
    stored = encode_map(CODECS["ebpc"], b"", shape, rows, Cap(20, 40), slot_bytes=12, alignment=4)
    assert max(map(len, stored)) <= 12


@pytest.mark.parametrize("code", [b"", bytes([9]), bytes([32]), bytes([8, 0]), bytes([7, 1, 1]),
                                  bytes([FRESH | 8]), bytes([0])])
def test_what_no_encoder_writes_is_refused(code):
    with pytest.raises(BadContainer):
        decode_map(CODECS["zvc"], b"", RowShape(2, 2, 0), [code])


def test_a_value_that_no_shift_leaves_is_refused():
    shape = RowShape(1, 1, 120)
    code = CODECS["zvc"].encode(shape, np.full((1, 1), 125, np.int8))
    assert packed_bytes(1, 4) == 1  # too short for a code: build one of four values
    shape = RowShape(4, 1, 120)
    code = CODECS["zvc"].encode(shape, np.array([[125], [120], [120], [120]], np.int8))
    assert len(code) < packed_bytes(4, 2)
    with pytest.raises(BadContainer, match="no encoder writes"):
        decode_map(CODECS["zvc"], b"", shape, [bytes([2]) + code])
