# SPDX-License-Identifier: Apache-2.0
"""Memory that C writes, among bytes that tell when it writes beside it."""

from __future__ import annotations

import numpy as np


class Guarded:
    """`count` pieces of `size` bytes, each with `canary` bytes of `value` before and after it.

    `memory` begins with the first piece, at a multiple of `alignment` (`canary` is one, too), and
    has one every `step` bytes.
    """

    def __init__(self, count: int, size: int, alignment: int, canary: int, value: int) -> None:
        """Raises MemoryError."""
        self._value = value
        self.step = -(-size // alignment) * alignment + canary
        whole = np.empty(canary + count * self.step + alignment, np.uint8)
        start = canary + -(whole.ctypes.data + canary) % alignment
        self.memory = whole[start:start + count * self.step]
        self._before = whole[:start]
        self._after = self.memory.reshape(count, self.step)[:, size:]

    def arm(self) -> None:
        """Write the canaries."""
        self._before[:] = self._after[:] = self._value

    @property
    def intact(self) -> bool:
        """Whether they are as they were written."""
        return bool((self._before == self._value).all() and (self._after == self._value).all())
