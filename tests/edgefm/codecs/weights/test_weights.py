# SPDX-License-Identifier: Apache-2.0
"""Tiles of weights in the form that is shortest."""

import numpy as np
import pytest

from edgefm.codecs.weights import CodedTile, WeightCode, decode_tile, encode_tile
from edgefm.codecs.weights.fit import fit_tables
from edgefm.errors import BadContainer


def laplacian(count: int, spread: float, seed: int = 1) -> np.ndarray:
    values = np.rint(np.random.default_rng(seed).laplace(0, spread, count))
    return np.clip(values, -128, 127).astype(np.int8)


TILES = [laplacian(2000, spread, seed) for seed, spread in enumerate((1, 1, 4, 4, 20))]
FLAT = np.tile(np.arange(-4, 4), 100).astype(np.int8)
RANDOM = np.random.default_rng(1).integers(-128, 128, 500).astype(np.int8)


@pytest.mark.parametrize("tile, code", [(TILES[0], WeightCode.HUFFMAN), (FLAT, WeightCode.PACKED),
                                        (RANDOM, WeightCode.RAW)])
def test_the_shortest_form_is_taken_and_comes_back(tile, code):
    tables = fit_tables(TILES)
    coded = encode_tile(tile, tables)
    assert coded.code == code
    assert np.array_equal(decode_tile(coded, tables, len(tile)), tile)


def test_a_code_that_is_not_allowed_is_not_taken():
    tables = fit_tables(TILES)
    assert encode_tile(TILES[0], tables, {WeightCode.PACKED}).code == WeightCode.PACKED
    assert encode_tile(TILES[0], tables, ()).code == WeightCode.RAW


@pytest.mark.parametrize("tile", [
    CodedTile(WeightCode.HUFFMAN, 9, b"\0"), CodedTile(WeightCode.RAW, 0, b"\0\0"),
    CodedTile(WeightCode.PACKED, 0, b"\0")])
def test_a_tile_that_no_encoder_writes_is_refused(tile):
    with pytest.raises(BadContainer):
        decode_tile(tile, fit_tables(TILES), 1)
