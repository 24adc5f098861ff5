# SPDX-License-Identifier: Apache-2.0
"""What an ELF file loads, and UF2 blocks."""

import struct

import pytest
from program_file import elf

from edgefm.errors import BadInput
from host_tools.boards.image import flash_image, seal_boot2, write_uf2


def test_loaded_segments_are_joined_at_their_load_address():
    program = elf([(1, 0x8000100, b"data"), (1, 0x8000000, b"code!"), (6, 0, b"phdr"), (1, 9, b"")])
    assert flash_image(program) == (0x8000000, b"code!" + b"\xff" * 251 + b"data")


@pytest.mark.parametrize("bad", [b"", b"\x7fELF\x02\x01" + bytes(60), elf([]), b"#!/bin/sh\n" * 9,
                                 elf([(1, 0, b"1234")])[:60], elf([(6, 0, b"1234")])])
def test_anything_else_is_refused(bad):
    with pytest.raises(BadInput):
        flash_image(bad)


def test_uf2_blocks_cover_the_image():
    image = bytes(range(256)) * 2 + b"end"
    file = write_uf2(0x10000000, image, 0xE48BFF59)
    assert len(file) == 3 * 512
    found = b""
    for i in range(3):
        block = file[512 * i:512 * (i + 1)]
        assert struct.unpack_from("<8I", block) == (
            0x0A324655, 0x9E5D5157, 0x2000, 0x10000000 + 256 * i, 256, i, 3, 0xE48BFF59)
        assert block[-4:] == bytes.fromhex("306fb10a") and not any(block[32 + 256:-4])
        found += block[32:32 + 256]
    assert found == image.ljust(768, b"\xff")


def test_the_boot_stage_of_rp2040_ends_with_its_crc():
    """The remainder of a division of polynomials, done at once."""
    image = bytes(range(256)) * 2
    sealed = seal_boot2(image)
    assert sealed[:252] == image[:252] and sealed[256:] == image[256:]
    remainder = int.from_bytes(image[:252] + bytes(4), "big") ^ (0xFFFFFFFF << 8 * 252)
    for bit in range(remainder.bit_length() - 1, 31, -1):
        if remainder >> bit & 1:
            remainder ^= 0x104C11DB7 << (bit - 32)
    assert int.from_bytes(sealed[252:256], "little") == remainder
