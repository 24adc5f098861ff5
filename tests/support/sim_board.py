# SPDX-License-Identifier: Apache-2.0
"""The firmware as a process of this machine, sanitized, and lines to it that do what lines do."""

import random
import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from host_tools.boards.build import build
from host_tools.link.bulk import Timing
from host_tools.link.device import Device
from host_tools.link.transport import ProcessTransport, SerialTransport, Transport

SANITIZED = ("-O1", "-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all",
             "-Wno-conversion", "-Wno-sign-conversion")  # gcc warns of what the sanitizer adds
QUICK = Timing(resend=0.02, resend_least=0.01, resend_most=0.1, silence=2.0)


@pytest.fixture(scope="session")
def firmware(need: Callable[[str], str]) -> Path:
    """The sim board's program, with the address and undefined-behavior sanitizers."""
    need("cc")
    return build("sim", flags=SANITIZED)


@pytest.fixture
def sim(firmware: Path) -> Callable[..., Device]:
    """`sim("--fast-bytes", "65536")` starts a board and gives the device; it ends with it."""

    def start(*options: object, line: Callable[[Transport], Transport] = lambda line: line,
              **more: object) -> Device:
        process = ProcessTransport([str(firmware), *map(str, options)])
        return Device(line(process), timing=QUICK, **more)  # type: ignore[arg-type]

    return start


def listening(program: Path, *options: object
              ) -> AbstractContextManager[tuple[subprocess.Popen[str], str]]:
    """A board that listens at a TCP port: the process and its URL."""

    @contextmanager
    def run() -> Iterator[tuple[subprocess.Popen[str], str]]:
        line = [str(program), "--tcp", "0", *map(str, options)]
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            try:
                yield process, process.stdout.readline().strip()
            finally:
                process.kill()

    return run()


def dial(url: str) -> Device:
    """Another client of a board that listens."""
    return Device(SerialTransport(url), timing=QUICK)


class Bad:
    """A line that damages and drops a share of the bytes that go over it."""

    def __init__(self, inner: Transport, share: float, seed: int = 1) -> None:
        self.name, self.bytes_per_second = inner.name, None
        self._inner, self._share, self._random = inner, share, random.Random(seed)

    def _spoiled(self, data: bytes) -> bytes:
        out = bytearray(data)
        for at in range(len(out) - 1, -1, -1):
            if self._random.random() < self._share:
                out[at] ^= 1 << self._random.randrange(8)
            if self._random.random() < self._share:
                del out[at]
        return bytes(out)

    def write(self, data: bytes) -> None:
        self._inner.write(self._spoiled(data))

    def read(self, timeout: float) -> bytes:
        return self._spoiled(self._inner.read(timeout))

    def clock(self) -> float:
        return self._inner.clock()

    def close(self) -> None:
        self._inner.close()


class Interrupted:
    """A line whose `after`-th read is a Ctrl-C, once `armed`."""

    def __init__(self, inner: Transport, after: int) -> None:
        self.name, self.bytes_per_second = inner.name, None
        self._inner, self._after, self.armed = inner, after, False

    def write(self, data: bytes) -> None:
        self._inner.write(data)

    def read(self, timeout: float) -> bytes:
        self._after -= self.armed
        if self.armed and self._after == 0:
            self.armed = False
            raise KeyboardInterrupt
        return self._inner.read(timeout)

    def clock(self) -> float:
        return self._inner.clock()

    def close(self) -> None:
        self._inner.close()
