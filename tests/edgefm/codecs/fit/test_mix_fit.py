# SPDX-License-Identifier: Apache-2.0
"""Learning mix's tables: what they say is what the codec computes, and other channels are found."""

import numpy as np
import pytest

from edgefm.codecs import CODECS, RowShape, coded_bytes, context, encode_map, mix
from edgefm.codecs.fit import mix_fit
from edgefm.codecs.fit.context_fit import _mean, sample_of

CODEC = CODECS["mix"]


@pytest.mark.parametrize("zero_point", [-128, 5])
def test_whole_array_predictions_are_the_codecs(smooth_maps, zero_point, monkeypatch):
    shape = RowShape(10, 8, zero_point)
    rows = np.maximum(smooth_maps[0], zero_point)
    tables = mix_fit.candidates([rows], shape)[-1].tables
    means = []
    predict = context.predict
    monkeypatch.setattr(context, "predict", lambda *a: means.append(predict(*a)) or means[-1])
    encode_map(CODEC, tables, shape, rows[:4])
    found = mix.unpack(tables, 8)
    sample = sample_of([rows[:4]], shape)
    said = mix_fit._said(sample, shape, found.beside)
    assert said.any()
    assert _mean(sample, shape, found.first, said).reshape(-1).tolist() == [g.mean for g in means]


def test_a_channel_that_foretells_another_pixel_is_found():
    """Channel 1 holds what channel 0 showed one pixel further west."""
    rng = np.random.default_rng(2)
    rows = rng.integers(-60, 60, (20, 32, 2)).astype(np.int8)
    rows[:, 1:, 1] = rows[:, :-1, 0]
    shape = RowShape(32, 2, 0)
    tables = CODEC.fit([rows], shape, 1000)
    distance, weight = mix.unpack(tables, 2).beside[1][0]
    assert distance == -1 and 50 < weight <= 64
    small = CODEC.fit([rows], shape, 0)
    sizes = [coded_bytes(encode_map(CODEC, t, shape, rows)) for t in (tables, small)]
    assert sizes[0] < 0.9 * sizes[1]


def test_the_limit_counts(smooth_maps):
    shape = RowShape(10, 8, 0)
    sizes = [len(c.tables) for c in mix_fit.candidates(smooth_maps[:3], shape)]
    assert sizes == [13 + 8 * (2 * terms + 8 * taps) for terms, taps in mix_fit.SIZES]
    assert len(CODEC.fit(smooth_maps[:3], shape, 100)) <= 100


def test_many_channels_have_no_taps():
    rows = np.zeros((2, 3, mix_fit.MOST_CHANNELS + 1), np.int8)
    for each in mix_fit.candidates([rows], RowShape(3, rows.shape[2], 0)):
        assert mix.unpack(each.tables, rows.shape[2]).beside[0] == ()
