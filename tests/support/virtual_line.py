# SPDX-License-Identifier: Apache-2.0
"""A serial line in a time of its own: so many bytes per second each way, a delay, noise.

What a transfer takes on it does not depend on the machine that runs the test.
"""

import random
from collections import deque
from collections.abc import Callable

FIFO = 4096  # bytes that a host's driver takes before a write has to wait


class VirtualLine:
    """A transport to a device that is a function; its clock is the line's.

    `noise` is the share of bytes that are damaged, and of those that are lost.
    """

    def __init__(self, device: Callable[[bytes], bytes], rate: float, delay: float = 0.001,
                 noise: float = 0.0, seed: int = 1) -> None:
        self.name = "line"
        self.bytes_per_second: float | None = rate
        self.sent = 0
        self._device, self._rate, self._delay, self._noise = device, rate, delay, noise
        self._random = random.Random(seed)
        self._now = self._up = self._down = 0.0  # up, down: when that way is free again
        self._coming: deque[tuple[float, bytes]] = deque()

    def write(self, data: bytes) -> None:
        """Send all of `data`; the device has it, and answers, when its last byte is there."""
        self.sent += len(data)
        self._up = max(self._now, self._up) + len(data) / self._rate
        self._now = max(self._now, self._up - FIFO / self._rate)
        answer = self._device(self._damaged(data))
        if answer:
            begin = max(self._up + self._delay, self._down)
            self._down = begin + len(answer) / self._rate
            self._coming.append((self._down + self._delay, self._damaged(answer)))

    def read(self, timeout: float) -> bytes:
        """What comes next, unless it takes longer than `timeout`."""
        if not self._coming or self._coming[0][0] > self._now + timeout:
            self._now += timeout
            return b""
        self._now = max(self._now, self._coming[0][0])
        data = b""
        while self._coming and self._coming[0][0] <= self._now:
            data += self._coming.popleft()[1]
        return data

    def clock(self) -> float:
        """Seconds."""
        return self._now

    def close(self) -> None:
        """Nothing to give back."""

    def _damaged(self, data: bytes) -> bytes:
        if not self._noise:
            return data
        chance = self._random.random
        return bytes(byte ^ self._random.randrange(1, 256) if chance() < self._noise else byte
                     for byte in data if chance() >= self._noise)
