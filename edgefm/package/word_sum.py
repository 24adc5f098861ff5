# SPDX-License-Identifier: Apache-2.0
"""The checksum of tiles behind the weight port, which a device computes in a few instructions a
word; native/src/tiles/port_tiles.c has the same."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_MIXING = np.uint32(0x9E3779B1)
_SHIFT = np.uint32(15)


def word_sums(pieces: Sequence[bytes | memoryview]) -> list[int]:
    """The sum of each piece: its words are taken one after the other, those of all pieces side by
    side."""
    order = sorted(range(len(pieces)), key=lambda i: -len(pieces[i]))
    counts = [-(-len(pieces[i]) // 4) for i in order]
    words = np.zeros((len(order), max(counts, default=0)), "<u4")
    for row, i in zip(words, order, strict=True):
        row.view(np.uint8)[:len(pieces[i])] = np.frombuffer(pieces[i], np.uint8)
    sums = np.array([len(pieces[i]) for i in order], np.uint32)
    left, columns = len(order), np.ascontiguousarray(words.T)
    for word, column in enumerate(columns):
        while counts[left - 1] <= word:
            left -= 1
        mixed = (sums[:left] ^ column[:left]) * _MIXING
        sums[:left] = mixed ^ mixed >> _SHIFT
    found = np.empty_like(sums)
    found[order] = sums
    return [int(one) for one in found]
