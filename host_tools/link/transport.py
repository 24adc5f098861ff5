# SPDX-License-Identifier: Apache-2.0
"""The transport of a link: a serial port, a socket, a process, or memory."""

from __future__ import annotations

import os
import select
import shlex
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Protocol

import serial

from edgefm.console.processes import end, start
from edgefm.errors import LinkError, LinkLost, LinkTimeout

BLOCK = 1 << 16
WRITE_SECONDS = 10.0
END_SECONDS = 2.0       # that a process may take to end when it is told to
BITS_PER_BYTE = 10  # a start bit, eight, a stop bit


class Transport(Protocol):
    """Bytes to and from one device.

    `bytes_per_second` is the line's own limit; None if there is no relevant one.
    """

    name: str
    bytes_per_second: float | None

    def write(self, data: bytes) -> None:
        """Send all of `data`. Raises LinkLost when the line is gone, LinkTimeout when stuck."""

    def read(self, timeout: float) -> bytes:
        """The received bytes, b"" if none come within `timeout` seconds. Raises LinkLost."""

    def clock(self) -> float:
        """Seconds since some moment; read() waits on this clock."""

    def close(self) -> None:
        """Close the line; a second call does nothing."""





class SerialTransport:
    """A serial port or pty by name, or any URL that pyserial knows (socket://host:port)."""

    def __init__(self, url: str, baud: int = 115200) -> None:
        self.name = url
        self.bytes_per_second = None if "://" in url else baud / BITS_PER_BYTE
        options = {} if "://" in url else {"exclusive": True}
        try:
            self._port = serial.serial_for_url(url, baudrate=baud, timeout=0,
                                               write_timeout=WRITE_SECONDS, **options)
            if url.lower().startswith("socket://"):
                _send_at_once(self._port.fileno())
        except (OSError, ValueError) as error:
            raise LinkError(f"{url}: cannot be opened: {_reason(error)}") from None

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        try:
            self._port.write(data)
        except serial.SerialTimeoutException:
            raise LinkTimeout(f"{self.name}: takes no bytes for {WRITE_SECONDS:g} s") from None
        except OSError as error:
            raise LinkLost(f"{self.name}: gone while writing: {_reason(error)}") from None

    def read(self, timeout: float) -> bytes:
        """Wait for one byte, then return all that have arrived."""
        try:
            self._port.timeout = timeout
            data = self._port.read(1)
            if data:
                self._port.timeout = 0
                data += self._port.read(BLOCK)
        except (OSError, TypeError) as error:  # TypeError: pyserial on a port closed under it
            raise LinkLost(f"{self.name}: gone while reading: {_reason(error)}") from None
        return bytes(data)

    def clock(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def close(self) -> None:
        """Close the port."""
        self._port.close()


class ProcessTransport:
    """A process whose standard input and output are the line (Linux, macOS)."""

    def __init__(self, command: Sequence[str]) -> None:
        self.name = shlex.join(command)
        self.bytes_per_second: float | None = None
        try:
            self._process = start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        except OSError as error:
            raise LinkError(f"{self.name}: cannot be started: {_reason(error)}") from None
        assert self._process.stdin is not None and self._process.stdout is not None
        self._input, self._output = self._process.stdin, self._process.stdout
        os.set_blocking(self._input.fileno(), False)

    def write(self, data: bytes) -> None:
        """Send all of `data`."""
        rest = memoryview(data)
        while rest:
            try:
                if not select.select([], [self._input], [], WRITE_SECONDS)[1]:
                    raise LinkTimeout(f"{self.name}: takes no bytes for {WRITE_SECONDS:g} s")
                rest = rest[os.write(self._input.fileno(), rest):]
            except BlockingIOError:
                continue  # less room than select promised for
            except (OSError, ValueError) as error:
                raise LinkLost(f"{self.name}: gone while writing: {_reason(error)}") from None

    def read(self, timeout: float) -> bytes:
        """The bytes that the process has written."""
        try:
            if not select.select([self._output], [], [], timeout)[0]:
                return b""
            data = os.read(self._output.fileno(), BLOCK)
        except (OSError, ValueError) as error:
            raise LinkLost(f"{self.name}: gone while reading: {_reason(error)}") from None
        if not data:
            try:
                how = f"ended with {self._process.wait(END_SECONDS)}"
            except subprocess.TimeoutExpired:
                how = "closed its output"
            raise LinkLost(f"{self.name}: {how}")
        return data

    def clock(self) -> float:
        """Seconds of the machine's monotonic clock."""
        return time.monotonic()

    def close(self) -> None:
        """End the process."""
        self._input.close()
        self._output.close()
        end(self._process)


class MemoryTransport:
    """A device that is a function from the bytes it receives to the bytes it answers.

    It never waits: a read without data moves the clock by its timeout.
    """

    def __init__(self, device: Callable[[bytes], bytes], name: str = "memory") -> None:
        self.name = name
        self.bytes_per_second: float | None = None
        self._device = device
        self._pending = bytearray()
        self._seconds = 0.0

    def write(self, data: bytes) -> None:
        """Pass `data` to the device and keep its answer."""
        self._pending += self._device(data)

    def read(self, timeout: float) -> bytes:
        """All answers of the device so far."""
        data = bytes(self._pending)
        self._pending.clear()
        if not data:
            self._seconds += timeout
        return data

    def clock(self) -> float:
        """Seconds of silence so far."""
        return self._seconds

    def close(self) -> None:
        """Do nothing."""


def open_transport(url: str, baud: int = 115200) -> Transport:
    """A line by name: `exec:COMMAND` starts a process, anything else is pyserial's."""
    if url.startswith("exec:"):
        return ProcessTransport(shlex.split(url.removeprefix("exec:")))
    return SerialTransport(url, baud)


def _send_at_once(line: int) -> None:
    """Make a TCP connection send small pieces without waiting for acknowledgements."""
    with socket.socket(fileno=os.dup(line)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _reason(error: Exception) -> str:
    """The error's reason, as one line."""
    return " ".join(str(error).split()) or type(error).__name__
