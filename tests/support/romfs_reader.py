# SPDX-License-Identifier: Apache-2.0
"""Reads images of ROMFS as MicroPython does, without our writer."""

from collections.abc import Iterator, Mapping

MAGIC = b"\xd2\xcd\x31"
FILESYSTEM, PADDING, FILE = 0x14a6b1, 1, 5


def number(image: bytes, at: int) -> tuple[int, int]:
    """A number of the format, and where it ends."""
    value = 0
    while True:
        value = value << 7 | image[at] & 0x7f
        at += 1
        if not image[at - 1] & 0x80:
            return value, at


def records(image: bytes, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Kind, begin and end of each record's payload."""
    while at < end:
        kind, at = number(image, at)
        size, at = number(image, at)
        assert at + size <= end
        yield kind, at, at + size
        at += size


def files(image: bytes) -> Mapping[str, tuple[int, bytes]]:
    """Address and bytes of each file in the root."""
    [(kind, begin, end)] = records(image, 0, len(image))
    assert image.startswith(MAGIC) and kind == FILESYSTEM and len(image) % 2 == 0
    found = {}
    for kind, at, stop in records(image, begin, end):
        assert kind in (PADDING, FILE)
        if kind == FILE:
            size, at = number(image, at)
            name = image[at:at + size].decode()
            [(_, first, last)] = records(image, at + size, stop)
            found[name] = (first, image[first:last])
    return found
