# SPDX-License-Identifier: Apache-2.0
"""How fast a file reaches a device over the link, as a share of what the line carries.

The firmware of the `sim` board behind a line of a fixed rate in both directions, clean, and with a
share of all bytes damaged and as many dropped. Prints a table in Markdown.
"""

from __future__ import annotations

import argparse
import random
import sys
import time

from edgefm.errors import LinkError
from host_tools.build import build
from host_tools.link.device import Device
from host_tools.link.transport import ProcessTransport, Transport

MIB = 1 << 20


class Line:
    """A line that carries `rate` bytes per second each way, and spoils a share of them."""

    def __init__(self, inner: Transport, rate: float, share: float) -> None:
        self.name, self.bytes_per_second = inner.name, None
        self.carried = 0
        self._inner, self._rate, self._share = inner, rate, share
        self._random = random.Random(1)
        self._free = [time.monotonic()] * 2

    def _pace(self, way: int, count: int) -> None:
        self._free[way] = max(self._free[way], time.monotonic()) + count / self._rate
        time.sleep(max(0.0, self._free[way] - time.monotonic()))

    def _spoiled(self, data: bytes) -> bytes:
        if not self._share:
            return data
        chance, out = self._random.random, bytearray()
        for byte in data:
            if chance() < self._share:
                byte ^= 1 << self._random.randrange(8)
            if chance() >= self._share:
                out.append(byte)
        return bytes(out)

    def write(self, data: bytes) -> None:
        """Send, as fast as the line goes."""
        self.carried += len(data)
        self._pace(0, len(data))
        self._inner.write(self._spoiled(data))

    def read(self, timeout: float) -> bytes:
        """What the device said."""
        data = self._inner.read(timeout)
        self._pace(1, len(data))
        return self._spoiled(data)

    def clock(self) -> float:
        """Seconds."""
        return self._inner.clock()

    def close(self) -> None:
        """End the device."""
        self._inner.close()


def copy(size: int, rate: float, share: float) -> tuple[float, int]:
    """Seconds that a file of `size` bytes takes, and bytes sent; LinkError when it came wrong."""
    data = random.Random(2).randbytes(size)
    line = Line(ProcessTransport([str(build("sim"))]), rate, share)
    with Device(line) as device:
        line.carried = 0
        started = time.monotonic()
        device.put("file", data)
        took = time.monotonic() - started
        carried = line.carried
        line._share = 0.0  # reading back is not what is measured
        if device.get("file") != data:
            raise LinkError("the file is not what was sent")
    return took, carried


def main() -> int:
    """The table."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=float, default=4.0, help="MiB (default 4)")
    parser.add_argument("--rate", type=float, default=200_000, help="bytes per second of the line")
    parser.add_argument("--data", help="not used: no models are needed")
    options = parser.parse_args()
    size = int(options.size * MIB)
    print("| damaged and dropped, each | seconds | bytes/s of the file | share of the line | "
          "bytes sent per byte |\n|---:|---:|---:|---:|---:|")
    for share in (0.0, 0.0001, 0.001, 0.01):
        took, carried = copy(size, options.rate, share)
        print(f"| {100 * share:g} % | {took:.1f} | {size / took:,.0f} | "
              f"{100 * size / took / options.rate:.1f} % | {carried / size:.2f} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
