# SPDX-License-Identifier: Apache-2.0
"""Every C codec is its Python twin bit for bit, in both directions, and safe on any code."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from long_tests import some

from edgefm.codecs import CODECS, Codec, RowShape, context, dctcm, decode_map, encode_map, gf2, mix
from edgefm.codecs.engine import quick, static
from edgefm.errors import BadContainer

ROOT = Path(__file__).resolve().parents[3]
NATIVE = ROOT / "native" / "src"
FILES = ["bits.c", "codecs/table.c", "codecs/shared.c", "codecs/rle.c", "codecs/zvc.c",
         "codecs/ebpc.c", "codecs/context.c", "codecs/gf2.c", "codecs/rice.c", "codecs/tans.c",
         "codecs/dctcm.c", "codecs/temporal.c", "codecs/mix.c", "codecs/engine/lookahead.c",
         "codecs/engine/static.c"]
CDEF = """
typedef struct { uint32_t width, channels; int32_t zero_point; const uint8_t *tables;
                 uint32_t tables_bytes; uint8_t *state; uint32_t y;
                 const int8_t *reference; } efm_codec_args;
int codec_known(uint32_t id);
int codec_check(uint32_t id, const efm_codec_args *args);
uint32_t codec_state_bytes(uint32_t id, const efm_codec_args *args);
void codec_encode(uint32_t id, const efm_codec_args *args, const int8_t *row, uint8_t *code,
                  uint32_t capacity, uint32_t *bytes);
int codec_decode(uint32_t id, const efm_codec_args *args, const uint8_t *code, uint32_t bytes,
                 int8_t *row);
void codec_skip(uint32_t id, const efm_codec_args *args, const int8_t *row);
void codec_recall(uint32_t id, const efm_codec_args *args, const int8_t *row);
"""
SOURCE = """
#include "codecs/codec.h"
static int codec_known(uint32_t id)
{
    const efm_codec_class *found = efm_codec_find(id);
    return found != 0 && found->id == id;
}
static int codec_check(uint32_t id, const efm_codec_args *args)
{
    return efm_codec_find(id)->check(args);
}
static uint32_t codec_state_bytes(uint32_t id, const efm_codec_args *args)
{
    return efm_codec_find(id)->state_bytes(args);
}
static void codec_encode(uint32_t id, const efm_codec_args *args, const int8_t *row, uint8_t *code,
                         uint32_t capacity, uint32_t *bytes)
{
    efm_codec_find(id)->encode(args, row, code, capacity, bytes);
}
static int codec_decode(uint32_t id, const efm_codec_args *args, const uint8_t *code,
                        uint32_t bytes, int8_t *row)
{
    return efm_codec_find(id)->decode(args, code, bytes, row);
}
static void codec_skip(uint32_t id, const efm_codec_args *args, const int8_t *row)
{
    efm_codec_find(id)->skip(args, row);
}
static void codec_recall(uint32_t id, const efm_codec_args *args, const int8_t *row)
{
    efm_codec_find(id)->recall(args, row);
}
"""
NAMES = ["rle", "zvc", "ebpc", "context", "rice", "tans", "dctcm", "gf2", "temporal", "mix"]
GUARD = b"\x5a" * 16


@pytest.fixture(scope="module")
def native(native_lib: Callable[..., Any]) -> Any:
    return native_lib(CDEF, SOURCE, FILES)


@pytest.fixture(params=NAMES)
def codec(request: pytest.FixtureRequest) -> Codec:
    return CODECS[request.param]


class Cursor:
    """One C cursor with guarded memory around state, code and row."""

    def __init__(self, native: Any, codec: Codec, tables: bytes, shape: RowShape) -> None:
        self.lib, self.ffi, self.codec, self.shape = native.lib, native.ffi, codec, shape
        self.tables = self.ffi.new("uint8_t[]", tables + b"\0")
        self.args = self.ffi.new("efm_codec_args *", {
            "width": shape.width, "channels": shape.channels, "zero_point": shape.zero_point,
            "tables": self.tables, "tables_bytes": len(tables)})
        assert self.lib.codec_check(codec.id, self.args) == 0
        self.state_size = self.lib.codec_state_bytes(codec.id, self.args)
        self.memory = self.ffi.new("uint64_t[]", self.state_size // 8 + 4)
        self.ffi.buffer(self.memory)[:] = b"\x5a" * len(self.ffi.buffer(self.memory))
        self.args.state = self.ffi.cast("uint8_t *", self.memory)
        self.args.y = 0

    def refer(self, reference: np.ndarray | None) -> None:
        """The row of the frame before that goes with the next row."""
        self.reference = None if reference is None else self.ffi.new(
            "int8_t[]", reference.reshape(-1).tolist())
        self.args.reference = self.reference or self.ffi.NULL

    def encode(self, row: np.ndarray, capacity: int) -> bytes:
        code = self.ffi.new("uint8_t[]", b"\x5a" * capacity + GUARD)
        size = self.ffi.new("uint32_t *", 12345)
        data = self.ffi.new("int8_t[]", row.reshape(-1).tolist())
        self.lib.codec_encode(self.codec.id, self.args, data, code, capacity, size)
        assert bytes(self.ffi.buffer(code))[capacity:capacity + 16] == GUARD
        assert size[0] <= capacity
        if size[0] == 0:
            self.lib.codec_skip(self.codec.id, self.args, data)
        self.done()
        return bytes(self.ffi.buffer(code)[:size[0]])

    def decode(self, code: bytes) -> np.ndarray | None:
        """The row, or None when it is refused; it is written in full in any case."""
        row = self.ffi.new("int8_t[]", [90] * (self.shape.values + 16))
        data = self.ffi.new("uint8_t[]", code + b"\xff" * 8)
        status = self.lib.codec_decode(self.codec.id, self.args, data, len(code), row)
        out = np.frombuffer(self.ffi.buffer(row), np.int8)
        assert (out[self.shape.values:] == 90).all()
        assert status in (0, -10)
        self.done()
        return out[:self.shape.values].reshape(self.shape.width, -1) if status == 0 else None

    def skip(self, row: np.ndarray) -> None:
        self.lib.codec_skip(self.codec.id, self.args,
                            self.ffi.new("int8_t[]", row.reshape(-1).tolist()))
        self.done()

    def recall(self, row: np.ndarray) -> None:
        self.lib.codec_recall(self.codec.id, self.args,
                              self.ffi.new("int8_t[]", row.reshape(-1).tolist()))

    def done(self) -> None:
        self.args.y += 1
        guard = bytes(self.ffi.buffer(self.memory))[self.state_size:]
        assert guard == b"\x5a" * len(guard)


def cases() -> list[tuple[RowShape, np.ndarray]]:
    rng = np.random.default_rng(11)
    out = []
    for height, width, channels, spread, zero in (
            (4, 1, 1, 300, 0), (3, 1, 9, 2, -128), (5, 17, 1, 9, 127), (6, 8, 5, 40, 3),
            (3, 30, 20, 4, -128), (9, 7, 33, 12, -1), (2, 5, 260, 7, -128)):
        noise = rng.normal(0, spread, (height, width, channels)) + rng.normal(0, spread, channels)
        rows = np.clip(np.rint(noise + max(zero, -100)), -128, 127)
        out.append((RowShape(width, channels, zero), rows.astype(np.int8)))
    relu = np.maximum(out[-1][1].astype(int) - 5, -128).astype(np.int8)
    out.append((out[-1][0], np.where(rng.random(relu.shape) < 0.6, -128, relu).astype(np.int8)))
    for value in (-128, 0, 127):
        out += [(RowShape(6, 3, zero), np.full((3, 6, 3), value, np.int8))
                for zero in (-128, 0, 127)]
    out.append((RowShape(6, 3, -128),
                np.where(rng.random((4, 6, 3)) < 0.5, -128, 127).astype(np.int8)))
    return out


def tables_for(codec: Codec, shape: RowShape, rows: np.ndarray) -> list[bytes]:
    """Small and large tables, and ones that fit the map badly."""
    rng = np.random.default_rng(shape.values)
    if codec.name == "gf2":
        return [gf2.pack(random_net(rng, block, shape.channels, curved))
                for block, curved in ((1, False), (1, True), (2, False), (5, True))]
    if codec.name in ("rice", "tans"):
        return static_tables(codec, shape, rows)
    if codec.name == "dctcm":
        return cosine_tables(codec, shape, rows)
    if codec.name == "mix":
        return mix_tables(codec, shape, rows)
    if codec.name not in ("context", "temporal"):
        return [b""]
    front = b"\3\0" if codec.name == "temporal" else b""
    cross = tuple(tuple((int(rng.integers(1, min(c, 255) + 1)), int(rng.integers(-128, 128)))
                        if c else (0, 0) for _ in range(8)) for c in range(shape.channels))
    wild = context.Tables(True, 255, (255, 255, 255, 255, 255), (127, 127, -128, 127), cross)
    blunt = context.Tables(False, 0, (0, 0, 0, 0, 0), (0, 0, 0, 0))
    return [codec.fit([rows], shape, 12), codec.fit([rows], shape, 10_000),
            front + context.pack(wild), front + context.pack(blunt)]


def mix_tables(codec: Codec, shape: RowShape, rows: np.ndarray) -> list[bytes]:
    """Context's tables without further taps, tables that fit, and wild taps."""
    rng = np.random.default_rng(shape.values)
    firsts = [context.unpack(t, shape.channels)
              for t in tables_for(CODECS["context"], shape, rows)]
    out = [mix.pack(mix.Tables(first, ((),) * shape.channels)) for first in firsts]
    wild = tuple(tuple((int(rng.integers(max(-c, -128), min(shape.channels - c, 128))),
                        int(rng.integers(-128, 128))) for _ in range(mix.PIXELS * mix.MAX_BESIDE))
                 for c in range(shape.channels))
    out += [mix.pack(mix.Tables(first, wild)) for first in firsts[1:3]]
    return out + [c.tables for c in codec.candidates([rows], shape)]


def cosine_tables(codec: Codec, shape: RowShape, rows: np.ndarray) -> list[bytes]:
    """Tables that fit; every mode with other steps and codes; an order that repeats a channel."""
    rng = np.random.default_rng(shape.values)
    order = tuple(rng.permutation(shape.channels).tolist())
    twice = tuple(rng.integers(0, shape.channels, shape.channels).tolist())
    return [c.tables for c in codec.candidates([rows], shape)] + [dctcm.pack(t) for t in (
        dctcm.Tables(dctcm.BYPASS, order=order), dctcm.Tables(dctcm.DCT, order=twice),
        dctcm.Tables(dctcm.DCT, tuple(range(8)), (7, 0, 3, 1, 2, 0, 5, 4)),
        dctcm.Tables(dctcm.DCT_WITH_ZEROS, (1,) * 8, (1,) * 8, order),
        dctcm.Tables(dctcm.DCT_WITH_ZEROS, (9,) * 8))]


def static_tables(codec: Codec, shape: RowShape, rows: np.ndarray) -> list[bytes]:
    """Tables that fit, and ones that fit as badly as can be; of rice, quick ones and others."""
    rng = np.random.default_rng(shape.values)
    flag = shape.zero_point == -128
    out = [c.tables for c in codec.candidates([rows], shape)]
    for maps, own in ((1, 0), (8, 7), (3, 2)):
        modes = 8 * (own + 1) if codec.name == "tans" else 16 if flag else 8
        which = bytes(rng.integers(0, maps, shape.channels).tolist()) if maps > 1 else b""
        classes = tuple(bytes(rng.integers(0, modes, 81).tolist()) for _ in range(maps))
        tap = int(rng.integers(0, 65))
        front = static.Front((tap, 64 - tap), int(rng.integers(0, 256)), classes, which)
        counts = np.zeros((own + 1, 16), int)
        counts[:, 15], counts[:, 0] = 1, flag
        for c in counts:
            c[1:15] += rng.multinomial(64 - c.sum(), rng.dirichlet(np.full(14, 0.3)))
        middle = counts.astype(np.uint8).tobytes() if codec.name == "tans" else b""
        out.append(static.pack(front, own if codec.name == "tans" else 0, middle))
    return out if codec.name == "tans" else [*out, *quick_tables(rng, shape), old_plain(rng, shape)]


def old_plain(rng: np.random.Generator, shape: RowShape) -> bytes:
    """Plain rice tables as they were before quick ones: pairs of a mode and a center."""
    pairs = rng.integers(0, 256, (shape.channels, 2))
    pairs[:, 0] %= 16 if shape.zero_point == -128 else 8
    return bytes(static.HEAD) + pairs.astype(np.uint8).tobytes()


def quick_tables(rng: np.random.Generator, shape: RowShape) -> list[bytes]:
    """Plain ones, and maps with every size of a group."""
    most = 16 if shape.zero_point == -128 else 8

    def modes(count: int) -> bytes:
        return bytes(rng.integers(0, most, count).tolist())

    out = [quick.pack(quick.Quick(modes(shape.channels), rng.bytes(shape.channels)))]
    for size in range(8, 17):
        maps = int(rng.integers(1, 9))
        which = bytes(rng.integers(0, maps, shape.channels).tolist()) if maps > 1 else b""
        out.append(quick.pack(quick.Quick(
            maps=tuple(modes(quick.CLASSES) for _ in range(maps)), which=which,
            start=int(rng.integers(0, 256)), group=size, weight=int(rng.integers(0, 256)))))
    return out


def random_net(rng: np.random.Generator, block: int, channels: int, curved: bool
               ) -> gf2.Learned:
    """Any net that fits: some units without terms, thresholds and constants out of reach."""
    outputs = block * channels
    stored = int(rng.integers(1, min(8 * outputs, 60) + 1))

    def terms(limit: int, weights: list[int]) -> tuple[tuple[int, int], ...]:
        return tuple((int(rng.integers(limit)), int(rng.choice(weights)))
                     for _ in range(rng.integers(0, 9)))

    powers = [sign << s for s in (0, 3, 7, 15) for sign in (1, -1)]
    bits = tuple((int(rng.integers(-3, 4)), terms(8 * outputs, [1, -1])) for _ in range(stored))
    values = tuple((int(rng.integers(-300, 300)), terms(stored, powers)) for _ in range(outputs))
    curve = gf2.UnequalSteps(rng.bytes(256), rng.bytes(256), rng.bytes(outputs)) if curved else None
    return gf2.Learned(block, int(rng.integers(-128, 128)), bits, values, curve)


def test_find_knows_the_registry(native):
    assert [native.lib.codec_known(i) for i in range(12)] == [0, *[1] * 10, 0]


@pytest.mark.parametrize("i", range(len(cases())))
def test_c_and_python_write_the_same_bytes_and_read_them_back(native, codec, i):
    shape, rows = cases()[i]
    for tables in tables_for(codec, shape, rows):
        writer = Cursor(native, codec, tables, shape)
        reader = Cursor(native, codec, tables, shape)
        for row, stored in zip(rows, encode_map(codec, tables, shape, rows), strict=True):
            code = writer.encode(row, shape.values - 1)
            assert code == (stored if len(stored) < shape.values else b"")
            if code:
                known = row if codec.lossless else codec.decode(codec.start(tables, shape), code)
                assert np.array_equal(reader.decode(code), known)
            else:
                reader.skip(row)


def moving(rows: np.ndarray, frame: int) -> np.ndarray:
    """Rows some frames later: noise on a part of each, other rows in the last of four frames."""
    rng = np.random.default_rng(frame)
    if frame % 4 == 3:
        return rng.integers(-128, 128, rows.shape).astype(np.int8)
    noise = rng.integers(-2, 3, rows.shape) * (rng.random(rows.shape[:2]) < 0.5)[..., None]
    return np.clip(rows + noise, -128, 127).astype(np.int8)


@pytest.mark.parametrize("tolerance", some([2, 0, 255], fast=1))
@pytest.mark.parametrize("i", range(len(cases())))
def test_rows_against_the_frame_before_are_the_same_in_c_and_python(native, i, tolerance):
    codec, (shape, rows) = CODECS["temporal"], cases()[i]
    for tables in tables_for(codec, shape, rows):
        tables = bytes([tables[0], tolerance]) + tables[2:]
        before = None
        for frame in range(6):
            now = moving(rows, frame)
            stored = encode_map(codec, tables, shape, now, before)
            back = decode_map(codec, tables, shape, stored, before)
            writer = Cursor(native, codec, tables, shape)
            reader = Cursor(native, codec, tables, shape)
            for y, row in enumerate(now):
                for cursor in (writer, reader):
                    cursor.refer(None if before is None else before[y])
                code = writer.encode(row, shape.values - 1)
                assert code == (stored[y] if len(stored[y]) < shape.values else b"")
                if code:
                    assert np.array_equal(reader.decode(code), back[y])
                else:
                    reader.skip(row)
            assert np.abs(back.astype(int) - now).max() <= tolerance
            before = back


def test_a_frame_like_the_one_before_takes_hardly_anything(native):
    codec, (shape, rows) = CODECS["temporal"], cases()[5]
    tables = codec.fit([rows], shape, 10_000)
    assert all(len(code) <= 2 for code in encode_map(codec, tables, shape, rows, rows))


@pytest.mark.parametrize("i", [0, 1, 2, 3, 4, 5, 7])
def test_c_refuses_what_python_refuses_against_a_frame_before(native, i):
    codec, (shape, rows) = CODECS["temporal"], cases()[i]
    tables = tables_for(codec, shape, rows)[1]
    rng = np.random.default_rng(i)
    reference = moving(rows, 1)[0]
    writer = Cursor(native, codec, tables, shape)
    writer.refer(reference)
    full = writer.encode(rows[0], 4 * shape.values + 16)
    broken = [full[:n] for n in rng.integers(0, len(full), 12)] + [full + b"\0"]
    for _ in range(40):
        code = bytearray(full)
        code[rng.integers(0, len(code))] ^= 1 << rng.integers(0, 8)
        broken.append(bytes(code))
    accepted = 0
    for code in broken:
        state = codec.start(tables, shape)
        state.reference = reference
        try:
            expected = codec.decode(state, code)
        except BadContainer:
            expected = None
        reader = Cursor(native, codec, tables, shape)
        reader.refer(reference)
        got = reader.decode(code)
        assert (got is None) == (expected is None)
        assert expected is None or np.array_equal(got, expected)
        accepted += got is not None
    assert accepted < len(broken)


@pytest.mark.parametrize("i", range(len(cases())))
def test_a_recalled_row_is_the_row_above_for_both_sides_and_languages(native, codec, i):
    shape, rows = cases()[i]
    rng = np.random.default_rng(i)
    for tables in tables_for(codec, shape, rows) if codec.lossless else []:
        writer, reader = (Cursor(native, codec, tables, shape) for _ in range(2))
        twin = codec.start(tables, shape)
        for y, row in enumerate(rows):
            if y > 0:
                above = np.clip(rows[y - 1] // 2 + rng.integers(-9, 9, row.shape), -128, 127)
                for side in (writer, reader):
                    side.recall(above)
                codec.recall(twin, above.astype(np.int8))
            code, expected = writer.encode(row, shape.values - 1), codec.encode(twin, row)
            assert code == (expected if len(expected) < shape.values else b"")
            if not code:
                codec.skip(twin, row)
                reader.skip(row)
            else:
                assert np.array_equal(reader.decode(code), row)


def test_what_is_recalled_is_looked_at(native):
    """A row that repeats the row above costs little, and only codecs that look there know it."""
    shape = RowShape(40, 4, 0)
    row = np.random.default_rng(3).integers(-40, 40, (40, 4)).astype(np.int8)
    sizes = {}
    for name in ("context", "tans", "zvc"):
        tables = CODECS[name].fit([np.stack([row] * 4)], shape, 1000)
        for above in (row, -row):
            state = CODECS[name].start(tables, shape)
            CODECS[name].encode(state, row)
            CODECS[name].recall(state, above)
            sizes.setdefault(name, []).append(len(CODECS[name].encode(state, row)))
    assert sizes["context"][0] < sizes["context"][1] and sizes["tans"][0] < sizes["tans"][1]
    assert sizes["zvc"][0] == sizes["zvc"][1]


@pytest.mark.parametrize("i", range(len(cases())))
def test_state_is_what_python_says(native, codec, i):
    shape, rows = cases()[i]
    tables = tables_for(codec, shape, rows)[0]
    assert Cursor(native, codec, tables, shape).state_size == codec.state_bytes(shape)


def test_encode_fits_or_says_so_for_every_capacity(native, codec):
    shape, rows = cases()[3]
    tables = tables_for(codec, shape, rows)[0]
    full = Cursor(native, codec, tables, shape).encode(rows[0], 4 * shape.values + 16)
    for capacity in range(len(full) + 3):
        code = Cursor(native, codec, tables, shape).encode(rows[0], capacity)
        assert code == (full if capacity >= len(full) else b"")


@pytest.mark.parametrize(("name", "row"), [
    ("context", [-44, 24, 13, -10, 9, -30, 51, -106, 93, 48, 10, 9, 11, 1]),
    ("temporal", [-44, 24, 13, -10, 9, -30, 51, -106, 93, 48, 10, 9, 11, 1]),
    ("mix", [-12, -28, -24, -16, -4, -12, 13, 27, -47, 27, 62, 35, -15, -60])])
def test_a_row_that_only_fits_without_two_zeros_at_its_end_is_coded(native, name, row):
    """The range coder's digits are a byte longer than the row, and the code a byte shorter."""
    shape, codec = RowShape(len(row), 1, 0), CODECS[name]
    tables = context.pack(context.Tables(False, 40, (20, 10, 4, 4, 0), (0, 0, 0, 0)))
    tables = {"context": tables, "temporal": b"\x08\0" + tables, "mix": tables + b"\0"}[name]
    rows = np.array(row, np.int8).reshape(1, -1, 1)
    [stored] = encode_map(codec, tables, shape, rows)
    assert len(stored) == shape.values - 1
    for capacity in range(shape.values + 4):
        code = Cursor(native, codec, tables, shape).encode(rows[0], capacity)
        assert code == (stored if capacity >= len(stored) else b"")


@pytest.mark.parametrize("i", [0, 1, 2, 3, 4, 5, 7])
def test_c_refuses_what_python_refuses_and_reads_what_it_reads(native, codec, i):
    shape, rows = cases()[i]
    tables = tables_for(codec, shape, rows)[codec.name in ("context", "temporal")]
    check_damage(native, codec, tables, shape, rows, i)


@pytest.mark.parametrize("i", [0, 2, 3, 4, 5])
def test_c_and_python_read_the_same_from_damaged_codes_with_any_rice_tables(native, i):
    shape, rows = cases()[i]
    for n, tables in enumerate(tables_for(CODECS["rice"], shape, rows)):
        check_damage(native, CODECS["rice"], tables, shape, rows, n)


def check_damage(native: Any, codec: Codec, tables: bytes, shape: RowShape, rows: np.ndarray,
                 seed: int) -> None:
    """A code cut off, with more behind it, with a bit wrong, and any bytes at all."""
    rng = np.random.default_rng(seed)
    full = Cursor(native, codec, tables, shape).encode(rows[0], 4 * shape.values + 16)
    broken = [full[:n] for n in rng.integers(0, len(full), 12)] + [full + b"\0", full + b"\1"]
    for _ in range(40):
        code = bytearray(full)
        code[rng.integers(0, len(code))] ^= 1 << rng.integers(0, 8)
        broken.append(bytes(code))
    broken += [rng.bytes(int(n)) for n in rng.integers(1, len(full) + 4, 20)]
    for code in broken:
        try:
            expected = codec.decode(codec.start(tables, shape), code)
        except BadContainer:
            expected = None
        got = Cursor(native, codec, tables, shape).decode(code)
        assert (got is None) == (expected is None)
        assert expected is None or np.array_equal(got, expected)


def test_an_accepted_context_code_is_the_only_one_of_its_row(native):
    codec, (shape, rows) = CODECS["context"], cases()[3]
    tables = tables_for(codec, shape, rows)[1]
    rng = np.random.default_rng(0)
    accepted = 0
    for _ in range(3000):
        code = rng.bytes(int(rng.integers(10, 60)))
        row = Cursor(native, codec, tables, shape).decode(code)
        if row is not None:
            accepted += 1
            assert Cursor(native, codec, tables, shape).encode(row, 1000) == code
    assert accepted < 300


@pytest.mark.parametrize("change", [
    lambda t: t[:11], lambda t: t[:-1], lambda t: t + b"\0", lambda t: b"\2" + t[1:],
    lambda t: t[:1] + b"\x09" + t[2:], lambda t: t[:12] + b"\1" + t[13:],
    lambda t: t[:13] + b"\1" + t[14:], lambda t: b""])
def test_broken_context_tables_are_refused(native, change):
    good = context.pack(context.Tables(
        True, 9, (1, 2, 3, 4, 5), (26, 26, -6, 13), (((0, 0),), ((1, 7),))))
    data = change(good)
    memory = native.ffi.new("uint8_t[]", data + b"\0")
    args = native.ffi.new("efm_codec_args *", {"width": 3, "channels": 2, "tables": memory,
                                               "tables_bytes": len(data)})
    assert native.lib.codec_check(4, args) == -10


@pytest.mark.parametrize("name", ["rice", "tans", "dctcm"])
@pytest.mark.parametrize("zero_point", [-128, 3])
def test_broken_tables_are_refused_as_in_python(native, name, zero_point):
    codec, shape = CODECS[name], RowShape(9, 4, zero_point)
    rows = np.random.default_rng(1).integers(-128, 20, (3, 9, 4)).astype(np.int8)
    accepted = refused = 0
    for good in tables_for(codec, shape, rows):
        broken = [good[:n] for n in (*range(13), len(good) - 1)] + [good, good + b"\0"]
        for i in range(len(good)):
            broken += [good[:i] + bytes([good[i] ^ 1 << bit]) + good[i + 1:] for bit in range(8)]
        for data in broken:
            try:
                codec.start(data, shape)
                expected = 0
            except BadContainer:
                expected = -10
            memory = native.ffi.new("uint8_t[]", data + b"\0")
            args = native.ffi.new("efm_codec_args *", {
                "width": 9, "channels": 4, "zero_point": zero_point, "tables": memory,
                "tables_bytes": len(data)})
            assert native.lib.codec_check(codec.id, args) == expected
            accepted += expected == 0
            refused += expected != 0
    assert accepted and refused


@pytest.mark.parametrize("curved", [False, True])
def test_broken_gf2_tables_are_refused_as_in_python(native, curved):
    rng = np.random.default_rng(8)
    good = gf2.pack(random_net(rng, 3, 2, curved))
    broken = [good[:n] for n in range(len(good))] + [good + b"\0"]
    for i in range(len(good)):
        broken += [good[:i] + bytes([good[i] ^ 1 << bit]) + good[i + 1:] for bit in (0, 2, 5, 7)]
    accepted = 0
    for data in broken:
        try:
            gf2.start(data, RowShape(7, 2, 0))
            expected = 0
        except BadContainer:
            expected = -10
        memory = native.ffi.new("uint8_t[]", data + b"\0")
        args = native.ffi.new("efm_codec_args *", {"width": 7, "channels": 2, "tables": memory,
                                                   "tables_bytes": len(data)})
        assert native.lib.codec_check(8, args) == expected
        accepted += expected == 0
    assert 0 < accepted < len(broken)


@pytest.mark.parametrize("name", ["rle", "zvc", "ebpc"])
def test_the_others_refuse_tables(native, name):
    memory = native.ffi.new("uint8_t[]", b"\0")
    args = native.ffi.new("efm_codec_args *", {"width": 3, "channels": 2, "tables": memory,
                                               "tables_bytes": 1})
    assert native.lib.codec_check(CODECS[name].id, args) == -10


def test_golden_rows_stay_the_same_bytes(native, codec):
    golden = json.loads((ROOT / "tests/golden/codecs" / codec.name / "rows.json").read_text())
    for each in golden["maps"]:
        shape = RowShape(each["width"], each["channels"], each["zero_point"])
        writer = Cursor(native, codec, bytes.fromhex(each["tables"]), shape)
        rows = np.frombuffer(bytes.fromhex(each["rows"]), np.int8)
        before = np.frombuffer(bytes.fromhex(each.get("before", "")), np.int8)
        stored = []
        for y, row in enumerate(rows.reshape(-1, shape.values)):
            writer.refer(before.reshape(-1, shape.values)[y] if before.size else None)
            stored.append(writer.encode(row, shape.values - 1) or row.tobytes())
        assert hashlib.sha256(b"".join(stored)).hexdigest() == each["sha256"]
        assert [code.hex() for code in stored] == each["stored"]


def test_random_damage_is_harmless_under_the_sanitizers(need, tmp_path):
    program = tmp_path / "damage"
    subprocess.run([need("cc"), "-std=c11", "-O1", "-g", "-fsanitize=address,undefined",
                    "-fno-sanitize-recover=all", f"-I{NATIVE}",
                    f"-I{NATIVE.parent / 'include'}", "-o", program,
                    ROOT / "tests/native/codec_damage.c", *(NATIVE / name for name in FILES)],
                   check=True)
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    refused, read = (int(word) for word in done.stdout.split())
    assert refused > 1000 and read > 100
