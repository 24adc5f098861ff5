# SPDX-License-Identifier: Apache-2.0
"""Distances and classes of rice and tans, and the tables that are learned for them."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, coded_bytes, decode_map, encode_map, rice, tans
from edgefm.codecs.engine import static
from edgefm.codecs.fit import static_fit
from edgefm.errors import BadContainer

NAMES = ["rice", "tans"]


def relu_maps(count: int = 5) -> list[np.ndarray]:
    """Maps whose channels differ much in how many zeros they have, and where."""
    rng = np.random.default_rng(4)
    level = rng.normal(-20, 40, 12)
    rough = [rng.normal(0, 9, (14, 20, 12)).cumsum(0).cumsum(1) / 6 for _ in range(count)]
    return [np.clip(r + level - 128, -128, 127).astype(np.int8) for r in rough]


def test_rice_still_codes_with_tables_that_are_not_quick():
    shape, rows = RowShape(20, 12, -128), relu_maps(1)[0]
    classes = bytes(np.clip(np.arange(81) // 9 - 2, 0, 7).astype(np.uint8) | 8)
    for tables in (bytes(4) + bytes([11, 3] * 12),
                   static.pack(static.Front((32, 28), 9, (classes,), b""), 0, b"")):
        stored = encode_map(CODECS["rice"], tables, shape, rows)
        assert coded_bytes(stored) < 0.8 * rows.size
        assert np.array_equal(decode_map(CODECS["rice"], tables, shape, stored), rows)


@pytest.mark.parametrize("low", [0, 1])
def test_every_value_has_one_distance(low):
    for prediction in range(256):
        distances = {static.fold(v, prediction, low): v for v in range(low, 256)}
        assert len(distances) == 256 - low and min(distances) == 0
        assert all(static.unfold(u, prediction, low) == v for u, v in distances.items())
        assert max(distances) < 1 << rice.ESCAPE_BITS


def test_a_distance_past_the_last_value_is_refused():
    with pytest.raises(BadContainer, match="the value 128"):
        static.unfold(256, 100, 0)


def test_the_survey_sees_the_classes_that_the_codec_sees():
    shape, maps = RowShape(20, 12, -128), relu_maps(2)
    seen = static_fit.survey(maps, shape)
    front = static.Front(seen.taps, seen.start, (bytes(81),), b"")
    heights = []

    def note(known: int, prediction: int, value: int) -> tuple[int, int]:
        heights.append(prediction)
        return value, 2 * prediction if value == 0 else static.fold(value, prediction, 0)

    state = static.begin(front, shape)
    for row in maps[0]:
        for c, channel in enumerate((row.T.astype(int) + 128).tolist()):
            static.code_channel(front, state, -128, c, channel, note)
    expected = np.array(heights).reshape(14, 12, 20).transpose(0, 2, 1).reshape(-1)
    known = seen.known[:expected.size] % static.HEIGHTS
    assert (known == [static.log2(p + 1) for p in expected.tolist()]).all()


@pytest.mark.parametrize("name", NAMES)
def test_larger_tables_promise_and_give_shorter_codes(name):
    shape, maps = RowShape(20, 12, -128), relu_maps()
    found = [c for c in CODECS[name].candidates(maps[:4], shape) if c.tables[0] % 16 != 0]
    found.sort(key=lambda c: len(c.tables))
    assert found[-1].bits_per_value < found[0].bits_per_value
    sizes = [coded_bytes(encode_map(CODECS[name], c.tables, shape, maps[0])) for c in found]
    assert sizes[-1] < sizes[0]


@pytest.mark.parametrize("name", NAMES)
def test_the_promise_is_kept_on_the_maps_it_was_made_for(name):
    shape, maps = RowShape(20, 12, -128), relu_maps(1)
    best = CODECS[name].candidates(maps, shape)[-1]
    real = 8 * sum(map(len, encode_map(CODECS[name], best.tables, shape, maps[0]))) / maps[0].size
    assert real == pytest.approx(best.bits_per_value, rel=0.1)


def test_tans_spends_less_than_a_bit_on_values_that_are_nearly_always_zero():
    shape = RowShape(32, 16, -128)
    rows = np.where(np.random.default_rng(2).random((16, 32, 16)) < 0.97, -128, -90)
    rows = rows.astype(np.int8)
    tables = CODECS["tans"].fit([rows], shape, 1000)
    assert 8 * coded_bytes(encode_map(CODECS["tans"], tables, shape, rows)) < 0.35 * rows.size


def test_every_state_has_one_symbol_and_counts_are_kept():
    counts = bytes([30, 20, 5, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 3])
    assert np.bincount(tans.spread(counts), minlength=16).tolist() == list(counts)


@pytest.mark.parametrize("name", NAMES)
def test_a_first_row_that_is_stored_as_it_is_does_not_stop_the_next(name):
    shape, rng = RowShape(9, 5, 0), np.random.default_rng(6)
    rows = np.zeros((3, 9, 5), np.int8)
    rows[0] = rng.integers(-128, 128, (9, 5))
    tables = CODECS[name].fit([np.zeros((3, 9, 5), np.int8)], shape, 1000)
    lengths = [len(code) for code in encode_map(CODECS[name], tables, shape, rows)]
    assert lengths[0] == 45 > lengths[2]
