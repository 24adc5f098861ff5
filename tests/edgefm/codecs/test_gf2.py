# SPDX-License-Identifier: Apache-2.0
"""The gf2 codec: its tables, its bits by hand, and what fitting them reaches."""

from dataclasses import replace

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, gf2
from edgefm.codecs.fit import gf2_fit
from edgefm.errors import BadContainer, BadInput

SHAPE = RowShape(3, 1, -128)
# Stores, for each pair of pixels, planes 7 and 6 of the first and "both have plane 7".
HAND = gf2.Learned(2, -128, (
    (1, ((14, 1),)), (1, ((12, 1),)), (2, ((14, 1), (15, 1)))), (
    (3, ((0, 128), (1, 64))), (-5, ((2, 128), (2, 16), (1, -2)))))


def test_a_row_by_hand():
    state = gf2.start(gf2.pack(HAND), SHAPE)
    row = np.array([[-128 + 200], [-128 + 130], [-128 + 70]], np.int8)
    code = gf2.encode(state, row)  # block (200, 130): 1, 1, 1; block (70, 70): 0, 1, 0
    assert code == bytes([0b010111])
    back = gf2.decode(state, code).reshape(-1).astype(int) + 128
    assert back.tolist() == [3 + 128 + 64, -5 + 128 + 16 - 2, 3 + 64]


def test_a_curve_comes_before_the_planes_and_after_the_sum():
    halved, doubled = bytes(v // 2 for v in range(256)), bytes(min(2 * v, 255) for v in range(256))
    curved = replace(HAND, curve=gf2.UnequalSteps(halved, doubled, bytes([30, 0])))
    state = gf2.start(gf2.pack(curved), SHAPE)
    row = np.array([[-128 + 200], [-128 + 130], [-128 + 70]], np.int8)
    # (100 + 30, 65), (35 + 30, 35): bits 1, 0, 0 and 0, 1, 0
    code = gf2.encode(state, row)
    assert code == bytes([0b010001])
    back = gf2.decode(state, code).reshape(-1).astype(int) + 128
    assert back.tolist() == [255, 0, 2 * (3 + 64)]


def test_tables_come_back():
    curved = replace(HAND, curve=gf2.UnequalSteps(bytes(range(256)), bytes(256), b"\1\2"))
    for learned in (HAND, curved):
        assert gf2.unpack(gf2.pack(learned), 1) == learned


def test_a_curve_cut_short_is_refused():
    curved = gf2.pack(replace(HAND, curve=gf2.UnequalSteps(bytes(256), bytes(256), b"\1\2")))
    for cut in (8, 100, 521, len(curved) - 1):
        with pytest.raises(BadContainer):
            gf2.start(curved[:cut], SHAPE)
    with pytest.raises(BadContainer):
        gf2.start(curved[:4] + b"\3" + curved[5:], SHAPE)


@pytest.mark.parametrize("broken", [
    replace(HAND, block=0), replace(HAND, bits=HAND.bits * 6),
    replace(HAND, bits=((1, ((16, 1),)),)), replace(HAND, values=((0, ((3, 1),)), (0, ()))),
    replace(HAND, values=HAND.values[:1]), replace(HAND, values=(*HAND.values, (0, ())))])
def test_tables_that_point_past_their_bits_are_refused(broken):
    with pytest.raises(BadContainer):
        gf2.start(gf2.pack(broken), SHAPE)


@pytest.mark.parametrize("cut", range(len(gf2.pack(HAND))))
def test_every_cut_of_the_tables_is_refused(cut):
    with pytest.raises(BadContainer):
        gf2.start(gf2.pack(HAND)[:cut], SHAPE)


@pytest.mark.parametrize("code", [b"", b"\0\0", b"\x40"])
def test_what_no_encoder_writes_is_refused(code):
    with pytest.raises(BadContainer):
        gf2.decode(gf2.start(gf2.pack(HAND), SHAPE), code)


def error_of(maps: list[np.ndarray], bits: float, block: int) -> float:
    """Mean squared error, in steps, on the last map of a codec that learned the others."""
    shape = RowShape(maps[0].shape[1], maps[0].shape[2], -128)
    state = gf2.start(gf2.pack(gf2_fit.learn(maps[:-1], shape, bits, block)), shape)
    back = np.stack([gf2.decode(state, gf2.encode(state, row)) for row in maps[-1]])
    return float(((back.astype(float) - maps[-1]) ** 2).mean())


def test_learned_bits_beat_as_many_flat_ones_where_neighbors_are_alike(smooth_maps):
    noise = np.random.default_rng(2).integers(-4, 5, (16, 20, 8))
    maps = [np.clip(np.repeat(m.astype(int) * 2, 2, axis=1) + noise, -128, 127).astype(np.int8)
            for m in smooth_maps]
    level = maps[-1].astype(float) + 128
    flat = ((np.rint(level / 255 * 7) / 7 * 255 - level) ** 2).mean()
    assert error_of(maps, 3, 2) < 0.8 * flat


def test_more_bits_err_less(smooth_maps):
    errors = [error_of(smooth_maps, bits, 1) for bits in (1, 2, 3, 5)]
    assert errors == sorted(errors, reverse=True)


def test_tables_shrink_towards_their_limit(smooth_maps):
    shape = RowShape(10, 8, -128)
    fit = CODECS["gf2"].fit
    assert len(fit(smooth_maps, shape, 2000)) <= 2000 < len(fit(smooth_maps, shape, 100_000))
    assert 100 < len(fit(smooth_maps, shape, 100)) < 2000


@pytest.mark.parametrize("bits", [0.0, 8.0, 9.0])
def test_an_impossible_rate_is_refused(smooth_maps, bits):
    with pytest.raises(BadInput, match="bits per value"):
        gf2_fit.learn(smooth_maps, RowShape(10, 8, 0), bits)
