# SPDX-License-Identifier: Apache-2.0
"""Tables that the tiles of a network share."""

import itertools

import numpy as np
import pytest

from edgefm.codecs.weights import encode_tile
from edgefm.codecs.weights.fit import fit_tables, limited_lengths

SPREADS = (0.4, 0.4, 3, 3, 3, 12, 12, 40)


def laplacian(count: int, spread: float, seed: int) -> np.ndarray:
    values = np.rint(np.random.default_rng(seed).laplace(0, spread, count))
    return np.clip(values, -127, 127).astype(np.int8)


def stored(tiles: list[np.ndarray]) -> int:
    tables = fit_tables(tiles)
    return sum(len(encode_tile(tile, tables).data) for tile in tiles) + sum(
        len(table.record()) for table in tables)


def entropy(tiles: list[np.ndarray]) -> float:
    counts = np.bincount(np.concatenate(tiles).astype(int) + 128)
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log2(share)).sum())


def test_lengths_are_the_shortest_code_that_keeps_the_limit():
    counts = np.array([1, 1, 2, 3, 9, 20])
    best = min(int(counts @ lengths) for lengths in itertools.product(range(1, 5), repeat=6)
               if sum(2.0 ** -n for n in lengths) <= 1)
    lengths = limited_lengths(counts, 4)
    assert int(counts @ lengths) == best and lengths.max() <= 4
    assert (2.0 ** -lengths).sum() <= 1


@pytest.mark.parametrize("counts", [[5], [5, 1], [1] * 16])
def test_few_symbols_and_a_full_code_have_lengths_too(counts):
    lengths = limited_lengths(np.array(counts), 4)
    assert len(lengths) == len(counts) and lengths.min() >= 1 and lengths.max() <= 4


def test_tables_are_shared_by_tiles_that_are_alike_and_reach_the_entropy():
    tiles = [laplacian(4000, spread, i) for i, spread in enumerate(SPREADS)]
    assert 2 <= len(fit_tables(tiles)) <= 4
    ideal = sum(entropy([t for t, s in zip(tiles, SPREADS, strict=True) if s == spread])
                * 4000 * SPREADS.count(spread) for spread in set(SPREADS)) / 8
    assert stored(tiles) < 1.04 * ideal


def test_sparse_tiles_take_less_than_a_bit_per_weight():
    tiles = [np.where(np.random.default_rng(i).random(4000) < 0.98, 0, laplacian(4000, 20, i))
             .astype(np.int8) for i in range(4)]
    assert 8 * stored(tiles) < 0.4 * 16000


def test_no_network_takes_more_than_its_weights():
    random = np.random.default_rng(2)
    for tiles in ([random.integers(-128, 128, 2000).astype(np.int8)] * 3,
                  [random.integers(-3, 3, 20).astype(np.int8)], [np.zeros(0, np.int8)], []):
        assert stored(tiles) <= sum(map(len, tiles))
