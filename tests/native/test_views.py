# SPDX-License-Identifier: Apache-2.0
"""The views of model.c read every field where docs/FORMAT.md has it."""

import struct
from dataclasses import dataclass
from typing import Any

import pytest

from edgefm.package.records import RECORD_BYTES, Section
from tests.support.document import layout, table

CDEF = """
typedef struct { const uint8_t *at; uint32_t bytes, count; } efm_section;
typedef struct { const uint8_t *package; uint32_t bytes; efm_section section[19];
                 const uint8_t *prepared; } efm_model;
typedef struct { const uint8_t *params; uint32_t n_params; const uint8_t *weights;
                 uint32_t weights_bytes, packing, n_in, n_out, scratch_bytes; ...; } efm_op_args;
typedef struct { uint32_t kind, rows, link, scratch; const uint8_t *operands;
                 efm_op_args args; ...; } efm_op_view;
typedef struct { uint32_t address, slot_bytes, rows, row_bytes, codec, flags; const uint8_t *tables;
                 uint32_t tables_bytes, directory, store, cap, reference; } efm_map_view;
typedef struct { uint32_t map, rate, depth, release, place, quality, tile;
                 const uint8_t *table; } efm_cap_view;
typedef struct { uint32_t map, offset, release, refresh; } efm_reference_view;
typedef struct { uint8_t *base; uint32_t row_stride, capacity, pixel_stride, height, width,
                 channels, element; int32_t zero_point; } efm_rows;
typedef struct { uint32_t rows, row_bytes, type, scale_bits; int32_t zero_point; uint32_t rank;
                 uint32_t shape[4]; const uint8_t *name; uint32_t name_bytes; } efm_tensor;
typedef struct { const uint8_t *at; uint32_t offset, bytes, raw_bytes, crc, first_out, out,
                 first_in, in, memory, packing, code, flags, table; } efm_tile_view;
void tile_of(const efm_model *model, uint32_t index, efm_tile_view *tile);
void efm_model_op(const efm_model *model, uint32_t index, efm_op_view *op);
void efm_model_map(const efm_model *model, uint32_t index, efm_map_view *map);
void efm_model_cap(const efm_model *model, uint32_t index, efm_cap_view *cap);
void efm_model_reference(const efm_model *model, uint32_t index, efm_reference_view *reference);
void efm_model_rows(const efm_model *model, uint32_t stream, uint8_t *arena, efm_rows *rows);
uint32_t efm_model_producer(const efm_model *model, uint32_t stream);
int efm_model_output(const efm_model *model, uint32_t index, efm_tensor *tensor);
"""
ALONE = """
#include "model.h"
const efm_op_class *efm_op_find(uint32_t id) { return 0; }
const efm_codec_class *efm_codec_find(uint32_t id) { return 0; }
void tile_of(const efm_model *model, uint32_t index, efm_tile_view *tile)
{
    efm_read_tile(model, efm_model_record(model, EFM_SECTION_TILES, index), tile);
}
void efm_model_tile(const efm_model *model, uint32_t index, efm_tile_view *tile)
{
    tile_of(model, index, tile);
}
"""
SIZES = {"u8": 1, "u16": 2}


@dataclass
class Package:
    """A model with one record per section, of bytes that all differ; `memory` is every blob."""

    ffi: Any
    lib: Any
    model: Any
    memory: Any
    kept: list[Any]

    def put(self, heading: str, section: Section, **changes: int) -> dict[str, int]:
        """A record as the document lays it out, `changes` made; what each of its fields holds."""
        code, offsets = layout(heading)
        data = bytearray(range(3, 3 + struct.calcsize(code)))
        said = {}
        for row in table(heading):
            name, at, size = row["Field"], offsets[row["Field"]], SIZES.get(row["Type"], 4)
            if name in changes:
                data[at:at + size] = changes[name].to_bytes(size, "little")
            said[name] = int.from_bytes(data[at:at + size], "little")
        self.kept.append(self.ffi.from_buffer("uint8_t[]", bytes(data)))
        self.model.section[section] = {"at": self.kept[-1], "bytes": len(data), "count": 1}
        return {name: v for name, v in said.items() if name not in ("reserved", "unused")}


@pytest.fixture
def package(native_lib: Any) -> Package:
    module = native_lib(CDEF, ALONE, ["model.c"])
    model, memory = module.ffi.new("efm_model *"), module.ffi.new("uint8_t[]", 1 << 10)
    for section in Section:
        model.section[section] = {"at": memory, "bytes": len(memory), "count": 1}
    return Package(module.ffi, module.lib, model, memory, [])


def fields(view: Any, said: dict[str, int]) -> dict[str, int]:
    return {name: getattr(view, name) for name in said}


def test_operators(package: Package) -> None:
    said = package.put("### Operators", Section.OPERATORS, operands=5, params=6, tiles=0)
    tile = package.put("### Tiles", Section.TILES, offset=32)
    op = package.ffi.new("efm_op_view *")
    package.lib.efm_model_op(package.model, 0, op)
    args = op.args
    assert said.pop("n_tiles") and said.pop("tiles") == 0
    assert args.weights - package.memory == tile["offset"]
    assert args.weights_bytes == tile["raw_bytes"]
    assert args.packing == tile["packing"]
    for name, section in (("operands", Section.OPERANDS), ("params", Section.PARAMS)):
        place = getattr(args if name == "params" else op, name) - package.memory
        assert place == said.pop(name) * RECORD_BYTES[section]
    for name in ("n_in", "n_out", "n_params", "scratch_bytes"):
        assert getattr(args, name) == said.pop(name)
    assert fields(op, said) == said


def test_operators_without_tiles(package: Package) -> None:
    package.put("### Operators", Section.OPERATORS, operands=5, params=6, tiles=0, n_tiles=0)
    op = package.ffi.new("efm_op_view *")
    package.lib.efm_model_op(package.model, 0, op)
    assert op.args.weights_bytes == 0


def test_tiles(package: Package) -> None:
    said = package.put("### Tiles", Section.TILES, offset=32)
    view = package.ffi.new("efm_tile_view *")
    package.lib.tile_of(package.model, 0, view)
    assert view.at - package.memory == said["offset"]
    assert getattr(view, "in") == said.pop("in")
    assert fields(view, said) == said


def test_maps(package: Package) -> None:
    said = package.put("### Maps", Section.MAPS, tables=5)
    view = package.ffi.new("efm_map_view *")
    package.lib.efm_model_map(package.model, 0, view)
    assert view.tables - package.memory == said.pop("tables")
    assert fields(view, said) == said


def test_caps(package: Package) -> None:
    said = package.put("### Caps", Section.CAPS, table=5)
    view = package.ffi.new("efm_cap_view *")
    package.lib.efm_model_cap(package.model, 0, view)
    assert view.table - package.memory == said.pop("table")
    assert fields(view, said) == said


def test_references(package: Package) -> None:
    said = package.put("### References", Section.REFERENCES)
    view = package.ffi.new("efm_reference_view *")
    package.lib.efm_model_reference(package.model, 0, view)
    assert fields(view, said) == said


def test_tensors(package: Package) -> None:
    said = package.put("### Tensors", Section.TENSORS, name=5)
    package.put("### Operators", Section.OPERATORS, kind=2)
    tensor = package.ffi.new("efm_tensor *")
    assert package.lib.efm_model_output(package.model, 0, tensor) == 0
    assert tensor.name - package.memory == said.pop("name")
    assert tensor.scale_bits == said.pop("scale")
    first = said.pop("shape")
    assert list(tensor.shape) == [first + i * 0x04040404 for i in range(4)]
    assert fields(tensor, said) == said


def test_streams_and_buffers(package: Package) -> None:
    said = package.put("### Streams", Section.STREAMS, buffer=0)
    buffer = package.put("### Buffers", Section.BUFFERS, offset=64)
    rows, arena = package.ffi.new("efm_rows *"), package.ffi.cast("uint8_t *", 4096)
    package.lib.efm_model_rows(package.model, 0, arena, rows)
    assert rows.base - arena == buffer["offset"] + said.pop("offset")
    assert (rows.row_stride, rows.capacity) == (buffer["slot_bytes"], buffer["slots"])
    assert package.lib.efm_model_producer(package.model, 0) == said.pop("producer")
    del said["buffer"]
    assert fields(rows, said) == said
