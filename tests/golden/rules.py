# SPDX-License-Identifier: Apache-2.0
"""One way to break each rule of docs/FORMAT.md, and the status that a reader must give."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from edgefm.package.container import seal
from edgefm.package.records import (
    BUFFER,
    CAP,
    FIRING,
    HEADER,
    OPERATOR,
    SECTION_ENTRY,
    STREAM,
    TENSOR,
    TILE,
    Feature,
    PackageHeader,
    ReservedFeature,
    Section,
    Tile,
)
from tests.golden.edit import (
    Change,
    chain,
    entry,
    header,
    put,
    record,
    replace,
    start,
    table,
    without,
)

# Records of example.efm: streams 0 (input) and 1 (result), each with its buffer; operators:
INPUT, CONV, OUTPUT = 0, 1, 2
IO_BYTES = 44  # in the header
# Operators of outside.efm, which has the maps 0 (input) and 1 (result), both coded:
STORE, TAKE, LOAD, STORE_RESULT = 0, 1, 2, 3
# In ends.efm output 1 is a concatenation. Operand and tensor of that output, and the stream that is
# the second part, between the pixels of the first:
OPERAND, OUTPUT_TENSOR, PART = 13, 3, 4
OUTPUT_RECORD = 8
CONVOLUTION, DEPTHWISE, LUT, SLICED = 16, 17, 23, 45  # operator ids
BOXES = 6  # the buffer of detector.efm's boxes
INT32_MAX = 2**31 - 1
THREE_SECTIONS = HEADER.size + 3 * SECTION_ENTRY.size
GATHER, PRELU, EXTREME, DIV, MATMUL, L2_NORM, LOG_SOFTMAX = 36, 37, 38, 40, 42, 43, 44


@dataclass(frozen=True, slots=True)
class Rule:
    """`change` breaks the good package `source`, whose META is left out to keep the file small."""

    name: str
    status: str
    change: Change
    source: str = "example"
    when: str = ""  # "verify", "run": the package opens, and doing that meets the status

    def make(self, package: bytes) -> bytes:
        """The broken package."""
        return chain(without(Section.META), self.change)(package)


def _stream(offset: int, kind: str, value: int, index: int = 0) -> Change:
    return record(Section.STREAMS, index, offset, kind, value)


def _buffer(offset: int, kind: str, value: int) -> Change:
    return record(Section.BUFFERS, 0, offset, kind, value)


def _operator(index: int, offset: int, kind: str, value: int) -> Change:
    return record(Section.OPERATORS, index, offset, kind, value)


def _map(offset: int, kind: str, value: int, index: int = 0) -> Change:
    return record(Section.MAPS, index, offset, kind, value)


def _cap(offset: int, kind: str, value: int) -> Change:
    return record(Section.CAPS, 0, offset, kind, value)


def _reference(offset: int, kind: str, value: int) -> Change:
    return record(Section.REFERENCES, 0, offset, kind, value)


# refreshed.efm with a cap on map 0 as well.
REFERENCE_AND_CAP = chain(
    record(Section.MAPS, 0, 36, "H", 1),
    replace(Section.CAPS, lambda d: CAP.pack(0, 64, 0, 0, 0, 0, 0, 0)))


def _table(offset: int, value: int) -> Change:
    """Replace a byte of the table that cap 0 refers to."""
    def change(package: bytes) -> bytes:
        at = CAP.unpack_from(table(package)[Section.CAPS][1])[7] + offset
        return replace(Section.TABLES, lambda d: d[:at] + bytes([value]) + d[at + 1:])(package)

    return change


def _tables(package: bytes) -> int:
    """Bytes of TABLES."""
    return len(table(package)[Section.TABLES][1])


def _scratch(package: bytes, operator: int) -> int:
    """Bytes of an operator's scratch."""
    data = table(package)[Section.OPERATORS][1]
    return int(OPERATOR.unpack_from(data, operator * OPERATOR.size)[10])


def read_twice(package: bytes) -> bytes:
    """pool.efm with one more LOAD of map 0, behind everything, after its rows were given back."""
    sections = table(package)
    count = len(sections[Section.OPERATORS][1]) // OPERATOR.size
    streams = len(sections[Section.STREAMS][1]) // STREAM.size
    load = list(OPERATOR.unpack_from(sections[Section.OPERATORS][1], LOAD * OPERATOR.size))
    stream = bytearray(sections[Section.STREAMS][1][STREAM.size:2 * STREAM.size])
    struct.pack_into("<H", stream, 16, count)
    load[4] = len(sections[Section.OPERANDS][1]) // 2
    firings = len(sections[Section.FIRINGS][1]) // FIRING.size
    stage = struct.pack("<II", firings, load[11])
    return chain(
        replace(Section.OPERATORS, lambda d: d + OPERATOR.pack(*load)),
        replace(Section.OPERANDS, lambda d: d + struct.pack("<H", streams)),
        replace(Section.STREAMS, lambda d: d + bytes(stream)),
        replace(Section.FIRINGS, lambda d: d + FIRING.pack(count, 1) * load[11]),
        replace(Section.STAGES, lambda d: d + stage))(package)


def _tensor(offset: int, kind: str, value: int) -> Change:
    return record(Section.TENSORS, 0, offset, kind, value)


def _unsealed(offset: int, kind: str, value: int) -> Change:
    """A field changed and the checksum left as it was."""

    def change(package: bytes) -> bytes:
        data = bytearray(package)
        struct.pack_into(f"<{kind}", data, offset, value)
        return bytes(data)

    return change


def _damaged(section: Section) -> Change:
    """The first byte of a section changed, and all checksums left as they were."""

    def change(package: bytes) -> bytes:
        at = start(package, section)
        return package[:at] + bytes([package[at] ^ 1]) + package[at + 1:]

    return change


def _tile(offset: int, kind: str, value: int, index: int = 0) -> Change:
    return record(Section.TILES, index, offset, kind, value)


def _tile_of(operator: int, offset: int, value: int) -> Change:
    """Replace a field of the tile of the first operator of a kind."""

    def change(package: bytes) -> bytes:
        operators = OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1])
        return _tile(offset, "I", value, next(row[7] for row in operators if row[0] == operator))(
            package)

    return change


def tile_differs(package: bytes) -> bytes:
    """A tile's checksum is wrong, and no other."""
    at = start(package, Section.TILES) + 12
    return seal(package[:at] + bytes(4) + package[at + 4:], tiles=False)


def _short_head(package: bytes) -> bytes:
    """The head ends in the last section of records."""
    head_bytes = PackageHeader._make(HEADER.unpack_from(package)).head_bytes
    return header("head_bytes", head_bytes - 4)(package)


HEADER_RULES = (
    Rule("header_cut_short", "EFM_BAD_SIZE", lambda p: p[:HEADER.size - 1]),
    Rule("magic", "EFM_BAD_MAGIC", header("magic", b"EFM2")),
    Rule("major_unknown", "EFM_BAD_VERSION", header("major", 3)),
    Rule("package_cut_short", "EFM_BAD_SIZE", lambda p: p[:-1]),
    Rule("package_with_more_behind", "EFM_BAD_SIZE", lambda p: p + b"\0"),
    Rule("head_too_small", "EFM_BAD_SIZE", header("head_bytes", HEADER.size - 1)),
    Rule("head_past_end", "EFM_BAD_SIZE", lambda p: header("head_bytes", len(p) + 1)(p)),
    Rule("checksum", "EFM_BAD_CHECKSUM", _unsealed(IO_BYTES, "I", 77)),
    Rule("weights_damaged", "EFM_BAD_CHECKSUM", _damaged(Section.WEIGHTS), when="verify"),
    Rule("names_damaged", "EFM_BAD_CHECKSUM", _damaged(Section.NAMES), when="verify"),
    Rule("feature_reserved", "EFM_BAD_FEATURE", header("features", ReservedFeature.SLICES)),
    Rule("feature_unknown", "EFM_BAD_FEATURE", header("features", 1 << 31)),
    Rule("header_reserved_set", "EFM_BAD_FEATURE", lambda p: put(p, HEADER.size - 4, "I", 1)),
    Rule("alignment_zero", "EFM_BAD_FEATURE", header("alignment", 0)),
    Rule("alignment_too_large", "EFM_BAD_FEATURE", header("alignment", 4097)),
    Rule("port_buffers_zero", "EFM_BAD_FEATURE", header("port_buffers", 0)),
    Rule("port_buffers_three", "EFM_BAD_FEATURE", header("port_buffers", 3)),
    Rule("burst_unaligned", "EFM_BAD_FEATURE", chain(header("alignment", 4), header("burst", 6))),
    Rule("arena_too_large", "EFM_BAD_BUFFER", header("arena_bytes", INT32_MAX + 1)),
    Rule("control_unaligned", "EFM_BAD_BUFFER", header("control_bytes", 92)),
    Rule("control_past_arena", "EFM_BAD_BUFFER", header("control_bytes", 1 << 20)),
    Rule("window_too_wide", "EFM_BAD_BUFFER",
         chain(header("window", 17), header("control_bytes", 1 << 10))),
    Rule("window_past_control", "EFM_BAD_BUFFER", header("window", 3)),
)

SECTION_RULES = (
    Rule("sections_too_many", "EFM_BAD_SIZE", header("sections", 65)),
    Rule("section_table_past_end", "EFM_BAD_SIZE", lambda p: chain(
        header("bytes", THREE_SECTIONS), header("head_bytes", THREE_SECTIONS),
        header("sections", 4))(p[:THREE_SECTIONS])),
    Rule("section_of_records_past_head", "EFM_BAD_SIZE", _short_head),
    Rule("section_past_end", "EFM_BAD_SIZE", entry(Section.NAMES, 4, "I", 1 << 20)),
    Rule("section_unknown_but_required", "EFM_BAD_FEATURE", replace(200, lambda _: b"news")),
    Rule("section_twice", "EFM_BAD_SECTION", entry(Section.NAMES, 0, "H", Section.TABLES)),
    Rule("section_count_wrong", "EFM_BAD_SECTION", entry(Section.FIRINGS, 12, "I", 1)),
    Rule("section_size_uneven", "EFM_BAD_SECTION", replace(Section.STAGES, lambda d: d + b"\0")),
    Rule("section_missing", "EFM_BAD_SECTION", without(Section.TABLES)),
    Rule("section_of_tiles_missing", "EFM_BAD_SECTION", without(Section.TILES)),
)

BUFFER_RULES = (
    Rule("buffer_unaligned", "EFM_BAD_BUFFER", _buffer(0, "I", 92)),
    Rule("buffer_in_control", "EFM_BAD_BUFFER", _buffer(0, "I", 80)),
    Rule("buffer_without_slot_bytes", "EFM_BAD_BUFFER", _buffer(4, "I", 0)),
    Rule("buffer_past_arena", "EFM_BAD_BUFFER", _buffer(0, "I", 1 << 20)),
    Rule("buffer_slots_past_arena", "EFM_BAD_BUFFER", _buffer(4, "I", 1 << 20)),
    Rule("buffer_without_slots", "EFM_BAD_BUFFER", _buffer(8, "I", 0)),
    Rule("buffer_with_too_many_slots", "EFM_BAD_BUFFER",
         chain(header("arena_bytes", 1 << 26), _buffer(8, "I", 65536))),
)

STREAM_RULES = (
    Rule("stream_without_rows", "EFM_BAD_STREAM", _stream(0, "I", 0)),
    Rule("stream_with_too_many_rows", "EFM_BAD_STREAM", _stream(0, "I", 65536)),
    Rule("stream_without_pixels", "EFM_BAD_STREAM", _stream(4, "I", 0)),
    Rule("stream_with_too_many_pixels", "EFM_BAD_STREAM", _stream(4, "I", (1 << 24) + 1)),
    Rule("stream_without_channels", "EFM_BAD_STREAM", _stream(8, "I", 0)),
    Rule("stream_with_too_many_channels", "EFM_BAD_STREAM", _stream(8, "I", (1 << 21) + 1)),
    Rule("stream_of_two_byte_elements", "EFM_BAD_STREAM", _stream(12, "B", 2)),
    Rule("stream_reserved_byte_set", "EFM_BAD_STREAM", _stream(13, "B", 1)),
    Rule("stream_reserved_field_set", "EFM_BAD_STREAM", _stream(18, "H", 1)),
    Rule("stream_without_buffer", "EFM_BAD_STREAM", _stream(14, "H", 2)),
    Rule("stream_without_producer", "EFM_BAD_STREAM", _stream(16, "H", 3)),
    Rule("stream_that_nobody_makes", "EFM_BAD_STREAM",
         replace(Section.STREAMS, lambda d: d + d[:STREAM.size])),
    Rule("stream_past_slot", "EFM_BAD_STREAM", _stream(20, "I", 1 << 16)),
    Rule("stream_at_slot_end", "EFM_BAD_STREAM", _stream(20, "I", 256)),
    Rule("stream_unaligned", "EFM_BAD_STREAM",
         chain(_stream(4, "I", 1), _stream(12, "B", 4), _stream(24, "I", 4), _stream(20, "I", 2))),
    Rule("stream_pixels_unaligned", "EFM_BAD_STREAM",
         chain(_stream(4, "I", 1), _stream(12, "B", 4), _stream(24, "I", 6))),
    Rule("stream_slots_unaligned", "EFM_BAD_STREAM",
         chain(_stream(4, "I", 1), _stream(12, "B", 4), _stream(24, "I", 4), _buffer(4, "I", 254))),
    Rule("stream_pixels_overlap", "EFM_BAD_STREAM", _stream(24, "I", 1, index=1)),
    Rule("stream_pixels_past_slot", "EFM_BAD_STREAM", _stream(24, "I", 1 << 16)),
    Rule("stream_row_past_slot", "EFM_BAD_STREAM", _stream(4, "I", 257)),
    Rule("stream_zero_point_too_small", "EFM_BAD_STREAM", _stream(28, "i", -129)),
    Rule("stream_zero_point_too_large", "EFM_BAD_STREAM", _stream(28, "i", 128)),
    Rule("stream_map_too_large", "EFM_BAD_STREAM",
         chain(header("arena_bytes", INT32_MAX), _buffer(4, "I", 1 << 20), _stream(0, "I", 4096),
               _stream(4, "I", 1 << 20))),
)

MAP_RULES = (
    Rule("map_without_rows", "EFM_BAD_OPERATOR", _map(8, "I", 0), "outside"),
    Rule("map_with_too_many_rows", "EFM_BAD_OPERATOR",
         chain(header("external_bytes", 1 << 20), _map(8, "I", 65536)), "outside"),
    Rule("map_without_slot_bytes", "EFM_BAD_OPERATOR",
         chain(_map(4, "I", 0), _map(12, "I", 0)), "outside"),
    Rule("map_row_past_slot", "EFM_BAD_OPERATOR", _map(12, "I", 5), "outside"),
    Rule("map_past_external_memory", "EFM_BAD_OPERATOR", _map(0, "I", 1 << 20), "outside"),
    Rule("map_rows_past_external_memory", "EFM_BAD_OPERATOR", _map(0, "I", 32), "outside"),
    Rule("map_address_unaligned", "EFM_BAD_OPERATOR",
         chain(header("alignment", 4), _map(0, "I", 2)), "outside"),
    Rule("map_slot_unaligned", "EFM_BAD_OPERATOR",
         chain(header("external_bytes", 64), header("alignment", 4), _map(4, "I", 6)), "outside"),
    Rule("map_of_unknown_cap", "EFM_BAD_OPERATOR", _map(36, "I", 1), "outside"),
    Rule("map_tables_past_section", "EFM_BAD_CODEC", _map(24, "I", 100), "outside"),
    Rule("map_directory_in_window", "EFM_BAD_CODEC", _map(28, "I", 88), "outside"),
    Rule("map_directory_past_control", "EFM_BAD_CODEC", _map(28, "I", 116), "outside"),
    Rule("map_without_store", "EFM_BAD_OPERATOR", _map(32, "I", 99), "outside"),
    Rule("map_stored_by_load", "EFM_BAD_OPERATOR", _map(32, "I", LOAD), "outside"),
    Rule("map_stored_by_store_of_another", "EFM_BAD_OPERATOR",
         _map(32, "I", STORE_RESULT), "outside"),
)

# pool.efm is outside.efm with both maps in a pool, each with a cap.
POOL_RULES = (
    Rule("pool_of_small_pages", "EFM_BAD_BUFFER", header("page", 15), "pool"),
    Rule("pool_of_large_pages", "EFM_BAD_BUFFER",
         chain(header("arena_bytes", 1 << 20), header("page", 32769)), "pool"),
    Rule("pool_unaligned", "EFM_BAD_BUFFER",
         chain(header("arena_bytes", 1 << 16), header("pool", 1004)), "pool"),
    Rule("pool_in_control", "EFM_BAD_BUFFER", header("pool", 88), "pool"),
    Rule("pool_past_arena", "EFM_BAD_BUFFER", header("pool", 1 << 16), "pool"),
    Rule("pool_without_pages", "EFM_BAD_BUFFER", header("pool", 1000)),
    Rule("pool_states_past_control", "EFM_BAD_BUFFER", header("pool_pages", 200), "pool"),
    Rule("pooled_map_with_address", "EFM_BAD_OPERATOR", _map(0, "I", 1), "pool"),
    Rule("pooled_map_with_slots", "EFM_BAD_OPERATOR", _map(4, "I", 4), "pool"),
    Rule("cap_of_raw_map", "EFM_BAD_CODEC", _map(16, "I", 0), "pool"),
    Rule("cap_of_another_map", "EFM_BAD_CODEC", _map(36, "I", 2), "pool"),
    Rule("cap_rate_zero", "EFM_BAD_CODEC", _cap(4, "I", 0), "pool"),
    Rule("cap_rate_too_large", "EFM_BAD_CODEC", _cap(4, "I", INT32_MAX + 1), "pool"),
    Rule("cap_depth_too_large", "EFM_BAD_CODEC", _cap(8, "I", INT32_MAX + 1), "pool"),
    Rule("cap_place_unknown", "EFM_BAD_CODEC", _cap(16, "B", 2), "pool"),
    Rule("cap_quality_unknown", "EFM_BAD_CODEC", _cap(17, "B", 5), "pool"),
    Rule("cap_tiles_without_feature", "EFM_BAD_CODEC",
         chain(_cap(17, "B", 3), _cap(20, "I", 0)), "pool"),
    Rule("cap_tile_past_row", "EFM_BAD_CODEC", _cap(18, "H", 13), "static"),
    Rule("cap_bands_of_no_rows", "EFM_BAD_CODEC", _table(0, 0), "static"),
    Rule("cap_bands_past_tables", "EFM_BAD_CODEC", lambda p: _cap(20, "I", _tables(p) - 25)(p),
         "static"),
    Rule("cap_offset_too_large", "EFM_BAD_CODEC", _table(9, 9), "derived"),
    Rule("cap_classes_past_tables", "EFM_BAD_CODEC", _cap(20, "I", 0xfffffff0), "derived"),
    Rule("signalled_scratch_without_offsets", "EFM_BAD_CODEC",
         lambda p: _operator(STORE, 28, "I", _scratch(p, STORE) - 8)(p), "signalled"),
    Rule("cap_floors_unused", "EFM_BAD_CODEC", _cap(20, "I", 1), "pool"),
    Rule("cap_floors_past_tables", "EFM_BAD_CODEC",
         chain(_cap(17, "B", 1), _cap(20, "I", 0xfffffff0)), "pool"),
    Rule("cap_floor_too_large", "EFM_BAD_CODEC",
         chain(replace(Section.TABLES, lambda d: d + bytes([9] * 6)), _cap(17, "B", 1),
               lambda p: _cap(20, "I", len(table(p)[Section.TABLES][1]) - 6)(p)), "pool"),
    Rule("cap_reserved_set", "EFM_BAD_CODEC", _cap(18, "H", 1), "pool"),
    Rule("cap_outside_with_release", "EFM_BAD_CODEC", _cap(12, "I", 1), "capped"),
    Rule("cap_rate_below_alignment", "EFM_BAD_CODEC", _cap(4, "I", 3), "capped"),
    Rule("cap_in_no_pool", "EFM_BAD_CODEC", _cap(16, "B", 1), "capped"),
    Rule("cap_released_by_store", "EFM_BAD_OPERATOR", _cap(12, "I", STORE), "pool"),
    Rule("cap_released_by_nobody", "EFM_BAD_OPERATOR", _cap(12, "I", 99), "pool"),
    Rule("map_directory_in_states", "EFM_BAD_CODEC",
         chain(_map(28, "I", 96)), "pool"),
    Rule("capped_scratch_without_row", "EFM_BAD_CODEC",
         lambda p: _operator(STORE, 28, "I", _scratch(p, STORE) - 8)(p), "pool"),
    Rule("pool_too_small", "EFM_BAD_SCHEDULE", header("pool_pages", 1), "pool", when="run"),
    Rule("pool_row_given_back", "EFM_BAD_SCHEDULE", lambda p: read_twice(p), "pool",
         when="run"),
)

TENSOR_RULES = (
    Rule("tensors_too_few", "EFM_BAD_SECTION", replace(Section.TENSORS, lambda d: d[:TENSOR.size])),
    Rule("tensor_rows_differ", "EFM_BAD_OPERATOR", _tensor(0, "I", 5)),
    Rule("tensor_row_bytes_differ", "EFM_BAD_OPERATOR", _tensor(4, "I", 255)),
    Rule("tensor_type_unknown", "EFM_BAD_OPERATOR", _tensor(8, "B", 5)),
    Rule("tensor_type_of_another_size", "EFM_BAD_OPERATOR", _tensor(8, "B", 2)),
    Rule("tensor_rank_five", "EFM_BAD_OPERATOR", _tensor(9, "B", 5)),
    Rule("tensor_shape_of_another_size", "EFM_BAD_OPERATOR", _tensor(24, "I", 7)),
    Rule("tensor_shape_with_zero", "EFM_BAD_OPERATOR", _tensor(20, "I", 0)),
    Rule("tensor_name_past_section", "EFM_BAD_OPERATOR", _tensor(40, "I", 1 << 10)),
)


def inputs(count: int) -> Change:
    """The example with as many inputs, of which only the first is used."""

    def operators(data: bytes) -> bytes:
        taken = [OPERATOR.pack(1, 0, 1, 0, 4 + i, 0, 0, 0, 0, 0, 0, 6, 1 + i)
                 for i in range(count - 1)]
        return data + b"".join(taken)

    def streams(data: bytes) -> bytes:
        one = bytearray(data[:STREAM.size])
        more = b""
        for i in range(count - 1):
            struct.pack_into("<H", one, 16, 3 + i)
            more += one
        return data + more

    return chain(
        header("arena_bytes", 1 << 11), header("control_bytes", 160), _buffer(0, "I", 256),
        record(Section.BUFFERS, 1, 0, "I", 1032), _operator(CONV, 24, "I", 1544),
        replace(Section.OPERATORS, operators), replace(Section.STREAMS, streams),
        replace(Section.OPERANDS, lambda d: d + b"".join(
            struct.pack("<H", 2 + i) for i in range(count - 1))),
        replace(Section.TENSORS, lambda d: d[:TENSOR.size] * count + d[TENSOR.size:]),
        replace(Section.FIRINGS, lambda d: d + b"".join(
            FIRING.pack(3 + i, 1) for i in range(count - 1) for _ in range(6))),
        record(Section.STAGES, 0, 4, "I", 12 + 6 * (count - 1)))


# Row bytes and channels follow; what is missing is scratch to gather the row in.
OUTPUT_OF_A_PART = chain(
    record(Section.OPERANDS, OPERAND, 0, "H", PART),
    record(Section.TENSORS, OUTPUT_TENSOR, 4, "I", 15),
    record(Section.TENSORS, OUTPUT_TENSOR, 32, "I", 3))

OPERATOR_RULES = (
    Rule("operator_unknown", "EFM_BAD_FEATURE", _operator(CONV, 0, "B", 200)),
    Rule("operator_zero", "EFM_BAD_FEATURE", _operator(CONV, 0, "B", 0)),
    Rule("operator_reserved_set", "EFM_BAD_OPERATOR", _operator(CONV, 3, "B", 1)),
    Rule("operator_wider_than_window", "EFM_BAD_OPERATOR", _operator(CONV, 1, "B", 2)),
    Rule("operator_operands_past_section", "EFM_BAD_OPERATOR", _operator(CONV, 4, "I", 3)),
    Rule("operator_params_past_section", "EFM_BAD_OPERATOR", _operator(CONV, 8, "I", 1)),
    Rule("operator_tiles_past_section", "EFM_BAD_OPERATOR", _operator(CONV, 16, "I", 1)),
    Rule("operator_of_two_tiles", "EFM_BAD_FEATURE",
         chain(replace(Section.TILES, lambda d: d + d), _operator(CONV, 20, "I", 2))),
    Rule("operator_without_tile", "EFM_BAD_OPERATOR", _operator(CONV, 20, "I", 0)),
    Rule("operator_scratch_unaligned", "EFM_BAD_OPERATOR", _operator(CONV, 24, "I", 92)),
    Rule("operator_scratch_in_control", "EFM_BAD_OPERATOR", _operator(CONV, 24, "I", 80)),
    Rule("operator_scratch_past_arena", "EFM_BAD_OPERATOR", _operator(CONV, 24, "I", 1 << 20)),
    Rule("operator_without_scratch_past_arena", "EFM_BAD_OPERATOR",
         _operator(INPUT, 24, "I", 0xfffffff0)),
    Rule("operator_without_operands", "EFM_BAD_OPERATOR",
         chain(_operator(CONV, 1, "B", 0), _operator(CONV, 2, "B", 0))),
    Rule("operator_of_unknown_stream", "EFM_BAD_OPERATOR", record(Section.OPERANDS, 1, 0, "H", 2)),
    Rule("operator_makes_stream_of_another", "EFM_BAD_OPERATOR",
         record(Section.OPERANDS, 2, 0, "H", 0)),
    Rule("operator_without_input", "EFM_BAD_OPERATOR",
         chain(_operator(CONV, 1, "B", 0), _operator(CONV, 4, "I", 2))),
    Rule("operator_without_result", "EFM_BAD_OPERATOR", _operator(CONV, 2, "B", 0)),
    Rule("operator_rows_differ", "EFM_BAD_OPERATOR", _operator(CONV, 32, "I", 2)),
    Rule("operator_parameter_missing", "EFM_BAD_OPERATOR", _operator(CONV, 12, "I", 7)),
    Rule("operator_scratch_too_small", "EFM_BAD_OPERATOR", _operator(CONV, 28, "I", 1)),
    Rule("input_that_reads", "EFM_BAD_OPERATOR",
         chain(_operator(INPUT, 1, "B", 1), _operator(INPUT, 2, "B", 0))),
    Rule("input_that_makes_two", "EFM_BAD_OPERATOR", _operator(INPUT, 2, "B", 2)),
    Rule("input_with_parameters", "EFM_BAD_OPERATOR", _operator(INPUT, 12, "I", 1)),
    Rule("input_with_tile", "EFM_BAD_OPERATOR", _operator(INPUT, 20, "I", 1)),
    Rule("input_rows_differ", "EFM_BAD_OPERATOR", _operator(INPUT, 32, "I", 5)),
    Rule("input_with_gaps", "EFM_BAD_OPERATOR",
         chain(_stream(4, "I", 128), _stream(24, "I", 2), _tensor(4, "I", 128),
               _tensor(28, "I", 128))),
    Rule("input_link_unknown", "EFM_BAD_OPERATOR", _operator(INPUT, 36, "I", 1)),
    Rule("input_link_twice", "EFM_BAD_OPERATOR", chain(inputs(2), _operator(3, 36, "I", 0))),
    Rule("output_link_unknown", "EFM_BAD_OPERATOR", _operator(OUTPUT, 36, "I", 1)),
    Rule("output_with_gaps_and_no_scratch", "EFM_BAD_OPERATOR",
         OUTPUT_OF_A_PART, "ends"),
    Rule("load_of_unknown_map", "EFM_BAD_OPERATOR", _operator(LOAD, 36, "I", 2), "outside"),
    Rule("load_without_cursor", "EFM_BAD_OPERATOR", _operator(LOAD, 28, "I", 15), "outside"),
    Rule("load_with_gaps", "EFM_BAD_OPERATOR",
         chain(_stream(4, "I", 2, index=1), _stream(24, "I", 2, index=1)), "outside"),
    Rule("load_beside_slot_start", "EFM_BAD_OPERATOR",
         chain(_stream(4, "I", 3, index=1), _stream(20, "I", 1, index=1)), "outside"),
    Rule("load_of_other_rows", "EFM_BAD_OPERATOR", _map(8, "I", 5), "outside"),
    Rule("load_of_other_row_bytes", "EFM_BAD_OPERATOR", _map(12, "I", 3), "outside"),
    Rule("load_transfer_past_slot", "EFM_BAD_OPERATOR",
         chain(header("external_bytes", 128), header("alignment", 8), _map(4, "I", 8),
               _map(4, "I", 8, 1)),
         "outside"),
    Rule("store_of_map_with_another_store", "EFM_BAD_OPERATOR",
         replace(Section.OPERATORS, lambda d: d + d[:OPERATOR.size]), "outside"),
)

TILE_RULES = (
    Rule("tile_past_section", "EFM_BAD_OPERATOR", _tile(0, "I", 1 << 16)),
    Rule("tile_unaligned", "EFM_BAD_OPERATOR",
         chain(replace(Section.WEIGHTS, lambda d: bytes(8) + d), _tile(0, "I", 8))),
    Rule("tile_of_other_raw_bytes", "EFM_BAD_OPERATOR", _tile(8, "I", 1 << 10)),
    Rule("tile_checksum", "EFM_BAD_CHECKSUM", tile_differs, when="verify"),
    Rule("tile_of_later_outputs", "EFM_BAD_OPERATOR", _tile(16, "I", 1)),
    Rule("tile_of_fewer_outputs", "EFM_BAD_OPERATOR", _tile(20, "I", 1)),
    Rule("tile_of_later_inputs", "EFM_BAD_OPERATOR", _tile(24, "I", 1)),
    Rule("tile_of_fewer_inputs", "EFM_BAD_OPERATOR", _tile(28, "I", 0)),
    Rule("depthwise_tile_of_all_inputs", "EFM_BAD_OPERATOR", _tile_of(DEPTHWISE, 28, 12), "rings"),
    Rule("tile_in_unknown_memory", "EFM_BAD_FEATURE", _tile(32, "B", 1)),
    Rule("tile_packing_unknown", "EFM_BAD_FEATURE", _tile(33, "B", 200)),
    Rule("tile_code_unknown", "EFM_BAD_FEATURE", _tile(34, "B", 1)),
    Rule("tile_flag_set", "EFM_BAD_FEATURE", _tile(35, "B", 1)),
    Rule("tile_table_set", "EFM_BAD_FEATURE", _tile(36, "H", 1)),
    Rule("tile_reserved_set", "EFM_BAD_FEATURE", _tile(38, "H", 1)),
)


def _op_of(several: bool, kind: int = CONVOLUTION) -> Callable[[bytes], int]:
    """The number of the first operator of a kind with several tiles, or with one."""

    def find(package: bytes) -> int:
        rows = OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1])
        return next(i for i, row in enumerate(rows) if row[0] == kind and (row[8] > 1) == several)

    return find


def _parts(offset: int, kind: str, value: int, several: bool = True, tile: int = 0) -> Change:
    """Replace a field of a tile of the first CONV with several tiles, or with one."""

    def change(package: bytes) -> bytes:
        operators = table(package)[Section.OPERATORS][1]
        row = list(OPERATOR.iter_unpack(operators))[_op_of(several)(package)]
        return _tile(offset, kind, value, row[7] + tile)(package)

    return change


def _parted(offset: int, value: int, several: bool = True) -> Change:
    """The same of the operator."""
    return lambda p: _operator(_op_of(several)(p), offset, "I", value)(p)


def _tiles_buffer(offset: int, value: int) -> Change:
    """The same of the buffer that it decodes into."""

    def change(package: bytes) -> bytes:
        operators = list(OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1]))
        return record(Section.BUFFERS, operators[_op_of(True)(package)][12], offset, "I", value)(
            package)

    return change


def _features(value: int) -> Change:
    return header("features", value)


def _cut_short(package: bytes) -> bytes:
    """The last byte of a tile's code is missing."""
    sections = table(package)
    row = list(OPERATOR.iter_unpack(sections[Section.OPERATORS][1]))[_op_of(True)(package)]
    tile = Tile._make(list(TILE.iter_unpack(sections[Section.TILES][1]))[row[7]])
    return _parts(4, "I", tile.bytes - 1)(package)


BOTH = Feature.WEIGHT_CODES | Feature.WEIGHT_TILES
WEIGHT_RULES = (
    Rule("huffman_without_table", "EFM_BAD_CODEC", _parts(36, "H", 0), "tiles_few"),
    Rule("tiles_with_a_gap", "EFM_BAD_OPERATOR", _parts(16, "I", 5, tile=1), "tiles_few"),
    Rule("huffman_code_refused", "EFM_BAD_CODEC", _cut_short, "tiles_few", "run"),
)
MORE_WEIGHT_RULES = (  # alike; their tests build them
    Rule("codes_without_feature", "EFM_BAD_FEATURE", _features(Feature.WEIGHT_TILES), "tiles_few"),
    Rule("code_unknown", "EFM_BAD_FEATURE", _parts(34, "B", 3), "tiles_few"),
    Rule("huffman_table_is_no_code", "EFM_BAD_CODEC",
         replace(Section.WEIGHT_TABLES, lambda d: d[:5] + bytes([0x11]) * (len(d) - 5)),
         "tiles_few"),
    Rule("tile_shorter_than_its_table", "EFM_BAD_OPERATOR", _parts(4, "I", 8), "tiles_few"),
    Rule("tiles_buffer_unknown", "EFM_BAD_OPERATOR", _parted(36, 1000), "tiles_few"),
    Rule("tiles_buffer_too_small", "EFM_BAD_OPERATOR", _tiles_buffer(4, 4), "tiles_few"),
    Rule("tiles_scratch_without_table", "EFM_BAD_OPERATOR", _parted(28, 2047), "tiles_few"),
    Rule("tiles_without_feature", "EFM_BAD_FEATURE", _features(Feature.WEIGHT_CODES), "tiles_few"),
    Rule("code_of_packing_halves", "EFM_BAD_FEATURE", _parts(33, "B", 1), "tiles_few"),
    Rule("code_in_unknown_memory", "EFM_BAD_FEATURE", _parts(32, "B", 1), "tiles_few"),
    Rule("code_with_unknown_flag", "EFM_BAD_FEATURE", _parts(35, "B", 2), "tiles_few"),
    Rule("code_reserved_set", "EFM_BAD_FEATURE", _parts(38, "H", 1), "tiles_few"),
    Rule("packed_with_table", "EFM_BAD_FEATURE", _parts(36, "H", 1), "tiles_packed"),
    Rule("code_of_a_lut", "EFM_BAD_FEATURE",
         chain(_features(BOTH), lambda p: _tile(34, "B", 2, _lut_tile(p))(p)), "operators"),
    Rule("huffman_table_past_section", "EFM_BAD_CODEC", _parts(36, "H", 1000), "tiles_few"),
    Rule("huffman_table_cut_short", "EFM_BAD_CODEC",
         replace(Section.WEIGHT_TABLES, lambda d: d[:-1]), "tiles_few"),
    Rule("huffman_tables_missing", "EFM_BAD_CODEC", without(Section.WEIGHT_TABLES), "tiles_few"),
    Rule("coded_tile_past_section", "EFM_BAD_OPERATOR", _parts(0, "I", 1 << 16), "tiles_few"),
    Rule("coded_tile_of_other_raw_bytes", "EFM_BAD_OPERATOR", _parts(8, "I", 1000), "tiles_few"),
    Rule("kept_tile_of_several", "EFM_BAD_OPERATOR", _parts(35, "B", 1), "tiles_packed"),
    Rule("tiles_of_more_outputs", "EFM_BAD_OPERATOR", _parts(20, "I", 2, tile=1), "tiles_few"),
    Rule("tiles_of_fewer_outputs", "EFM_BAD_OPERATOR", _parted(20, 1), "tiles_few"),
    Rule("tiles_of_later_inputs", "EFM_BAD_OPERATOR", _parts(24, "I", 1), "tiles_few"),
    Rule("tiles_of_fewer_inputs", "EFM_BAD_OPERATOR", _parts(28, "I", 1), "tiles_few"),
    Rule("tiles_buffer_of_two_slots", "EFM_BAD_OPERATOR",
         chain(_tiles_buffer(8, 2), header("arena_bytes", 1 << 16)), "tiles_few"),
    Rule("huffman_scratch_without_table", "EFM_BAD_OPERATOR", _parted(28, 2047, False),
         "tiles_few"),
)
PORT_RULES = (  # the same
    Rule("port_without_feature", "EFM_BAD_FEATURE", _features(0), "ported"),
    Rule("port_alignment_zero", "EFM_BAD_FEATURE", header("weight_alignment", 0), "ported"),
    Rule("port_alignment_too_large", "EFM_BAD_FEATURE", header("weight_alignment", 8192),
         "ported"),
    Rule("port_burst_uneven", "EFM_BAD_FEATURE", header("weight_burst", 6), "ported"),
    Rule("front_past_end", "EFM_BAD_FEATURE", header("front_bytes", 1 << 20), "ported"),
    Rule("front_without_port", "EFM_BAD_FEATURE", header("front_bytes", 500), "tiles_few"),
    Rule("ported_tile_past_section", "EFM_BAD_OPERATOR", _tile(0, "I", 1 << 16), "ported"),
    Rule("ported_tile_between_alignments", "EFM_BAD_OPERATOR",
         chain(header("weight_alignment", 64), header("weight_burst", 64)), "ported"),
    Rule("ported_tile_of_packing_halves", "EFM_BAD_FEATURE", _tile(33, "B", 1), "ported"),
    Rule("ported_tile_in_unknown_memory", "EFM_BAD_FEATURE", _tile(32, "B", 2), "ported"),
    Rule("tiles_in_two_memories", "EFM_BAD_OPERATOR", _parts(32, "B", 0, tile=1), "ported_tiles"),
    Rule("ported_buffer_unknown", "EFM_BAD_OPERATOR", _parted(36, 1000), "ported_tiles"),
    Rule("ported_buffer_too_small", "EFM_BAD_OPERATOR", _tiles_buffer(4, 48), "ported_tiles"),
    Rule("ported_buffer_of_three_slots", "EFM_BAD_OPERATOR",
         chain(_tiles_buffer(8, 3), header("arena_bytes", 1 << 16)), "ported_tiles"),
    Rule("ported_code_in_one_slot", "EFM_BAD_OPERATOR", _tiles_buffer(8, 1), "ported_tiles"),
    Rule("ported_scratch_without_table", "EFM_BAD_OPERATOR", _parted(28, 2047), "ported_tiles"),
)


def _lut_tile(package: bytes) -> int:
    rows = OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1])
    return int(next(row[7] for row in rows if row[0] == LUT))


def _of(kind: int, offset: int, value: bytes, section: Section = Section.WEIGHTS) -> Change:
    """Replace bytes of the first operator of a kind: in its tile, or its parameters."""

    def change(package: bytes) -> bytes:
        rows = OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1])
        row = next(row for row in rows if row[0] == kind)
        tiles = table(package)[Section.TILES][1]
        at = 4 * row[5] if section is Section.PARAMS else TILE.unpack_from(
            tiles, row[7] * TILE.size)[0]
        at += offset
        return replace(section, lambda d: d[:at] + value + d[at + len(value):])(package)

    return change


def _parameter(kind: int, number: int, value: int) -> Change:
    return _of(kind, 4 * number, struct.pack("<i", value), Section.PARAMS)


def _slice(number: int, offset: int, kind: str, value: int) -> Change:
    """Replace a field of a tile of the first SLICED operator."""

    def change(package: bytes) -> bytes:
        rows = OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1])
        first = next(row[7] for row in rows if row[0] == SLICED)
        return _tile(offset, kind, value, first + number)(package)

    return change


def _sliced(offset: int, kind: str, by: int) -> Change:
    """Add to a field of the first SLICED operator."""

    def change(package: bytes) -> bytes:
        rows = list(OPERATOR.iter_unpack(table(package)[Section.OPERATORS][1]))
        index = next(i for i, row in enumerate(rows) if row[0] == SLICED)
        return _operator(index, offset, kind, rows[index][3 + offset // 4] + by)(package)

    return change


# The first SLICED of sliced.efm has slices of 16 and 4 channels, three tiles each, fires 2 rows.
SLICED_RULES = (
    Rule("rows_more_than_the_sums", "EFM_BAD_SCHEDULE", _parameter(SLICED, 3, 1), "sliced", "run"),
)
MORE_SLICED_RULES = (  # alike; their tests build them
    Rule("slice_of_no_channels", "EFM_BAD_OPERATOR", _slice(0, 20, "I", 0), "sliced"),
    Rule("slice_tiles_missing", "EFM_BAD_OPERATOR", _sliced(20, "I", -3), "sliced"),
    Rule("sliced_parameter_missing", "EFM_BAD_OPERATOR", _sliced(12, "I", -1), "sliced"),
    Rule("sliced_parameters_missing", "EFM_BAD_OPERATOR", _sliced(12, "I", -5), "sliced"),
    Rule("sliced_channels_zero", "EFM_BAD_OPERATOR", _parameter(SLICED, 0, 0), "sliced"),
    Rule("sliced_channels_too_many", "EFM_BAD_OPERATOR", _parameter(SLICED, 0, 21), "sliced"),
    Rule("sliced_zero_point_too_large", "EFM_BAD_OPERATOR", _parameter(SLICED, 1, 128), "sliced"),
    Rule("sliced_zero_point_too_small", "EFM_BAD_OPERATOR", _parameter(SLICED, 2, -129), "sliced"),
    Rule("sliced_strip_zero", "EFM_BAD_OPERATOR", _parameter(SLICED, 3, 0), "sliced"),
    Rule("sliced_strip_past_scratch", "EFM_BAD_OPERATOR", _parameter(SLICED, 3, 65535), "sliced"),
    Rule("sliced_step_zero", "EFM_BAD_OPERATOR", _parameter(SLICED, 4, 0), "sliced"),
    Rule("sliced_step_past_scratch", "EFM_BAD_OPERATOR", _parameter(SLICED, 4, 65535), "sliced"),
    Rule("sliced_projection_unknown", "EFM_BAD_OPERATOR", _parameter(SLICED, 5, 2), "sliced"),
    Rule("sliced_without_projection", "EFM_BAD_OPERATOR", _parameter(SLICED, 5, 0), "sliced"),
    Rule("sliced_around_a_sum", "EFM_BAD_OPERATOR", _parameter(SLICED, 6, 18), "sliced"),
    Rule("sliced_around_a_mean", "EFM_BAD_OPERATOR", _parameter(SLICED, 6, 22), "sliced"),
    Rule("sliced_window_huge", "EFM_BAD_OPERATOR", _parameter(SLICED, 7, 1 << 16), "sliced"),
    Rule("sliced_multiplier_two", "EFM_BAD_OPERATOR", _parameter(SLICED, 15, 2), "sliced"),
    Rule("sliced_scratch_too_small", "EFM_BAD_OPERATOR", _sliced(28, "I", -8), "sliced"),
    Rule("slice_of_too_many_channels", "EFM_BAD_OPERATOR", _slice(3, 20, "I", 5), "sliced"),
    Rule("slice_with_a_gap", "EFM_BAD_OPERATOR", _slice(3, 16, "I", 17), "sliced"),
    Rule("slice_of_fewer_inputs", "EFM_BAD_OPERATOR", _slice(0, 28, "I", 2), "sliced"),
    Rule("slice_of_later_inputs", "EFM_BAD_OPERATOR", _slice(5, 24, "I", 15), "sliced"),
    Rule("slice_of_another_middle", "EFM_BAD_OPERATOR", _slice(1, 20, "I", 15), "sliced"),
    Rule("slice_of_fewer_outputs", "EFM_BAD_OPERATOR", _slice(5, 20, "I", 4), "sliced"),
    Rule("slice_tile_too_short", "EFM_BAD_OPERATOR",
         chain(_slice(5, 4, "I", 19), _slice(5, 8, "I", 19)), "sliced"),
    Rule("slice_of_packing_unknown", "EFM_BAD_FEATURE", _slice(4, 33, "B", 3), "sliced"),
)

CONVOLUTION_RULES = (
    Rule("conv_of_floats", "EFM_BAD_OPERATOR",
         chain(_stream(4, "I", 64), _stream(12, "B", 4), _stream(24, "I", 4), _tensor(8, "B", 2),
               _tensor(28, "I", 64))),
    Rule("conv_step_zero", "EFM_BAD_OPERATOR", _parameter(CONVOLUTION, 2, 0)),
    Rule("conv_window_huge", "EFM_BAD_OPERATOR", _parameter(CONVOLUTION, 1, 1 << 16)),
    Rule("depthwise_step_zero", "EFM_BAD_OPERATOR", _parameter(DEPTHWISE, 3, 0), "rings"),
    Rule("depthwise_multiplier_zero", "EFM_BAD_OPERATOR", _parameter(DEPTHWISE, 8, 0), "rings"),
)

# The first GATHER of rearranged.efm makes 6 rows of 3 pixels of 6 from 4 rows of 3 pixels of 4 and
# fills edges: entries of 6 bytes for 6 rows, 3 pixels and 3 places, then the needs.
ROW, PIXEL = 6, 36
GATHER_RULES = (
    Rule("gather_element_past_row", "EFM_BAD_OPERATOR",
         _of(GATHER, ROW, struct.pack("<I", 9)), "rearranged"),
    Rule("gather_element_huge", "EFM_BAD_OPERATOR",
         _of(GATHER, PIXEL, struct.pack("<I", 0xFFFFFFFE)), "rearranged"),
    Rule("gather_row_past_need", "EFM_BAD_OPERATOR",
         _of(GATHER, ROW + 4, struct.pack("<H", 1)), "rearranged"),
    Rule("gather_row_past_map", "EFM_BAD_OPERATOR",
         _of(GATHER, PIXEL + 4, struct.pack("<H", 9)), "rearranged"),
    Rule("gather_places_wrong", "EFM_BAD_OPERATOR", _parameter(GATHER, 0, 2), "rearranged"),
    Rule("gather_fill_too_large", "EFM_BAD_OPERATOR", _parameter(GATHER, 2, 128), "rearranged"),
    Rule("extreme_of_another_kind", "EFM_BAD_OPERATOR", _parameter(EXTREME, 2, 2), "pairwise"),
)

CODEC_RULES = (
    Rule("codec_unknown", "EFM_BAD_FEATURE", _map(16, "I", 99), "outside"),
    Rule("codec_tables_refused", "EFM_BAD_CODEC", _map(24, "I", 11), "outside"),
    Rule("codec_of_floats", "EFM_BAD_CODEC",
         chain(*(_stream(4, "I", 1, i) for i in (0, 1)), *(_stream(12, "B", 4, i) for i in (0, 1)),
               *(_stream(24, "I", 4, i) for i in (0, 1))), "outside"),
    Rule("codec_rows_too_long", "EFM_BAD_CODEC",
         chain(header("arena_bytes", 1 << 20), header("external_bytes", 1 << 20),
               _buffer(4, "I", 1 << 16),
               _stream(4, "I", 1 << 16), _map(4, "I", 1 << 16), _map(12, "I", 1 << 16)),
         "outside"),
    Rule("codec_scratch_without_code", "EFM_BAD_CODEC", _operator(STORE, 28, "I", 20), "outside"),
    Rule("codec_scratch_without_state", "EFM_BAD_CODEC", _operator(STORE, 28, "I", 600), "outside"),
    Rule("map_flag_unknown", "EFM_BAD_FEATURE", _map(18, "H", 2), "outside"),
    Rule("pairs_of_raw_rows", "EFM_BAD_CODEC", chain(_map(16, "H", 0), _map(18, "H", 1)),
         "outside"),
    Rule("pairs_with_cap", "EFM_BAD_CODEC", _map(18, "H", 1), "capped"),
    Rule("pairs_with_reference", "EFM_BAD_CODEC", _map(18, "H", 1), "refreshed"),
    Rule("pairs_of_other_rows", "EFM_BAD_OPERATOR", _map(8, "I", 5), "pairs"),
    Rule("pairs_of_other_row_bytes", "EFM_BAD_OPERATOR",
         chain(header("external_bytes", 1 << 10), _map(4, "I", 64), _map(12, "I", 61)), "pairs"),
    Rule("pairs_scratch_without_rows", "EFM_BAD_CODEC",
         lambda p: _operator(STORE, 28, "I", _scratch(p, STORE) - 8)(p), "pairs"),
)

REFERENCE_RULES = (
    Rule("map_reference_unknown", "EFM_BAD_OPERATOR", _map(38, "H", 3), "refreshed"),
    Rule("reference_of_another_map", "EFM_BAD_CODEC", _reference(0, "I", 1), "refreshed"),
    Rule("reference_of_another_codec", "EFM_BAD_CODEC",
         chain(_map(16, "I", 2), _map(24, "I", 0)), "refreshed"),
    Rule("reference_with_a_cap", "EFM_BAD_CODEC", REFERENCE_AND_CAP, "refreshed"),
    Rule("reference_in_control", "EFM_BAD_CODEC", _reference(4, "I", 8), "refreshed"),
    Rule("reference_past_arena", "EFM_BAD_CODEC", _reference(4, "I", 1 << 20), "refreshed"),
    Rule("reference_release_no_load", "EFM_BAD_OPERATOR", _reference(8, "I", STORE), "refreshed"),
)

SCHEDULE_RULES = (
    Rule("firing_of_unknown_operator", "EFM_BAD_SCHEDULE", record(Section.FIRINGS, 0, 0, "H", 3)),
    Rule("firing_of_no_rows", "EFM_BAD_SCHEDULE", record(Section.FIRINGS, 0, 2, "H", 0)),
    Rule("stage_begins_late", "EFM_BAD_SCHEDULE", record(Section.STAGES, 0, 0, "I", 1)),
    Rule("stage_past_firings", "EFM_BAD_SCHEDULE", record(Section.STAGES, 0, 4, "I", 13)),
    Rule("firings_without_stage", "EFM_BAD_SCHEDULE", record(Section.STAGES, 0, 4, "I", 11)),
    Rule("rows_not_made_yet", "EFM_BAD_SCHEDULE",
         record(Section.FIRINGS, 2, 0, "H", CONV), when="run"),
    Rule("rows_overwritten", "EFM_BAD_SCHEDULE",
         record(Section.FIRINGS, 3, 0, "H", INPUT), when="run"),
    Rule("rows_more_than_the_ring", "EFM_BAD_SCHEDULE",
         record(Section.FIRINGS, 0, 2, "H", 4), when="run"),
    Rule("rows_more_than_the_map", "EFM_BAD_SCHEDULE",
         record(Section.FIRINGS, 11, 2, "H", 2), when="run"),
    Rule("rows_left_over", "EFM_BAD_SCHEDULE",
         chain(replace(Section.FIRINGS, lambda d: d[:-FIRING.size]),
               record(Section.STAGES, 0, 4, "I", 11)), when="run"),
    Rule("load_before_store", "EFM_BAD_SCHEDULE",
         chain(record(Section.FIRINGS, 1, 0, "H", LOAD), record(Section.FIRINGS, 2, 0, "H", STORE)),
         "outside", when="run"),
)

# Too large to keep: tests build these.
LARGE_RULES = (
    Rule("inputs_too_many", "EFM_BAD_OPERATOR", inputs(33)),
    Rule("operator_result_keeps_too_few_rows", "EFM_BAD_OPERATOR",
         record(Section.BUFFERS, BOXES, 8, "I", 2), "detector"),
    Rule("buffers_too_many", "EFM_BAD_SECTION",
         replace(Section.BUFFERS, lambda d: d[:BUFFER.size] * 65536)),
    Rule("streams_too_many", "EFM_BAD_SECTION",
         replace(Section.STREAMS, lambda d: d[:STREAM.size] * 65536)),
    Rule("caps_too_many", "EFM_BAD_SECTION",
         replace(Section.CAPS, lambda d: d[:CAP.size] * 65536), "pool"),
    Rule("operators_too_many", "EFM_BAD_SECTION",
         replace(Section.OPERATORS, lambda d: d[:OPERATOR.size] * 65536)),
    Rule("table_tile_of_channels", "EFM_BAD_OPERATOR", _tile_of(LUT, 20, 4), "operators"),
    Rule("log_softmax_exponential_negative", "EFM_BAD_OPERATOR",
         _of(LOG_SOFTMAX, 8, struct.pack("<i", -1)), "vectors"),
    Rule("prelu_factor_negative", "EFM_BAD_OPERATOR", _parameter(PRELU, 2, -1), "pairwise"),
    Rule("div_limit_too_small", "EFM_BAD_OPERATOR", _parameter(DIV, 5, -129), "pairwise"),
    Rule("matmul_factor_shifted_too_far", "EFM_BAD_OPERATOR", _parameter(MATMUL, 1, 31), "vectors"),
    Rule("norm_shifted_too_far", "EFM_BAD_OPERATOR", _parameter(L2_NORM, 0, 8), "vectors"),
    *MORE_WEIGHT_RULES, *MORE_SLICED_RULES, *PORT_RULES,
)

BROKEN = (*HEADER_RULES, *SECTION_RULES, *BUFFER_RULES, *STREAM_RULES, *MAP_RULES, *POOL_RULES,
          *TENSOR_RULES, *OPERATOR_RULES, *CONVOLUTION_RULES, *GATHER_RULES, *TILE_RULES,
          *WEIGHT_RULES, *SLICED_RULES,
          *CODEC_RULES, *REFERENCE_RULES, *SCHEDULE_RULES)
