# SPDX-License-Identifier: Apache-2.0
"""A board that runs MicroPython is told from a silent one, at once and without leaving a trace."""

from collections.abc import Callable

import pytest

from edgefm.errors import LinkError, LinkTimeout
from host_tools.link.bulk import Timing
from host_tools.link.foreign import foreign
from host_tools.link.session import Session
from host_tools.link.transport import MemoryTransport

BANNER = (b"MPY: soft reboot\r\nMicroPython v1.24.0 on 2024-10-25; Generic board with RP2040\r\n"
          b'Type "help()" for more information.\r\n>>> ')
RAW = b"raw REPL; CTRL-B to exit\r\n>"


class MicroPython:
    """Its REPL as far as control characters on an empty line go; echoes what is typed."""

    def __init__(self) -> None:
        self.raw = self.typed = False

    def __call__(self, keys: bytes) -> bytes:
        return b"".join(self._key(bytes([key])) for key in keys)

    def _key(self, key: bytes) -> bytes:
        if key == b"\x02":
            self.raw = self.typed = False
            return BANNER[18:]
        if key == b"\x03":
            self.typed = False
            return b"" if self.raw else b"\r\nKeyboardInterrupt\r\n>>> "
        if self.raw:
            return b"OK\x04\x04>" if key == b"\x04" else b""
        if key == b"\x01" and not self.typed:
            self.raw = True
            return RAW
        if key == b"\x04" and not self.typed:
            return BANNER
        if key == b"\r":
            self.typed = False
            return b"\r\n>>> "
        self.typed = self.typed or key.isalnum()
        return key if key.isalnum() else b""


@pytest.mark.parametrize("first", [0, 7, 64, 255])
def test_micropython_is_named_in_one_line_within_a_second(
        monkeypatch: pytest.MonkeyPatch, first: int) -> None:
    monkeypatch.setattr("secrets.randbelow", lambda limit: first)
    board = MicroPython()
    line = MemoryTransport(board, "/dev/ttyACM0")
    with pytest.raises(LinkError, match="^/dev/ttyACM0: MicroPython answers here, not edgefm's"):
        Session(line)
    assert line.clock() <= 1.0
    assert not board.raw  # it is left as it was


@pytest.mark.parametrize("device", [
    lambda keys: b"", lambda keys: b"boot: 1.0\r\n", lambda keys: keys[::-1].replace(b"\0", b"x"),
    lambda keys: b"edgefm firmware, not MicroPython: use `edgefm ls`\r\n\x04>"])
def test_any_other_device_is_waited_for(device: Callable[[bytes], bytes]) -> None:
    with pytest.raises(LinkTimeout, match="no answer to HELLO"):
        Session(MemoryTransport(device), timing=Timing(silence=2.0))


@pytest.mark.parametrize(("heard", "name"), [
    (b"", None), (b"\0\x04\x02", None), (b">>> print(1)", None), (b"x\r\n>>> ", "MicroPython"),
    (RAW, "MicroPython"), (b"noise" * 1000 + RAW, "MicroPython"), (RAW + b"x" * 2000, None),
    (b"Adafruit CircuitPython 9.1.0 on 2024-07-10\r\n>>> ", "CircuitPython")])
def test_a_prompt_or_a_banner_tells(heard: bytes, name: str | None) -> None:
    assert foreign(heard) == name
