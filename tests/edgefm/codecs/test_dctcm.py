# SPDX-License-Identifier: Apache-2.0
"""The channel transform: what it loses, when it is passed by, and what a channel order is worth."""

import numpy as np
import pytest

from edgefm.codecs import (
    CODECS,
    LOSSLESS_CODECS,
    RowShape,
    coded_bytes,
    dctcm,
    decode_map,
    encode_map,
)

CODEC = CODECS["dctcm"]


def alike(seed: int, channels: int = 16) -> np.ndarray:
    """Maps whose channels are mixtures of two, neighbors much alike."""
    rng = np.random.default_rng(seed)
    base = rng.normal(0, 30, (8, 10, 2))
    weights = np.stack([np.cos(np.arange(channels) / 9), np.sin(np.arange(channels) / 9)])
    return np.clip(base @ weights + rng.normal(0, 1, (8, 10, channels)), -128, 127).astype(np.int8)


def test_it_loses_and_is_marked_so():
    assert not CODEC.lossless and "dctcm" not in LOSSLESS_CODECS


def test_the_matrix_is_nearly_orthogonal():
    product = dctcm.MATRIX @ dctcm.MATRIX.T / 2**15
    assert np.abs(product - np.eye(8)).max() < 0.01


@pytest.mark.parametrize("step", range(6))
def test_the_error_is_that_of_the_step(step):
    values = np.random.default_rng(step).integers(-128, 128, (500, 8))
    tables = dctcm.Tables(dctcm.DCT, (step,) * 8)
    error = np.mean((dctcm.restore(tables, dctcm.transform(tables, values)) - values) ** 2)
    assert error < 1 / 12 + 1.1 * (2.0 ** (step - 0.5)) ** 2 / 12 * 1.3


def test_fitted_tables_keep_the_error_and_save_bytes_where_channels_are_alike():
    shape, rows = RowShape(10, 16, 0), alike(1)
    tables = CODEC.fit([rows], shape, 1000)
    stored = encode_map(CODEC, tables, shape, rows)
    back = decode_map(CODEC, tables, shape, stored)
    assert 0 < np.mean((back.astype(int) - rows) ** 2) < 1.1
    assert coded_bytes(stored) < 0.6 * rows.size


def test_a_learned_order_saves_bytes_when_channels_lie_in_disorder():
    shape, shuffled = RowShape(10, 32, 0), np.random.default_rng(3).permutation(32)
    rows = alike(2, 32)[:, :, shuffled]
    small, large = sorted((c.tables for c in CODEC.candidates([rows], shape)), key=len)
    sizes = [coded_bytes(encode_map(CODEC, t, shape, rows)) for t in (small, large)]
    assert len(large) == len(small) + 64 and sizes[1] < sizes[0]


def test_a_sparse_map_passes_the_transform_by_and_loses_nothing():
    rng, shape = np.random.default_rng(5), RowShape(9, 12, -128)
    rows = np.where(rng.random((6, 9, 12)) < 0.85, -128, rng.integers(-127, 128, (6, 9, 12)))
    rows = rows.astype(np.int8)
    tables = CODEC.fit([rows], shape, 1000)
    assert tables[0] == dctcm.BYPASS
    assert np.array_equal(decode_map(CODEC, tables, shape, encode_map(CODEC, tables, shape, rows)),
                          rows)


def test_with_the_zero_mask_zeros_stay_zeros():
    rows = np.maximum(alike(4), -5)
    shape = RowShape(10, 16, -5)
    tables = dctcm.pack(dctcm.Tables(dctcm.DCT_WITH_ZEROS, (3,) * 8, (2,) * 8))
    back = decode_map(CODEC, tables, shape, encode_map(CODEC, tables, shape, rows))
    assert (back[rows == -5] == -5).all()
