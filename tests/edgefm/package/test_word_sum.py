# SPDX-License-Identifier: Apache-2.0
"""Sums of many pieces are those of each, and any change within a word changes them."""

import numpy as np

from edgefm.package.word_sum import word_sums


def slow(data: bytes) -> int:
    total = len(data)
    for at in range(0, len(data), 4):
        mixed = (total ^ int.from_bytes(data[at:at + 4], "little")) * 0x9E3779B1 & 0xFFFFFFFF
        total = mixed ^ mixed >> 15
    return total


def test_pieces_of_any_length_have_the_sums_of_each_alone() -> None:
    random = np.random.default_rng(0)
    pieces = [random.bytes(int(n)) for n in (0, 1, 3, 4, 5, 16, 17, 1000, 64, 64, 2, 0)]
    assert word_sums(pieces) == [slow(piece) for piece in pieces]
    assert word_sums([]) == [] and word_sums([b"", b""]) == [0, 0]


def test_every_flipped_bit_and_every_cut_shows() -> None:
    data = np.random.default_rng(1).bytes(70)
    flipped = [data[:i // 8] + bytes([data[i // 8] ^ 1 << i % 8]) + data[i // 8 + 1:]
               for i in range(8 * len(data))]
    damaged = [*flipped, *(data[:n] for n in range(len(data))), data + b"\0"]
    assert word_sums([data])[0] not in word_sums(damaged)
    high = [with_high_bits(data, i, j) for i in range(3, 70, 4) for j in range(i + 4, 70, 4)]
    assert word_sums([data])[0] not in word_sums(high)


def with_high_bits(data: bytes, *places: int) -> bytes:
    return bytes(byte ^ 128 * (i in places) for i, byte in enumerate(data))
