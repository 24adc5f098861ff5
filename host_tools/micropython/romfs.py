# SPDX-License-Identifier: Apache-2.0
"""Images of ROMFS, MicroPython's filesystem in flash, whose files lie where kernels can read them.

mpremote's own images put a file at any address; this one pads, so that packages run in place.
"""

from __future__ import annotations

from collections.abc import Mapping

from edgefm.errors import BadInput

ALIGNMENT = 16  # of a package's bytes, as of its tiles
MAGIC = b"\xd2\xcd\x31"
_PADDING, _DATA, _FILE = 1, 2, 5
_LENGTH_BYTES = 5  # of the image's length, so that what is behind it does not move
_MOST = 1 << 30


def romfs_image(files: Mapping[str, bytes]) -> bytes:
    """An image with these files in its root. Raises BadInput for a name with a slash, or none."""
    start = len(MAGIC) + _LENGTH_BYTES
    body = bytearray()
    for name, data in files.items():
        if not name or "/" in name or not name.isascii() or not name.isprintable():
            raise BadInput(f"romfs: got the name {name!r}, expected ASCII without a slash")
        head = _file_head(name, len(data))
        body += _padding(-(start + len(body) + len(head)) % ALIGNMENT)
        body += head + data
    if start + len(body) > _MOST:
        raise BadInput(f"romfs: got {len(body)} bytes, expected at most {_MOST}")
    body += _padding(len(body) % 2 * (ALIGNMENT + 1))  # its length is even, start is
    return MAGIC + _number(len(body), _LENGTH_BYTES) + bytes(body)


def _file_head(name: str, size: int) -> bytes:
    """A file's record up to its data."""
    data = _number(_DATA) + _number(size)
    inner = _number(len(name)) + name.encode() + data
    return _number(_FILE) + _number(len(inner) + size) + inner


def _padding(size: int) -> bytes:
    """A record of `size` bytes that says nothing; one byte is too short for a record."""
    if size == 1:
        size += ALIGNMENT
    return _number(_PADDING) + _number(size - 2) + bytes(size - 2) if size else b""


def _number(value: int, width: int = 1) -> bytes:
    """Seven bits to a byte, the highest first, all but the last marked; at least `width` bytes."""
    groups = [value & 0x7f]
    while value := value >> 7:
        groups.insert(0, value & 0x7f | 0x80)
    return bytes([0x80] * (width - len(groups)) + groups)
