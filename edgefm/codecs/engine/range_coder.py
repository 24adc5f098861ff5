# SPDX-License-Identifier: Apache-2.0
"""A binary range coder that adapts: decisions as one number inside an ever smaller range.

The twin of native/src/codecs/engine/range_coder.h. Both directions have one interface, so that a
codec is written once: a reader ignores what it is told to write. After G. N. N. Martin, "Range
encoding", 1979.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from edgefm.errors import BadContainer

RATE = 5  # a probability moves by 1/32 of what it was wrong
TOP = 1 << 24


class Coder(Protocol):
    """A range coder in either direction; a decoder ignores what it is told to write."""

    def bit(self, odds: list[int], i: int, bit: int) -> int:
        """One decision whose probability of a one is odds[i], which adapts."""

    def chance(self, p: int, bit: int) -> int:
        """One decision whose probability of a one is p, 1/65536."""

    def plain(self, bits: int, value: int) -> int:
        """`bits` equally likely bits."""


def _adapt(odds: list[int], i: int, bit: int) -> None:
    odds[i] += (65536 - odds[i]) >> RATE if bit else -(odds[i] >> RATE)


@dataclass(slots=True)
class Encoder:
    """Writes decisions as one number, as long as needed, inside an ever smaller range."""

    low: int = 0  # all digits written so far, and 32 bits more
    range: int = 0xFFFFFFFF
    bytes_out: int = 0

    def bit(self, odds: list[int], i: int, bit: int) -> int:
        """Write one decision."""
        self.chance(odds[i], bit)
        _adapt(odds, i, bit)
        return bit

    def chance(self, p: int, bit: int) -> int:
        """Write one decision whose probability of a one is p, 1/65536."""
        bound = (self.range >> 12) * (p >> 4)
        if bit:
            self.range = bound
        else:
            self.low += bound
            self.range -= bound
        self._drain()
        return bit

    def plain(self, bits: int, value: int) -> int:
        """Write plain bits."""
        for i in range(bits - 1, -1, -1):
            self.range >>= 1
            self.low += self.range * (value >> i & 1)
        self._drain()
        return value

    def _drain(self) -> None:
        while self.range < TOP:
            self.range <<= 8
            self.low <<= 8
            self.bytes_out += 1

    def finish(self) -> bytes:
        """The code: a number inside the range with as few digits as possible."""
        digits = (self.low + TOP - 1) >> 24
        code = digits.to_bytes(self.bytes_out + 1, "big")
        return code[:1] + code[1:].rstrip(b"\0")


@dataclass(slots=True)
class Decoder:
    """Reads the decisions again; digits past the end are zeros."""

    data: bytes
    code: int = 0
    range: int = 0xFFFFFFFF
    at: int = 4

    def __post_init__(self) -> None:
        """Look at the first four digits."""
        if not self.data or (len(self.data) > 1 and self.data[-1] == 0):
            raise BadContainer("a coded row is empty or ends with a zero")
        self.code = int.from_bytes(self.data[:4].ljust(4, b"\0"), "big")

    def bit(self, odds: list[int], i: int, bit: int) -> int:
        """Read one decision."""
        bit = self.chance(odds[i], bit)
        _adapt(odds, i, bit)
        return bit

    def chance(self, p: int, bit: int) -> int:
        """Read one decision whose probability of a one is p, 1/65536."""
        bound = (self.range >> 12) * (p >> 4)
        bit = int(self.code < bound)
        if bit:
            self.range = bound
        else:
            self.code -= bound
            self.range -= bound
        self._refill()
        return bit

    def plain(self, bits: int, value: int) -> int:
        """Read plain bits."""
        value = 0
        for _ in range(bits):
            self.range >>= 1
            bit = self.code >= self.range
            self.code -= self.range if bit else 0
            value = value << 1 | bit
        self._refill()
        return value

    def _refill(self) -> None:
        while self.range < TOP:
            self.range <<= 8
            digit = self.data[self.at] if self.at < len(self.data) else 0
            self.code = (self.code << 8 | digit) & 0xFFFFFFFF
            self.at += 1

    def finish(self) -> None:
        """BadContainer unless exactly this code was needed."""
        if self.code >= TOP or len(self.data) > self.at - 3:
            raise BadContainer("a coded row is longer or shorter than its values")

