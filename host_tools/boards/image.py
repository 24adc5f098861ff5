# SPDX-License-Identifier: Apache-2.0
"""Program files: the contents of an ELF file, and the UF2 file for a boot drive. No I/O."""

from __future__ import annotations

import struct

from edgefm.errors import BadInput

ELF_HEAD = struct.Struct("<16sHHIIIIIHHHHHH")
SEGMENT = struct.Struct("<IIIIIIII")
ELF_32_LITTLE = b"\x7fELF\x01\x01"
LOADED = 1

BOOT2_BYTES = 252

UF2_HEAD = struct.Struct("<IIIIIIII")
UF2_MAGIC = (0x0A324655, 0x9E5D5157, 0x0AB16F30)
UF2_BLOCK, UF2_DATA, HAS_FAMILY = 512, 256, 0x2000


def flash_image(elf: bytes) -> tuple[int, bytes]:
    """Address and bytes of all that a 32-bit ELF file has loaded; gaps are 0xff.

    Raises BadInput for another kind of file.
    """
    try:
        head = ELF_HEAD.unpack_from(elf)
        if not head[0].startswith(ELF_32_LITTLE):
            raise BadInput("not a 32-bit little-endian ELF file")
        segments = [SEGMENT.unpack_from(elf, head[5] + i * head[9]) for i in range(head[10])]
    except struct.error:
        raise BadInput("an ELF file that is cut short") from None
    pieces = [(at, elf[offset:offset + size])
              for kind, offset, _, at, size, *_ in segments if kind == LOADED and size]
    if not pieces or any(not data for _, data in pieces):
        raise BadInput("an ELF file with nothing to load")
    first = min(at for at, _ in pieces)
    image = bytearray(b"\xff" * (max(at + len(data) for at, data in pieces) - first))
    for at, data in pieces:
        image[at - first:at - first + len(data)] = data
    return first, bytes(image)


def seal_boot2(image: bytes) -> bytes:
    """An image for RP2040, whose ROM starts it only where its first 256 bytes end with the CRC-32
    (not reflected, as in MPEG-2) of those before."""
    crc = 0xFFFFFFFF
    for byte in image[:BOOT2_BYTES]:
        crc ^= byte << 24
        for _ in range(8):
            crc = (crc << 1 ^ (0x04C11DB7 if crc >> 31 else 0)) & 0xFFFFFFFF
    return image[:BOOT2_BYTES] + struct.pack("<I", crc) + image[BOOT2_BYTES + 4:]


def write_uf2(address: int, image: bytes, family: int) -> bytes:
    """A UF2 file of `image` for the chip family of that number, in blocks of 256 bytes."""
    count = -(-len(image) // UF2_DATA)
    blocks = []
    for i in range(count):
        data = image[i * UF2_DATA:(i + 1) * UF2_DATA].ljust(UF2_DATA, b"\xff")
        head = UF2_HEAD.pack(*UF2_MAGIC[:2], HAS_FAMILY, address + i * UF2_DATA, UF2_DATA, i,
                             count, family)
        blocks.append((head + data).ljust(UF2_BLOCK - 4, b"\0") + struct.pack("<I", UF2_MAGIC[2]))
    return b"".join(blocks)
