# SPDX-License-Identifier: Apache-2.0
"""What is learned for rice's quick kinds."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, encode_map
from edgefm.codecs.engine import quick
from edgefm.codecs.engine.quick import FLAG
from edgefm.codecs.fit import quick_fit


def maps(zero_point: int, count: int = 4) -> list[np.ndarray]:
    """Smooth maps; rectified where zero is the lowest value."""
    rng = np.random.default_rng(4)
    level = rng.normal(-20 if zero_point == -128 else 0, 30, 12)
    rough = [rng.normal(0, 9, (14, 20, 12)).cumsum(0).cumsum(1) / 6 for _ in range(count)]
    return [np.clip(r + level + zero_point, -128, 127).astype(np.int8) for r in rough]


@pytest.mark.parametrize(("zero_point", "share"), [(0, 1.0), (-128, 0.9)])
def test_the_survey_sees_what_the_codec_sees(zero_point, share):
    """Nearly, where some classes set zero apart: it cannot know which before they are chosen."""
    shape, seen_maps = RowShape(20, 12, zero_point), maps(zero_point, 1)
    seen = quick_fit.survey(seen_maps, shape)
    tables = quick_fit.candidates(seen_maps, shape)
    best = next(c for c in tables if c.tables[0] == quick.KIND + 1).tables
    state = quick.begin(quick.unpack(best, 12, 15), shape)
    known: list[tuple[int, int]] = []
    original = quick.class_of

    def note(around: int, both: int) -> int:
        known.append((around, both))
        return original(around, both)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(quick, "class_of", note)
        for row in seen_maps[0]:
            quick.encode(state, (row.T.astype(int) + 128).tolist())
    mine = np.array([original(*each) for each in known]).reshape(14, 12, 20).transpose(0, 2, 1)
    assert np.mean(seen.known == mine.reshape(-1)) >= share


@pytest.mark.parametrize("zero_point", [-128, 0])
def test_promises_are_kept_on_the_maps_they_were_made_for(zero_point):
    shape, seen = RowShape(20, 12, zero_point), maps(zero_point, 1)
    for found in quick_fit.candidates(seen, shape):
        stored = encode_map(CODECS["rice"], found.tables, shape, seen[0])
        real = 8 * sum(map(len, stored)) / seen[0].size
        assert real == pytest.approx(found.bits_per_value, rel=0.1)


def test_zero_gets_a_bit_of_its_own_where_it_is_frequent_and_nowhere_else():
    found = quick_fit.candidates(maps(-128), RowShape(20, 12, -128))
    plain = quick.unpack(next(c for c in found if c.tables[0] == quick.KIND).tables, 12, 15)
    share = np.mean([m == -128 for m in maps(-128)], (0, 1, 2))
    assert all(plain.modes[c] >= FLAG for c in np.flatnonzero((share > 0.3) & (share < 0.9)))
    assert all(plain.modes[c] < FLAG for c in np.flatnonzero(share < 0.05))
    other = quick_fit.candidates(maps(0), RowShape(20, 12, 0))
    assert all(max(quick.unpack(c.tables, 12, 7).modes, default=0) < FLAG for c in other)


@pytest.mark.parametrize(("width", "size"), [(1, 8), (7, 8), (14, 14), (16, 16), (17, 9), (28, 14),
                                             (56, 14), (64, 16), (65, 8), (112, 8)])
def test_groups_are_even_and_never_more_than_the_state_has_room_for(width, size):
    assert quick_fit.group_of(width)[0] == size
    assert -(-width // size) <= -(-width // 8)
