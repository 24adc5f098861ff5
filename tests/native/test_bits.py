# SPDX-License-Identifier: Apache-2.0
"""The C bit writer and reader: the bytes of Python's, and never outside their buffer."""

import numpy as np
import pytest

from edgefm.codecs.engine.bits import BitReader, BitWriter

CDEF = """
typedef struct { uint8_t *bytes; uint32_t size, at; } efm_bit_writer;
typedef struct { const uint8_t *bytes; uint32_t size, at; } efm_bit_reader;
void efm_bits_write(efm_bit_writer *w, uint32_t value, uint32_t count);
void efm_bits_align(efm_bit_writer *w);
uint32_t efm_bits_written(const efm_bit_writer *w);
uint32_t efm_bits_read(efm_bit_reader *r, uint32_t count);
int efm_bits_skip_padding(efm_bit_reader *r);
int efm_bits_spent(efm_bit_reader *r);
uint32_t log2_of(uint32_t v);
"""
SOURCE = """
#include "bits.h"
static uint32_t log2_of(uint32_t v) { return efm_log2(v); }
"""
FIELDS = [(int(v) & (1 << int(n)) - 1, int(n))
          for v, n in np.random.default_rng(2).integers(0, (1 << 16, 17), (50, 2))]


@pytest.fixture(scope="module")
def native(native_lib):
    return native_lib(CDEF, SOURCE, ["bits.c"])


def writer(native, size):
    memory = native.ffi.new("uint8_t[]", b"\xaa" * (size + 1))
    return memory, native.ffi.new("efm_bit_writer *", {"bytes": memory, "size": size})


def reader(native, code):
    memory = native.ffi.new("uint8_t[]", bytes(code) + b"\xff\xff\xff\xff")
    return memory, native.ffi.new("efm_bit_reader *", {"bytes": memory, "size": len(code)})


def test_writes_pythons_bytes_and_reads_them_back(native):
    python = BitWriter()
    memory, w = writer(native, 200)
    for value, count in FIELDS:
        python.write(value, count)
        native.lib.efm_bits_write(w, value, count)
    native.lib.efm_bits_align(w)
    code = bytes(native.ffi.buffer(memory)[:native.lib.efm_bits_written(w)])
    assert code == python.bytes()
    _keep, r = reader(native, code)
    assert [native.lib.efm_bits_read(r, n) for _, n in FIELDS] == [v for v, _ in FIELDS]
    assert native.lib.efm_bits_spent(r)
    assert BitReader(code).read(FIELDS[0][1]) == FIELDS[0][0]


@pytest.mark.parametrize("size", [0, 1, 2, 5])
def test_writing_past_the_end_is_remembered_and_writes_nothing(native, size):
    memory, w = writer(native, size)
    for _ in range(size):
        native.lib.efm_bits_write(w, 0xFF, 8)
    assert native.lib.efm_bits_written(w) == size
    native.lib.efm_bits_write(w, 1, 1)
    assert native.lib.efm_bits_written(w) == 0
    native.lib.efm_bits_write(w, 0xFFFF, 16)
    assert native.lib.efm_bits_written(w) == 0
    assert bytes(native.ffi.buffer(memory))[:size + 1] == b"\xff" * size + b"\xaa"


def test_reading_past_the_end_gives_zeros_and_is_remembered(native):
    _keep, r = reader(native, b"\xff")
    assert native.lib.efm_bits_read(r, 12) == 0xFF0
    assert native.lib.efm_bits_read(r, 16) == 0
    assert not native.lib.efm_bits_spent(r)


@pytest.mark.parametrize("code, read, spent", [
    (b"", 0, True), (b"\x80", 1, True), (b"\x81", 1, False), (b"\x80\x00", 1, False),
    (b"\xff", 8, True), (b"\xff", 7, False), (b"\xff", 9, False)])
def test_spent_means_all_bytes_and_zero_padding(native, code, read, spent):
    _keep, r = reader(native, code)
    native.lib.efm_bits_read(r, read)
    assert bool(native.lib.efm_bits_spent(r)) is spent


def test_asking_forever_does_not_come_round(native):
    _keep, r = reader(native, b"\x80")
    r.at = 0xFFFFFFF0
    for _ in range(4):
        assert native.lib.efm_bits_read(r, 16) == 0
    assert not native.lib.efm_bits_spent(r)


@pytest.mark.parametrize("v", [1, 2, 3, 4, 255, 256, 0xFFFFFFFF])
def test_log2_is_the_highest_bit(native, v):
    assert native.lib.log2_of(v) == v.bit_length() - 1
