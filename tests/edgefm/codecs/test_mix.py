# SPDX-License-Identifier: Apache-2.0
"""The mix codec: votes, and what they are worth."""

import math

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, coded_bytes, context, encode_map, mix
from edgefm.errors import BadContainer


@pytest.mark.parametrize("log_odds", [-40000, -32767, -9000, -1, 0, 1, 500, 4096, 20000, 10**6])
def test_chances_are_the_logistic_function(log_odds):
    expected = 65536 / (1 + math.exp(-min(max(log_odds, -32767), 32767) / 4096))
    assert mix.chance(log_odds) == pytest.approx(expected, abs=60)
    assert mix.chance(log_odds) + mix.chance(-log_odds) == 65536


def test_a_chance_is_never_certain():
    assert 16 <= mix.chance(-10**6) < mix.chance(10**6) <= 65535


class Told:
    """A coder that is told every bit, and keeps what was thought of it."""

    def __init__(self):
        self.chances = []

    def chance(self, p, bit):
        self.chances.append(p)
        return bit

    def plain(self, bits, value):
        return value


def test_all_voters_learn_from_what_all_missed():
    voters = [[0] * mix.NODES, [2048] * mix.NODES, [0] * 4]
    coder = Told()
    for _ in range(300):
        mix._vote(coder, voters, mix.BELOW + 1, 1)
    assert coder.chances[0] == mix.chance(2048) and coder.chances[-1] > 60000
    moved = voters[0][mix.BELOW + 1]
    assert moved > 0 and voters[1][mix.BELOW + 1] == 2048 + moved and voters[2] == [0, 0, 0, moved]
    assert sum(v != 0 for v in voters[0]) == 1


def test_weights_wrap_as_in_16_bits():
    voters = [[0x7FFF] * mix.NODES, [-0x8000] * mix.NODES, [0] * 4]
    mix._vote(Told(), voters, 0, 1)
    assert voters[0][0] == 0x7FFF + 32 - 0x10000


def test_a_pixel_further_west_is_known():
    """Values are near those two pixels before, which context cannot see."""
    rng = np.random.default_rng(5)
    sides = np.tile(rng.choice([-6, 6], (40, 2, 4)), (1, 24, 1))
    rows = (sides + rng.integers(-1, 2, sides.shape)).astype(np.int8)
    shape = RowShape(48, 4, 0)
    sizes = {name: coded_bytes(encode_map(CODECS[name], CODECS[name].fit([rows], shape, 13),
                                          shape, rows)) for name in ("context", "mix")}
    assert sizes["mix"] < 0.85 * sizes["context"]


def test_broken_tables_are_refused():
    first = context.Tables(False, 9, (1, 2, 3, 4, 5), (26, 26, -6, 13), (((0, 0),), ((1, 7),)))
    good = mix.pack(mix.Tables(first, (((0, 1), (1, 2), (0, 0), (1, -128)),
                                       ((-1, 3), (0, 0), (0, 127), (-1, 5)))))
    assert mix.pack(mix.unpack(good, 2)) == good and len(good) == 12 + 4 + 1 + 16
    outside = bytearray(good)
    outside[17] = 2  # from channel 0 to channel 2
    for bad in (good[:-1], good + bytes(1), good[:11], good[:16], bytes(outside),
                good[:16] + b"\x09" + good[17:], b"\2" + good[1:]):
        with pytest.raises(BadContainer):
            mix.start(bad, RowShape(4, 2, 0))
