# SPDX-License-Identifier: Apache-2.0
"""Learning tables: the whole-array model is the codec's own, and it finds what there is."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, coded_bytes, context, encode_map
from edgefm.codecs.fit.context_fit import _mean, _signs, candidates, sample_of

CODEC = CODECS["context"]


class Recorder:
    """A coder that writes nothing down but the contexts it is asked with."""

    def bit(self, odds, i, bit):
        return bit

    def plain(self, bits, value):
        return value


@pytest.mark.parametrize("zero_point", [-128, -7, 5])
def test_whole_array_predictions_are_the_codecs(smooth_maps, zero_point, monkeypatch):
    shape = RowShape(10, 8, zero_point)
    rows = np.maximum(smooth_maps[0], zero_point)
    tables = context.unpack(candidates([rows], shape)[3].tables, 8)
    guesses = []
    predict = context.predict
    monkeypatch.setattr(context, "predict", lambda *a: guesses.append(predict(*a)) or guesses[-1])
    state = context.start(context.pack(tables), shape)
    for row in rows:
        context.code_row(state, Recorder(), row.tolist())
    sample = sample_of([rows], shape)
    mean = _mean(sample, shape, tables)
    assert mean.reshape(-1).tolist() == [g.mean for g in guesses]
    signs = _signs(sample, tables, mean, np.abs(sample.v * 64 - mean) >> 4)
    a, b, c, d, e = (w * s for w, s in zip(tables.weights, signs, strict=True))
    scale = [min(context.half_octave(int(v)), 17) for v in
             ((a + b + e >> 5) + (c + d >> 5)).reshape(-1)]
    assert scale == [g.scale for g in guesses]


def test_promised_bits_are_close_to_real_bytes():
    rng = np.random.default_rng(0)
    maps = [np.clip(rng.normal(0, 5, (40, 24, 8)), -128, 127).astype(np.int8) for _ in range(2)]
    shape = RowShape(24, 8, 0)
    first = candidates(maps, shape)[0]
    real = np.mean([8 * coded_bytes(encode_map(CODEC, first.tables, shape, m)) / m.size
                    for m in maps])
    assert first.bits_per_value < real < first.bits_per_value * 1.1


def test_channels_that_follow_others_get_cross_terms(smooth_maps):
    rng = np.random.default_rng(1)
    first = rng.integers(-100, 100, (3, 12, 12, 1))
    maps = np.clip(np.concatenate([first, first // 2, -first], 3), -128, 127).astype(np.int8)
    tables = context.unpack(CODEC.fit(list(maps), RowShape(12, 3, 0), 1000), 3)
    assert tables.cross[1][0][0] == 1 and 25 <= tables.cross[1][0][1] <= 40
    assert {d for d, w in tables.cross[2] if w} <= {1, 2}


def test_the_limit_counts():
    rows = np.zeros((4, 4, 8), np.int8)
    shape = RowShape(4, 8, 0)
    assert len(CODEC.fit([rows], shape, 0)) == 12
    assert len(CODEC.fit([rows], shape, 30)) <= 30


def test_large_maps_are_sampled_in_bands(monkeypatch):
    from edgefm.codecs.fit import context_fit

    monkeypatch.setattr(context_fit, "SAMPLE_VALUES", 256)
    maps = [np.full((30, 8, 4), i, np.int8) for i in range(2)]
    sample = sample_of(maps, RowShape(8, 4, 0))
    assert sample.v.shape == (2, 5, 8, 4) and sample.flat(sample.v).shape == (2 * 4 * 8, 4)


@pytest.mark.parametrize("zero_point, rectified", [(-128, True), (0, False)])
def test_zero_gets_a_decision_of_its_own_where_that_is_shorter(smooth_maps, zero_point, rectified):
    shape = RowShape(10, 8, zero_point)
    coarse = [(m.astype(int) // 16).astype(np.int8) for m in smooth_maps]
    maps = [np.where(m > 0, m, 0) + zero_point if rectified else m for m in coarse]
    maps = [m.astype(np.int8) for m in maps]
    assert all(np.mean(m == zero_point) > 1 / 16 for m in maps)
    for one in candidates(maps, shape):
        assert context.unpack(one.tables, 8).zero_flag == rectified
