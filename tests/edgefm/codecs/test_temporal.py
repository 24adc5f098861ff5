# SPDX-License-Identifier: Apache-2.0
"""The temporal codec: its tables, what it is without a frame before, and what one is worth."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, coded_bytes, context, decode_map, encode_map, temporal
from edgefm.errors import BadContainer

CODEC = CODECS["temporal"]
OWN = context.Tables(False, 24, (12, 24, 8, 8, 1), (26, 26, -6, 13))
TABLES = temporal.Tables(8, 0, OWN)
SHAPE = RowShape(24, 4, -7)


def scene(seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.clip(np.cumsum(rng.normal(0, 6, (10, 24, 4)), 1), -110, 110)


def seen(scene: np.ndarray, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.rint(scene + rng.normal(0, noise, scene.shape)).astype(np.int8)


def test_tables_come_back_from_their_bytes():
    assert temporal.unpack(temporal.pack(TABLES), 4) == TABLES


def test_tables_layout_is_the_documented_one():
    assert temporal.pack(TABLES) == b"\x08\x00" + context.pack(OWN)


@pytest.mark.parametrize("data", [b"", b"\x08", b"\0\0" + context.pack(OWN), b"\x08\0",
                                  b"\x08\0" + context.pack(OWN)[:-1]])
def test_broken_tables_are_refused(data):
    with pytest.raises(BadContainer):
        CODEC.start(data, SHAPE)


def test_the_first_frame_is_what_context_makes_of_it():
    rows = seen(scene(), 1.0, 1)
    assert encode_map(CODEC, temporal.pack(TABLES), SHAPE, rows) == encode_map(
        CODECS["context"], context.pack(OWN), SHAPE, rows)


def test_a_still_camera_pays_and_a_cut_costs_little():
    tables = temporal.pack(TABLES)
    rows, then, other = seen(scene(), 1.0, 1), seen(scene(), 1.0, 2), seen(scene(9), 1.0, 3)

    def size(before):
        return coded_bytes(encode_map(CODEC, tables, SHAPE, rows, before))

    assert size(then) < 0.75 * size(None)
    assert size(other) < 1.1 * size(None)
    assert size(rows) < 0.15 * size(None)


@pytest.mark.parametrize("tolerance", [1, 3])
def test_no_value_strays_further_than_the_tolerance_however_long_the_clip(tolerance):
    tables = temporal.with_tolerance(temporal.pack(TABLES), tolerance)
    before, skipped = None, 0
    for frame in range(12):
        rows = seen(scene() + 0.3 * frame, 0.4, frame)
        stored = encode_map(CODEC, tables, SHAPE, rows, before)
        back = decode_map(CODEC, tables, SHAPE, stored, before)
        assert np.abs(back.astype(int) - rows).max() <= tolerance
        skipped += int((back != rows).any())
        before = back
    assert skipped


def test_a_row_stored_as_it_is_is_known_to_the_next():
    rng = np.random.default_rng(4)
    rows = rng.integers(-128, 128, (6, 24, 4)).astype(np.int8)
    before = rng.integers(-128, 128, (6, 24, 4)).astype(np.int8)
    tables = temporal.pack(TABLES)
    stored = encode_map(CODEC, tables, SHAPE, rows, before)
    assert any(len(row) == SHAPE.values for row in stored)
    assert np.array_equal(decode_map(CODEC, tables, SHAPE, stored, before), rows)
