# SPDX-License-Identifier: Apache-2.0
"""Packings HALVES and PAIRS: their bytes, what may not be halves, and the way back."""

import numpy as np
import pytest

from edgefm.kernels.halves import PLAIN, pack_halves, pack_pairs, unpack_halves, unpack_pairs
from edgefm.kernels.tile import CHANNEL, HEAD, PROVED
from edgefm.network.graph import Array

SHIFT = 24 << 22  # in a channel's record: to the right by 7


def tile(weights: Array, weight_zero: int = 0) -> bytes:
    channels = np.zeros(len(weights), CHANNEL)
    channels["packed"] = SHIFT
    return (HEAD.pack(-128, 127, weight_zero, PROVED, 3) + channels.tobytes()
            + weights.astype(np.int8).tobytes())


def parts(packed: bytes, out: int) -> tuple[int, list[int], bytes]:
    """The table's flags, the flags of every channel, and the weights' bytes."""
    end = HEAD.size + CHANNEL.itemsize * out
    channels = np.frombuffer(packed[HEAD.size:end], CHANNEL)
    return HEAD.unpack_from(packed)[3], [int(c) >> 28 for c in channels["packed"]], packed[end:]


def test_two_channels_are_one_half_in_the_order_of_the_inner_loop() -> None:
    weights = np.array([[1, 2, 3, 4, 5], [-1, -2, 3, 0, 7]])
    flags, channels, data = parts(pack_halves(tile(weights), 2), 2)
    assert (flags, channels) == (PROVED, [1, 0])
    assert np.frombuffer(data, "<i2").tolist() == [
        1 - 256, 3 + 3 * 256, 2 - 512, 4, 5 + 7 * 256, 0, 0, 0]


def test_pairs_are_words_of_one_channel_and_then_of_the_other() -> None:
    weights = np.array([[1, 2, 3, 4, 5], [-1, -2, 3, 0, 7]])
    flags, channels, data = parts(pack_pairs(tile(weights), 2), 2)
    assert (flags, channels) == (PROVED, [0, 0])
    assert np.frombuffer(data, "<i2").reshape(-1, 2).tolist() == [
        [1, 3], [-1, 3], [2, 4], [-2, 0], [5, 0], [7, 0], [0, 0], [0, 0]]


def test_pairs_have_the_weight_zero_point_taken_off_but_not_of_what_is_filled_up() -> None:
    data = parts(pack_pairs(tile(np.array([[-128, 127, 1]]), weight_zero=5), 1), 1)[2]
    assert np.frombuffer(data, "<i2").tolist() == [-133, -4, 0, 0, 122, 0, 0, 0]


@pytest.mark.parametrize(("weights", "weight_zero", "plain"), [
    ([[0], [-128]], 0, False), ([[-1], [-128]], 0, True), ([[-128], [-127]], 0, False),
    ([[1], [1]], 1, True), ([[127] * 600, [127] * 516], 0, False),
    ([[0] * 517, [127] * 517], 0, True), ([[127] * 517, [0] * 517], 0, False)])
def test_a_block_whose_sums_cannot_be_told_apart_stays_rows(
        weights: list[list[int]], weight_zero: int, plain: bool) -> None:
    depth = max(map(len, weights))
    rows = np.array([[*row, *[0] * (depth - len(row))] for row in weights])
    flags, channels, data = parts(pack_halves(tile(rows, weight_zero), 2), 2)
    assert (bool(flags & PLAIN), channels[0] & 1 == 0) == (plain, plain)
    if plain:
        padded = np.pad(rows, ((0, 0), (0, -depth % 4)))
        assert data == padded.astype(np.int8).tobytes()


@pytest.mark.parametrize("seed", range(6))
def test_the_way_back_gives_every_byte(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for out, depth in ((1, 1), (2, 8), (5, 27), (7, 3), (6, 600)):
        zero = int(rng.integers(-128, 128)) if seed % 3 == 0 else 0
        plain = tile(rng.integers(-128, 128, (out, depth)) // (1 + seed % 2), zero)
        assert unpack_halves(pack_halves(plain, out), out, depth) == plain
        assert unpack_pairs(pack_pairs(plain, out), out, depth) == plain
