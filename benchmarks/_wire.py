# SPDX-License-Identifier: Apache-2.0
"""A serial line between two sockets: a byte rate each way, some bytes damaged, some lost.

    python benchmarks/_wire.py --to 5599 --rate 46080 --flip 0.01 --drop 0.01

prints the port where it listens. One client at a time; when it leaves, the line to the device is
closed as well, as when a plug is pulled, and the next client gets a new one.
"""

from __future__ import annotations

import argparse
import select
import socket
import sys
import time
from contextlib import suppress

import numpy as np

FIFO = 4096         # bytes that wait for the line, as in a driver
TICK = 0.0005       # seconds


class Direction:
    """Bytes from one socket to another, as they become due."""

    def __init__(self, source: socket.socket, sink: socket.socket, rate: float, flip: float,
                 drop: float, seed: int) -> None:
        self.source, self.sink, self.rate = source, sink, rate
        self.flip, self.drop, self.random = flip, drop, np.random.default_rng(seed)
        self.waiting = bytearray()
        self.since = time.monotonic()

    def room(self) -> int:
        """Bytes that may be read now."""
        return FIFO - len(self.waiting)

    def take(self) -> bool:
        """Read what fits; False when the other end has left."""
        data = self.source.recv(self.room())
        if data and not self.waiting:
            self.since = max(self.since, time.monotonic() - TICK)
        self.waiting += data
        return bool(data)

    def pass_on(self) -> None:
        """Send what is due by now."""
        now = time.monotonic()
        count = min(int((now - self.since) * self.rate), len(self.waiting))
        if not self.waiting:
            self.since = now
        elif count:
            self.since += count / self.rate
            self.sink.sendall(self._damaged(bytes(self.waiting[:count])))
            del self.waiting[:count]

    def _damaged(self, data: bytes) -> bytes:
        if not self.flip and not self.drop:
            return data
        array = np.frombuffer(data, np.uint8).copy()
        hit = self.random.random(len(array)) < self.flip
        array[hit] ^= self.random.integers(1, 256, int(hit.sum()), np.uint8)
        return array[self.random.random(len(array)) >= self.drop].tobytes()


def carry(client: socket.socket, device: socket.socket, options: argparse.Namespace) -> None:
    """Serve one client until either end leaves."""
    ways = [Direction(*pair, options.rate, options.flip, options.drop, options.seed + number)
            for number, pair in enumerate(((client, device), (device, client)))]
    while True:
        reading = [way.source for way in ways if way.room()]
        pause = TICK if any(way.waiting for way in ways) else None
        ready = select.select(reading, [], [], pause)[0]
        for way in ways:
            if way.source in ready and not way.take():
                return
            way.pass_on()


def main() -> int:
    """Listen, and carry one client after the other until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--to", type=int, required=True, help="port of the device")
    parser.add_argument("--rate", type=float, required=True, help="bytes per second each way")
    parser.add_argument("--flip", type=float, default=0.0, help="share of bytes damaged")
    parser.add_argument("--drop", type=float, default=0.0, help="share of bytes lost")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        while True:
            client, _ = listener.accept()
            with client, socket.create_connection(("127.0.0.1", options.to)) as device:
                for end in (client, device):
                    end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with suppress(OSError):  # the plug
                    carry(client, device, options)


if __name__ == "__main__":
    sys.exit(main())
