# SPDX-License-Identifier: Apache-2.0
"""The C range coder: the digits of Python's, in as much room as they need and not a byte more."""

import numpy as np
import pytest

from edgefm.codecs.range import Encoder

CDEF = "uint32_t written(const uint32_t *steps, uint32_t count, uint8_t *out, uint32_t capacity);"
SOURCE = """
#include "codecs/range.h"
/* Steps: a chance, its bit; or 0, number of plain bits, value. */
static uint32_t written(const uint32_t *steps, uint32_t count, uint8_t *out, uint32_t capacity)
{
    coder k = open_room(out, capacity);
    for (uint32_t i = 0; i < count; i++, steps += 3) {
        if (steps[0] > 0)
            write_chance(&k, steps[0], steps[1]);
        else
            write_plain(&k, steps[2], steps[1]);
    }
    return finish(&k);
}
"""
GUARD = b"\x5a" * 8


@pytest.fixture(scope="module")
def native(native_lib):
    return native_lib(CDEF, SOURCE, ["codecs/context.c"])


def decisions(rng, calm):
    """Some decisions, then `calm` groups of plain bits that are all zeros, or all ones."""
    steps = [(int(p), int(bit), 0) for p, bit in rng.integers((16, 0), (65536, 2), (6, 2))]
    group = int(rng.integers(2)) * 255
    steps += [(0, 8, group)] * calm
    if rng.integers(2):
        steps += [(int(rng.choice((16, 65535))), int(rng.integers(2)), 0)]
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
    """Also where zeros that are no part of it would not, and where a carry makes them zeros."""
    rng, spared = np.random.default_rng(5), 0
    for _ in range(600):
        steps = decisions(rng, int(rng.integers(0, 9)))
        encoder = encoded(steps)
        code = encoder.finish()
        for capacity in range(len(code) + 6):
            assert written(native, steps, capacity) == (code if capacity >= len(code) else b"")
        spared += encoder.bytes_out + 1 - len(code) > 1
    assert spared > 50
