# SPDX-License-Identifier: Apache-2.0
"""The C range coder: the digits of Python's, in as much room as they need and not a byte more."""

import numpy as np
import pytest

from edgefm.codecs.engine.range_coder import Encoder

CDEF = "uint32_t written(const uint32_t *steps, uint32_t count, uint8_t *out, uint32_t capacity);"
SOURCE = """
#include "codecs/engine/range_coder.h"
/* Steps: a chance, its bit; or 0, number of plain bits, value. */
static uint32_t written(const uint32_t *steps, uint32_t count, uint8_t *out, uint32_t capacity)
{
    efm_range k = efm_range_room(out, capacity);
    for (uint32_t i = 0; i < count; i++, steps += 3) {
        if (steps[0] > 0)
            efm_range_write_chance(&k, steps[0], steps[1]);
        else
            efm_range_write_plain(&k, steps[2], steps[1]);
    }
    return efm_range_finish(&k);
}
"""
GUARD = b"\x5a" * 8


@pytest.fixture(scope="module")
def native(native_lib):
    return native_lib(CDEF, SOURCE, ["codecs/context.c"])


def decisions(rng):
    """Up to eleven runs of chances and plain bits, many of them such that digits are 0 or 255."""
    steps = []
    for _ in range(int(rng.integers(12))):
        p, bit, count = int(rng.integers(16, 65536)), int(rng.integers(2)), int(rng.integers(1, 20))
        bits = int(rng.integers(1, 9))
        steps += [[(p, bit, 0)],
                  [(int(rng.choice((16, 256, 32768, 65535))), bit, 0)],
                  [(65535, 0, 0)] * count,
                  [(0, bits, int(rng.integers(1 << bits)))],
                  [(0, 8, 255 * bit)] * (count // 4)][int(rng.integers(5))]
    return steps


def encoded(steps):
    encoder = Encoder()
    for p, bits, value in steps:
        encoder.chance(p, bits) if p else encoder.plain(bits, value)
    return encoder


def written(native, steps, capacity):
    memory = native.ffi.new("uint8_t[]", b"\0" * capacity + GUARD)
    flat = native.ffi.new("uint32_t[]", [int(n) for step in steps for n in step])
    length = native.lib.written(flat, len(steps), memory, capacity)
    assert length <= capacity
    assert bytes(native.ffi.buffer(memory))[capacity:capacity + 8] == GUARD
    return bytes(native.ffi.buffer(memory)[:length])


def test_a_code_fits_wherever_its_digits_do(native):
    """Also where zeros that are not part of it would not fit, and where a carry comes or goes."""
    rng, spared = np.random.default_rng(1), 0
    for _ in range(4000):
        steps = decisions(rng)
        encoder = encoded(steps)
        code = encoder.finish()
        for capacity in range(encoder.bytes_out + 3):
            assert written(native, steps, capacity) == (code if capacity >= len(code) else b"")
        spared += encoder.bytes_out + 1 - len(code) > 1
    assert spared > 100
