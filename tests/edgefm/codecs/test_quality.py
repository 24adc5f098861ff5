# SPDX-License-Identifier: Apache-2.0
"""Quality maps in Python: tiles get the steps they should, caps hold, and every map comes back."""

import numpy as np
import pytest
from adversaries import adversaries
from long_tests import some

from edgefm.codecs import CODECS, RowShape
from edgefm.codecs.quality import (
    QualityKind,
    QualityMap,
    activity,
    class_table,
    packed_classes,
    static_table,
    unpacked_classes,
)
from edgefm.codecs.shift import (
    MAX_SHIFT,
    Cap,
    decode_map,
    encode_map,
    lattice,
    shifted,
    unshifted,
)
from edgefm.errors import BadContainer

LOSSLESS = [codec for codec in CODECS.values() if codec.id and codec.lossless]
STEPS = (0, 2, 1, 3)


def qualities(shape: RowShape, rows: int, tile: int) -> list[QualityMap]:
    """One of every kind."""
    tiles = QualityMap(QualityKind.STATIC, tile, b"").tiles(shape)
    offsets = np.arange(-(-rows // 2) * tiles) % 4
    classes = class_table((16, 200, 900), STEPS)
    return [QualityMap(QualityKind.STATIC, tile, static_table(2, offsets)),
            QualityMap(QualityKind.DERIVED, tile, classes),
            QualityMap(QualityKind.SIGNALLED, tile, classes)]


def coarse(quality: QualityMap, shape: RowShape, rows: np.ndarray, shifts: list[int]) -> np.ndarray:
    """What should come back, told value by value."""
    back = np.full_like(rows, shape.zero_point)
    pixels = quality.tile or shape.width
    for y, row in enumerate(rows):
        seen = back[y - 1] if y > 0 else np.full_like(row, shape.zero_point)
        basis = row if quality.kind == QualityKind.SIGNALLED else seen
        for t, x in enumerate(range(0, shape.width, pixels)):
            if quality.kind == QualityKind.STATIC:
                tiles = -(-shape.width // pixels)
                offset = (y // 2 * tiles + t) % 4
            else:
                steps = [abs(int(basis[i, c]) - int(basis[i - 1, c]))
                         for i in range(max(x, 1), min(x + pixels, shape.width))
                         for c in range(shape.channels)]
                values = len(row[x:x + pixels].ravel())
                offset = STEPS[sum(16 * sum(steps) >= values * h for h in (16, 200, 900))]
            shift = min(MAX_SHIFT, shifts[y] + offset)
            part = row[x:x + pixels]
            seen = np.clip(np.rint((part.astype(int) - shape.zero_point) / 2**shift),
                           *lattice(shape.zero_point, shift)) + shape.zero_point
            back[y, x:x + pixels] = unshifted(seen, shape.zero_point, shift)
    return back


@pytest.mark.parametrize("codec", LOSSLESS, ids=lambda codec: codec.name)
@pytest.mark.parametrize("zero_point", some([-128, -3, 127], fast=1))
@pytest.mark.parametrize("tile", [0, 1, 3])
def test_tiles_have_their_steps_and_caps_hold(codec, zero_point, tile):
    shape = RowShape(8, 3, zero_point)
    for seed, (rate, depth) in enumerate([(1, 0), (6, 9), (25, 0), (40, 100)]):
        cap = Cap(rate, depth)
        for rows in adversaries(shape, 7, seed):
            tables = codec.fit([rows], shape, 100)
            for quality in qualities(shape, 7, tile):
                stored = encode_map(codec, tables, shape, rows, Cap(rate, depth, quality=quality))
                lengths = [len(code) for code in stored]
                for first in range(7):
                    for last in range(first + 1, 8):
                        assert sum(lengths[first:last]) <= cap.most_bytes(last - first,
                                                                          shape.values)
                back = decode_map(codec, tables, shape, stored, quality)
                shifts = [code[0] & 15 for code in stored]
                assert np.array_equal(back, coarse(quality, shape, rows, shifts))


def test_coarser_tiles_take_fewer_bytes():
    shape = RowShape(16, 4, 0)
    rows = np.random.default_rng(1).normal(0, 12, (20, 16, 4)).astype(np.int8)
    sizes = []
    for offsets in ([0, 0], [0, 2], [2, 2]):
        quality = QualityMap(QualityKind.STATIC, 8, static_table(20, np.array(offsets)))
        stored = encode_map(CODECS["context"], CODECS["context"].fit([rows], shape, 99), shape,
                            rows, Cap(70, 0, quality=quality))
        sizes.append(sum(map(len, stored)))
    assert sizes[2] < sizes[1] - 50 < sizes[0] - 100


def test_halves_go_up_and_down_alike():
    values = np.arange(-128, 128, dtype=np.int8).reshape(64, 4)
    for shift in (1, 2, 3):
        inside = np.abs(values.astype(int)) < 100
        errors = [(unshifted(shifted(values, 0, shift, even), 0, shift)
                   - values.astype(int))[inside] for even in (False, True)]
        assert abs(errors[1].mean()) < 0.02 and errors[0].mean() > 0.4
        assert np.array_equal(np.abs(errors[0]), np.abs(errors[1]))


def test_activity_is_the_difference_of_neighboring_pixels():
    shape = RowShape(5, 2, 0)
    row = np.array([[1, 1], [3, 0], [3, 0], [-128, 127], [127, 127]], np.int8)
    sums, values = activity(shape, row, 2)
    assert sums.tolist() == [2 + 1, 131 + 127, 255] and values.tolist() == [4, 4, 2]


def test_classes_are_packed_and_found_again():
    for tiles in range(1, 10):
        classes = np.random.default_rng(tiles).integers(0, 4, tiles).astype(np.uint8)
        signal = packed_classes(classes)
        assert len(signal) == -(-tiles // 4)
        assert np.array_equal(unpacked_classes(signal, tiles), classes)
    assert packed_classes(np.array([1, 2, 3], np.uint8)) == bytes([0b111001])
    assert unpacked_classes(bytes([0b1000000]), 3) is None


def test_signals_that_no_encoder_writes_are_refused():
    shape = RowShape(3, 2, 0)
    quality = qualities(shape, 1, 1)[2]
    rows = np.full((1, 3, 2), 8, np.int8)  # a multiple of the steps that its signal leaves room for
    stored = encode_map(CODECS["zvc"], b"", shape, rows, Cap(9, 9, quality=quality))[0]
    assert np.array_equal(decode_map(CODECS["zvc"], b"", shape, [stored], quality), rows)
    for code in (stored[:1], bytes([stored[0], stored[1] | 64]) + stored[2:], stored + b"\0"):
        with pytest.raises(BadContainer):
            decode_map(CODECS["zvc"], b"", shape, [code], quality)
