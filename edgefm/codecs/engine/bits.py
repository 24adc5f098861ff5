# SPDX-License-Identifier: Apache-2.0
"""Bits in bytes, highest bit first (native/src/bits.h)."""

from __future__ import annotations

from dataclasses import dataclass, field

from edgefm.errors import BadContainer


@dataclass(slots=True)
class BitWriter:
    """Collects bits; `bytes()` pads the last byte with zeros."""

    bits: list[int] = field(default_factory=list)

    def write(self, value: int, count: int) -> None:
        """Append the low `count` bits of `value`, highest first."""
        self.bits += [value >> i & 1 for i in range(count - 1, -1, -1)]

    def align(self) -> None:
        """Append zeros up to a byte boundary."""
        self.bits += [0] * (-len(self.bits) % 8)

    def bytes(self) -> bytes:
        """Everything written, in whole bytes."""
        self.align()
        text = "".join(map(str, self.bits))
        return bytes(int(text[i:i + 8], 2) for i in range(0, len(text), 8))


@dataclass(slots=True)
class BitReader:
    """Reads bits; past the end it raises BadContainer."""

    code: bytes
    at: int = 0

    def read(self, count: int) -> int:
        """The next `count` bits as a number, highest first."""
        if count > 8 * len(self.code) - self.at:
            raise BadContainer(f"a coded row ends after {len(self.code)} bytes, in the middle")
        value = 0
        for i in range(self.at, self.at + count):
            value = value << 1 | self.code[i // 8] >> (7 - i % 8) & 1
        self.at += count
        return value

    def align(self) -> None:
        """Skip to a byte boundary; BadContainer when a skipped bit is set."""
        if self.read(-self.at % 8):
            raise BadContainer("padding of a coded row holds a one")

    def finish(self) -> None:
        """BadContainer unless everything was read, up to zero padding in the last byte."""
        self.align()
        if self.at != 8 * len(self.code):
            raise BadContainer(f"a coded row has {len(self.code)} bytes, {self.at // 8} were used")
