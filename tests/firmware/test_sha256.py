# SPDX-License-Identifier: Apache-2.0
"""SHA-256 in C against hashlib, at every length around a block and in pieces."""

import hashlib
import random
from pathlib import Path

import pytest

SHA256_C = Path(__file__).resolve().parents[2] / "firmware" / "common" / "sha256.c"
CDEF = """
typedef struct efm_sha256 { ...; } efm_sha256;
void efm_sha256_start(efm_sha256 *hash);
void efm_sha256_add(efm_sha256 *hash, const uint8_t *bytes, uint32_t count);
void efm_sha256_end(efm_sha256 *hash, uint8_t *digest);
"""


@pytest.fixture(scope="module")
def digest(native_lib):
    native = native_lib(CDEF, '#include "sha256.h"', [SHA256_C])

    def of(*pieces):
        state, out = native.ffi.new("efm_sha256 *"), native.ffi.new("uint8_t[32]")
        native.lib.efm_sha256_start(state)
        for piece in pieces:
            native.lib.efm_sha256_add(state, piece, len(piece))
        native.lib.efm_sha256_end(state, out)
        return bytes(out)

    return of


def test_every_length_up_to_three_blocks(digest):
    data = random.Random(1).randbytes(200)
    for length in range(200):
        assert digest(data[:length]) == hashlib.sha256(data[:length]).digest()


@pytest.mark.parametrize("piece", [1, 3, 63, 64, 65, 1000])
def test_any_pieces_give_the_same(digest, piece):
    data = random.Random(2).randbytes(5000)
    assert digest(*(data[i:i + piece] for i in range(0, 5000, piece))) \
        == hashlib.sha256(data).digest()
