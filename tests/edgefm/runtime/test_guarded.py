# SPDX-License-Identifier: Apache-2.0
"""Memory among canaries: a byte that changes beside a piece is found, wherever it lies."""

import pytest

from edgefm.runtime.guarded import Guarded


@pytest.mark.parametrize(("count", "size", "alignment"), [(1, 100, 8), (3, 100, 64), (2, 64, 64),
                                                          (4, 0, 64)])
def test_what_is_written_beside_a_piece_is_found(count: int, size: int, alignment: int) -> None:
    guarded = Guarded(count, size, alignment, 64, 0xA5)
    whole, start = guarded.memory.base, guarded.memory.ctypes.data
    assert guarded.step % alignment == start % alignment == 0
    for piece in range(count):
        for at in (piece * guarded.step - 1, piece * guarded.step + size,
                   (piece + 1) * guarded.step - 1):
            guarded.arm()
            assert guarded.intact
            whole[start - whole.ctypes.data + at] ^= 1
            assert not guarded.intact


def test_what_is_written_into_a_piece_is_not() -> None:
    guarded = Guarded(2, 10, 8, 64, 0xA5)
    guarded.arm()
    guarded.memory[:10] = guarded.memory[guarded.step:guarded.step + 10] = 1
    assert guarded.intact
