# SPDX-License-Identifier: Apache-2.0
"""How fast a package is copied to the `sim` board: over a serial line that is clean, one that
damages and loses bytes, one whose plug is pulled, and without a line in between.

    python benchmarks/link.py --rate 46080
"""

from __future__ import annotations

import argparse
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from _common import print_table

from edgefm.errors import LinkLost
from host_tools.boards.build import build
from host_tools.link.device import Device
from host_tools.link.transport import SerialTransport

WIRE = Path(__file__).with_name("_wire.py")
NAME = "net.efm"
MIB = 1 << 20


@contextmanager
def program(command: Sequence[str]) -> Iterator[str]:
    """A program that prints where it is; ended on the way out."""
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextmanager
def board() -> Iterator[int]:
    """A fresh sim board; its port."""
    with program([str(build("sim")), "--tcp", "0"]) as url:
        yield int(url.rpartition(":")[2])


@contextmanager
def wire(port: int, rate: float, noise: float = 0.0) -> Iterator[int]:
    """A serial line to a port; without `rate` none, but the port itself."""
    if not rate:
        yield port
        return
    with program([sys.executable, str(WIRE), "--to", str(port), "--rate", str(rate),
                  "--flip", str(noise), "--drop", str(noise)]) as at:
        yield int(at)


@contextmanager
def sink(total: int, done: threading.Event) -> Iterator[int]:
    """A port that swallows bytes; `done` is set when all have come."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        def swallow() -> None:
            client, _ = listener.accept()
            with client:
                rest = total
                while rest > 0 and (data := client.recv(1 << 16)):
                    rest -= len(data)
            done.set()

        thread = threading.Thread(target=swallow)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def raw_seconds(data: bytes, rate: float) -> float:
    """How long the bare bytes take."""
    done = threading.Event()
    with (sink(len(data), done) as port, wire(port, rate) as at,
          socket.create_connection(("127.0.0.1", at)) as line):
        begin = time.perf_counter()
        line.sendall(data)
        done.wait()
        return time.perf_counter() - begin


def connect(port: int) -> Device:
    """A session over a socket."""
    return Device(SerialTransport(f"socket://127.0.0.1:{port}"))


def copy_seconds(data: bytes, rate: float, noise: float = 0.0) -> float:
    """How long a copy takes, from the first request to the commit. Checks what was stored."""
    with board() as port, wire(port, rate, noise) as at:
        with connect(at) as device:
            begin = time.perf_counter()
            device.put(NAME, data)
            seconds = time.perf_counter() - begin
        check(port, data)
    return seconds


def check(port: int, data: bytes) -> None:
    """The device has these bytes: read back over a clean line."""
    with connect(port) as device:
        if device.get(NAME) != data:
            raise SystemExit("what is stored is not what was sent")


def interrupted(data: bytes, rate: float, at_share: float) -> tuple[float, int]:
    """Pull the plug when this share is there, plug it in again; seconds, and where it went on."""
    with board() as port, wire(port, rate) as at:
        begin = time.perf_counter()
        device = connect(at)

        def pull(done: int, total: int) -> None:
            if done >= at_share * total:
                device.close()

        with suppress(LinkLost):
            device.put(NAME, data, progress=pull)
        starts: list[int] = []
        with connect(at) as device:
            device.put(NAME, data, progress=lambda done, total: starts.append(done))
        seconds = time.perf_counter() - begin
        check(port, data)
    return seconds, starts[0]


def rows(size: int, rate: float) -> Iterator[tuple[str, float, int, int, str]]:
    """Line, seconds, bytes per second, percent of the raw line, what to know."""
    data = random.Random(1).randbytes(size)
    raw = raw_seconds(data, rate)

    def row(what: str, seconds: float, of: float,
            note: str = "") -> tuple[str, float, int, int, str]:
        return what, round(seconds, 2), round(size / seconds), round(100 * of / seconds), note

    yield row("serial line, bare bytes", raw, raw)
    yield row("serial line, clean", copy_seconds(data, rate), raw)
    seconds, start = interrupted(data, rate, 0.5)
    yield row("serial line, plug pulled at half", seconds, raw, f"went on from byte {start}")
    yield row("serial line, 1 % damaged and 1 % lost", copy_seconds(data, rate, 0.01), raw)
    direct = raw_seconds(data, 0)
    yield row("socket, bare bytes", direct, direct)
    yield row("socket, clean", copy_seconds(data, 0), direct)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rate", type=float, default=46_080,
                        help="bytes per second of the serial line (default 46080: 460800 baud)")
    parser.add_argument("--bytes", type=int, default=4 * MIB, help="of the package (default 4 MiB)")
    options = parser.parse_args()
    print_table(("line", "seconds", "bytes/s", "% of bare", ""), rows(options.bytes, options.rate))
    return 0


if __name__ == "__main__":
    sys.exit(main())
