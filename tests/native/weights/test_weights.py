# SPDX-License-Identifier: Apache-2.0
"""The C decoder of weights: what Python's encoder wrote, and never outside its buffers."""

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from edgefm.codecs.weights import WeightCode, encode_tile, huffman, packed, read_table
from edgefm.codecs.weights.fit import fit_tables
from edgefm.errors import BadContainer

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "native" / "src"
FILES = ["weights/decode.c", "weights/huffman.c", "weights/packed.c"]
GOLDEN = ROOT / "tests" / "golden" / "weights" / "tiles.json"
OK, BAD_FEATURE, BAD_CODEC = 0, -6, -10
ENTRIES, TOO_LONG = 1024, 31
CDEF = """
int build_table(const uint8_t *record, uint32_t bytes, uint16_t *table);
int check_table(const uint16_t *table);
int decode(uint32_t code, const uint16_t *table, const uint8_t *coded, uint32_t bytes, int8_t *to,
           uint32_t count);
"""
SOURCE = """
#include "weights/weights.h"
static int build_table(const uint8_t *record, uint32_t bytes, uint16_t *table)
{ return efm_weights_build_table(record, bytes, table); }
static int check_table(const uint16_t *table) { return efm_weights_check_table(table); }
static int decode(uint32_t code, const uint16_t *table, const uint8_t *coded, uint32_t bytes,
                  int8_t *to, uint32_t count)
{ return efm_weights_decode(code, table, coded, bytes, to, count); }
"""


@pytest.fixture(scope="module")
def native(native_lib):
    return native_lib(CDEF, SOURCE, FILES)


def built(native, record):
    table = native.ffi.new("uint16_t[]", ENTRIES)
    assert native.lib.build_table(bytes(record), len(record), table) == OK
    return table


def decoded(native, code, table, data, count):
    """(status, weights, what stands behind them), from a buffer of exactly the code's size."""
    coded = native.ffi.new("uint8_t[]", len(data) or 1)
    native.ffi.memmove(coded, bytes(data), len(data))
    to = native.ffi.new("int8_t[]", [85] * (count + 8))
    status = native.lib.decode(code, table or native.ffi.NULL, coded, len(data), to, count)
    values = np.frombuffer(native.ffi.buffer(to), np.int8)
    return status, values[:count].copy(), values[count:].tolist()


def laplacian(count, spread, seed=1):
    values = np.rint(np.random.default_rng(seed).laplace(0, spread, count))
    return np.clip(values, -128, 127).astype(np.int8)


def hard_tiles():
    random = np.random.default_rng(3)
    sparse = np.where(random.random(3000) < 0.95, 0, random.integers(-128, 128, 3000))
    return {"dense": laplacian(5000, 9), "narrow": laplacian(5001, 0.8), "wide": laplacian(700, 60),
            "sparse": sparse.astype(np.int8), "zeros": np.zeros(777, np.int8),
            "one": np.full(1, -7, np.int8), "constant": np.full(300, 127, np.int8),
            "ends": np.array([-128, 127] * 40, np.int8), "three": laplacian(3, 4),
            "random": random.integers(-128, 128, 999).astype(np.int8)}


@pytest.mark.parametrize("name", hard_tiles())
@pytest.mark.parametrize("learned_from", ["dense", "narrow", "sparse"])
def test_c_decodes_what_python_wrote_with_any_table(native, name, learned_from):
    tile, (table, *_) = hard_tiles()[name], fit_tables([hard_tiles()[learned_from]])
    code = huffman.encode(tile, table)
    status, values, behind = decoded(native, 1, built(native, table.record()), code, len(tile))
    assert status == OK and behind == [85] * 8
    assert np.array_equal(values, tile)


@pytest.mark.parametrize("width", packed.WIDTHS)
@pytest.mark.parametrize("count", [1, 7, 8, 9, 31, 64, 1001])
def test_c_unpacks_every_width_and_length(native, width, count):
    tile = np.random.default_rng(count).integers(-9, -9 + (1 << width), count).astype(np.int8)
    tile[0], tile[-1] = -9, -10 + (1 << width)
    code = packed.encode(tile)
    assert code is not None
    status, values, behind = decoded(native, 2, None, code, count)
    assert status == OK and behind == [85] * 8
    assert np.array_equal(values, tile)


def test_the_built_table_is_a_ready_one(native):
    table = built(native, fit_tables([laplacian(4000, 3)])[0].record())
    assert native.lib.check_table(table) == OK
    for entry in (0, 11 << 8, TOO_LONG << 8 | 1 << 4, TOO_LONG << 8 | 1 << 4 | 11,
                  TOO_LONG << 8 | 5 << 4 | 3, 255 << 8, TOO_LONG << 8 | 7):
        broken = native.ffi.new("uint16_t[]", list(table))
        broken[511] = entry
        assert native.lib.check_table(broken) == BAD_CODEC, hex(entry)


def test_both_sides_refuse_the_same_records(native):
    random = np.random.default_rng(5)
    good = bytearray(fit_tables([laplacian(4000, 3)])[0].record())
    table = native.ffi.new("uint16_t[]", ENTRIES)
    refused = 0
    for _ in range(1500):
        record = good.copy()
        for at in random.integers(0, len(record), random.integers(1, 4)):
            record[at] = random.integers(0, 256)
        record = bytes(record[:random.integers(0, len(record) + 1)]) if random.random() < .2 else (
            bytes(record))
        status = native.lib.build_table(record, len(record), table)
        try:
            read_table(record)
        except BadContainer:
            refused += 1
            assert status == BAD_CODEC, record.hex()
        else:
            assert status == OK and native.lib.check_table(table) == OK, record.hex()
    assert 300 < refused < 1500


@pytest.mark.parametrize("name", ["dense", "sparse", "narrow"])
def test_both_sides_refuse_the_same_damaged_codes(native, name):
    tile = hard_tiles()[name][:200]
    (table, *_) = fit_tables([hard_tiles()[name]])
    ready, code = built(native, table.record()), huffman.encode(tile, table)
    random = np.random.default_rng(6)
    refused = 0
    for _ in range(300):
        damaged = bytearray(code[:random.integers(0, len(code) + 1)] if random.random() < .2
                            else code)
        for at in random.integers(0, max(len(damaged), 1), min(2, len(damaged))):
            damaged[at] ^= random.integers(0, 256)
        status, values, behind = decoded(native, 1, ready, damaged, len(tile))
        assert behind == [85] * 8
        try:
            twin = huffman.decode(bytes(damaged), table, len(tile))
        except BadContainer:
            refused += 1
            assert status == BAD_CODEC
        else:
            assert status == OK and np.array_equal(values, twin)
    assert refused > 50


@pytest.mark.parametrize("code, data, count", [
    (0, b"", 1), (0, b"ab", 1), (2, b"", 0), (2, b"\x03", 0), (2, b"\x02\x00\x00", 1),
    (2, b"\x07\x00\x00", 1), (2, b"\x03\x00", 1), (2, b"\x03\x00\x00\x00", 1),
    (2, b"\x03\x00\x08", 1), (1, b"", 1), (1, b"\x00" * 200, 1), (1, b"\x00\x00", 0)])
def test_sizes_that_do_not_fit_are_refused(native, code, data, count):
    table = built(native, fit_tables([laplacian(4000, 3)])[0].record())
    assert decoded(native, code, table, data, count)[0] == BAD_CODEC


def test_nothing_is_decoded_to_nothing(native):
    table = built(native, fit_tables([laplacian(4000, 3)])[0].record())
    assert [decoded(native, code, table, data, 0)[0]
            for code, data in ((0, b""), (1, b""), (2, b"\x03\x00"))] == [OK, OK, OK]


@pytest.mark.parametrize("code", [3, 255, 0xFFFFFFFF])
def test_an_unknown_code_is_a_missing_feature(native, code):
    assert decoded(native, code, None, b"\0", 1)[0] == BAD_FEATURE


def test_sizes_beyond_any_tile_are_refused_before_a_byte_is_read(native):
    most = (1 << 26) + 1
    nothing = native.ffi.NULL
    assert native.lib.decode(0, nothing, nothing, most, nothing, most) == BAD_CODEC
    assert native.lib.decode(1, nothing, nothing, 1, nothing, most) == BAD_CODEC


def test_golden_tiles_stay_the_same_bytes(native):
    golden = json.loads(GOLDEN.read_text(encoding="utf-8"))
    tables = [read_table(bytes.fromhex(record)) for record in golden["tables"]]
    for each in golden["tiles"]:
        tile = np.frombuffer(bytes.fromhex(each["weights"]), np.int8)
        coded = encode_tile(tile, tables, {WeightCode(each["code"]), WeightCode.RAW})
        assert (coded.code, coded.table, coded.data.hex()) == (
            each["code"], each["table"], each["data"])
        ready = built(native, tables[coded.table].record())
        status, values, _ = decoded(native, coded.code, ready, coded.data, len(tile))
        assert status == OK and np.array_equal(values, tile)


def test_random_damage_is_harmless_under_the_sanitizers(need, tmp_path):
    program = tmp_path / "damage"
    subprocess.run([need("cc"), "-std=c11", "-O1", "-g", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=all", f"-I{NATIVE}", f"-I{NATIVE.parent / 'include'}",
                    "-o", program, ROOT / "tests/native/weight_damage.c",
                    *(NATIVE / name for name in FILES)], check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused, read = (int(word) for word in done.stdout.split())
    assert refused > 1000 and read > 100
