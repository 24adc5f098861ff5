# SPDX-License-Identifier: Apache-2.0
"""Codes, classes and tables of rice's quick kinds."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, decode_map, encode_map
from edgefm.codecs.engine import quick
from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.errors import BadContainer

RICE = CODECS["rice"]


@pytest.mark.parametrize("both", [0, 1, 2, 77, 254, 255, 400, 510])
def test_every_value_has_one_distance(both):
    distances = {quick.fold(v, both): v for v in range(256)}
    assert len(distances) == 256 and quick.fold(both // 2, both) == 0
    assert max(distances) < 1 << quick.FARTHEST
    assert all(quick.unfold(u, both) == v for u, v in distances.items())
    missing = set(range(1 << quick.FARTHEST)) - set(distances)
    assert all(not 0 <= quick.unfold(u, both) <= 255 for u in missing)


@pytest.mark.parametrize("k", range(8))
def test_numbers_come_back_and_short_ones_are_short(k):
    for u in range(511):
        writer = BitWriter()
        quick.write(writer, u, k)
        length = len(writer.bits)
        assert length == (k + 1 if u < 1 << k else 2 * u.bit_length() - k)
        reader = BitReader(writer.bytes() + b"\0")
        assert quick.read(reader, k, quick.FARTHEST) == u
        assert reader.at == length


def test_no_more_zeros_are_counted_than_a_number_can_have():
    reader = BitReader(bytes(3))
    assert quick.read(reader, 3, 9) == 0
    assert reader.at == 9 - 3 + 9


def test_classes_go_from_busy_and_high_to_calm_and_low():
    found = [quick.class_of(around, both) for around in (510, 254, 3, 0) for both in (510, 9, 1, 0)]
    assert found == sorted(found) and found[0] == 0 and found[-1] == quick.CLASSES - 1


def test_groups_learn_from_what_they_missed():
    tables = quick.Quick(maps=(bytes([4] * 90),), start=10, group=8, weight=8)
    state = RICE.start(quick.pack(tables), RowShape(16, 1, 0))
    row = np.full((16, 1), 0, np.int8)
    row[11] = 64
    RICE.encode(state, row)
    assert state.quick.activity == [[5, 15]]   # (10 + 10) / 4; (5 + 10) / 4 + (127 + 64) / 16


@pytest.mark.parametrize("center", [0, 3, 128, 255])
@pytest.mark.parametrize("mode", [0, 1, 5, 7, 8, 12, 15])
def test_plain_tables_code_every_value(center, mode):
    shape, row = RowShape(256, 1, -128), np.arange(-128, 128).astype(np.int8).reshape(1, 256, 1)
    tables = quick.pack(quick.Quick(bytes([mode]), bytes([center])))
    state = RICE.start(tables, shape)
    code = RICE.encode(state, row[0])
    assert np.array_equal(RICE.decode(RICE.start(tables, shape), code), row[0])


def test_zero_takes_one_bit_where_it_has_one_of_its_own():
    shape, rows = RowShape(64, 2, -128), np.full((1, 64, 2), -128, np.int8)
    tables = quick.pack(quick.Quick(bytes([12, 9]), bytes(2)))
    assert len(encode_map(RICE, tables, shape, rows)[0]) == 64 * 2 / 8


def test_a_distance_of_no_value_is_refused():
    tables = quick.pack(quick.Quick(maps=(bytes([7] * 90),), group=8))
    state = RICE.start(tables, RowShape(1, 1, 127))   # both neighbors are 255, the highest value
    with pytest.raises(BadContainer, match="the value 128"):
        RICE.decode(state, bytes([0b10000001]))       # distance 1: one above them


def test_a_row_stored_as_it_is_is_the_row_above_of_the_next():
    shape, rng = RowShape(9, 3, 0), np.random.default_rng(6)
    rows = np.zeros((3, 9, 3), np.int8)
    rows[0] = rng.integers(-128, 128, (9, 3))
    rows[1] = rows[0]
    tables = RICE.fit([np.zeros((3, 9, 3), np.int8)], shape, 1000)
    stored = encode_map(RICE, tables, shape, rows)
    assert len(stored[0]) == 27
    assert np.array_equal(decode_map(RICE, tables, shape, stored), rows)


@pytest.mark.parametrize("change", [
    lambda t: t[:-1], lambda t: t + b"\0", lambda t: b"\x19" + t[1:],
    lambda t: t[:1] + b"\7" + t[2:], lambda t: t[:1] + b"\x11" + t[2:],
    lambda t: t[:4] + b"\x08" + t[5:], lambda t: t[:-1] + b"\2", lambda t: t[:3]])
def test_broken_tables_are_refused(change):
    good = quick.pack(quick.Quick(maps=(bytes(90), bytes(90)), which=bytes(3), group=8))
    RICE.start(good, RowShape(5, 3, 0))
    with pytest.raises(BadContainer):
        RICE.start(change(good), RowShape(5, 3, 0))
