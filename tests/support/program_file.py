# SPDX-License-Identifier: Apache-2.0
"""ELF files of a few bytes, for tests of what flashes them."""

import struct


def elf(segments):
    """A 32-bit ELF file of (kind, physical address, bytes)."""
    head = struct.pack("<16sHHIIIIIHHHHHH", b"\x7fELF\x01\x01\x01", 2, 40, 1, 0x100, 52, 0, 0, 52,
                       32, len(segments), 0, 0, 0)
    at, table, data = 52 + 32 * len(segments), b"", b""
    for kind, address, piece in segments:
        table += struct.pack("<IIIIIIII", kind, at + len(data), 0x20000000, address, len(piece),
                             len(piece) + 8, 5, 4)
        data += piece
    return head + table + data
