# SPDX-License-Identifier: Apache-2.0
"""A serial line in a time of its own: a byte rate, a delay, noise.

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


class BusyMachine:
    """A device on a machine that has other things to do, behind a line that holds what waits.

    It takes `rate` bytes per second, and nothing for `stall` seconds once it has taken `after`
    bytes: what the host sends meanwhile is waiting for it when it comes back.
    """

    def __init__(self, device: Callable[[bytes], bytes], rate: float, after: int = 0,
                 stall: float = 0.0) -> None:
        self.name = "busy"
        self.bytes_per_second: float | None = None
        self.sent = self.taken = 0
        self._device, self._rate, self._after, self._stall = device, rate, after, stall
        self._now = self._free = 0.0
        self._waiting, self._answers = bytearray(), bytearray()

    def write(self, data: bytes) -> None:
        """All of it waits until the device takes it."""
        self.sent += len(data)
        self._waiting += data

    def read(self, timeout: float) -> bytes:
        """What the device has answered, within `timeout` seconds."""
        until = self._now + timeout
        while not self._answers and self._now < until:
            if not self._waiting or self._free > self._now:
                self._now = min(until, self._free) if self._waiting else until
                continue
            self._take()
        data = bytes(self._answers)
        self._answers.clear()
        return data

    def _take(self) -> None:
        piece = bytes(self._waiting[:64])
        del self._waiting[:64]
        self._now += len(piece) / self._rate
        self._answers += self._device(piece)
        before, self.taken = self.taken, self.taken + len(piece)
        if before < self._after <= self.taken:
            self._free = self._now + self._stall

    def clock(self) -> float:
        """Seconds."""
        return self._now

    def close(self) -> None:
        """Nothing to give back."""
