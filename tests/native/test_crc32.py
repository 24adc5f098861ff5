# SPDX-License-Identifier: Apache-2.0
"""The checksum is the CRC-32 of everybody else."""

import zlib
from collections.abc import Callable
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., ModuleType]) -> ModuleType:
    return native_lib("uint32_t efm_crc32(uint32_t crc, const uint8_t *bytes, uint32_t count);",
                      '#include "edgefm_bytes.h"', ["crc32.c"])


def test_the_check_value(native: ModuleType) -> None:
    assert native.lib.efm_crc32(0, b"123456789", 9) == 0xCBF43926


def test_nothing_has_checksum_zero(native: ModuleType) -> None:
    assert native.lib.efm_crc32(0, b"", 0) == 0


@given(data=st.binary(max_size=300))
def test_it_equals_zlib(native: ModuleType, data: bytes) -> None:
    assert native.lib.efm_crc32(0, data, len(data)) == zlib.crc32(data)


@given(pieces=st.lists(st.binary(max_size=40), max_size=6))
def test_pieces_chain(native: ModuleType, pieces: list[bytes]) -> None:
    crc = 0
    for piece in pieces:
        crc = native.lib.efm_crc32(crc, piece, len(piece))
    assert crc == zlib.crc32(b"".join(pieces))
