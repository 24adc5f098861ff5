# SPDX-License-Identifier: Apache-2.0
"""The numbers of the .efm package: records, sections and bits as in docs/FORMAT.md.

Only this folder uses the records: no other Python code contains a byte offset.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag
from typing import NamedTuple

MAGIC = b"EFM1"
MAJOR, MINOR = 2, 0
HEADER = struct.Struct("<4sHHIIIIIIIIIIHHIIIHHIIII12x")
SUMS_AT, CHECKED_FROM = 16, 24  # between them are the checksums, which cover all but themselves
SECTION_ENTRY = struct.Struct("<HHIII")
SECTION_ALIGNMENT = 16
STREAM = struct.Struct("<IIIBBHHHIIi")
BUFFER = struct.Struct("<III")
OPERATOR = struct.Struct("<BBBBIIIIIIIII")
FIRING = struct.Struct("<HH")
STAGE = struct.Struct("<II")
MAP = struct.Struct("<IIIIHHIIIIHH")
TENSOR = struct.Struct("<IIBBHfi4IIII")
CAP = struct.Struct("<IIIIBBHI")
REFERENCE = struct.Struct("<IIII")
TILE = struct.Struct("<IIIIIIIIBBBBHH")
TILE_ALIGNMENT = 16
MOST_SECTIONS = 64
MAX_ENDS = 32       # inputs, and outputs
SLICED_MADE_OF = 5  # parameter of SLICED: whether it ends with a CONV; behind it the middle's kind
TYPES = ("int8", "uint8", "int32", "int64", "float32")


class PackageHeader(NamedTuple):
    """The fields of HEADER, in its order."""

    magic: bytes
    major: int
    minor: int
    bytes: int
    head_bytes: int
    head_crc: int
    crc: int
    features: int
    sections: int
    arena_bytes: int
    control_bytes: int
    external_bytes: int
    io_bytes: int
    alignment: int
    port_buffers: int
    burst: int
    window: int
    pool: int
    pool_pages: int
    page: int
    version: int
    front_bytes: int = 0       # that must be addressable, 0: all
    weight_alignment: int = 0  # of the weight port, as external memory has them
    weight_burst: int = 0


class Tile(NamedTuple):
    """The fields of TILE, in its order."""

    offset: int
    bytes: int
    raw_bytes: int
    crc: int = 0
    first_out: int = 0
    out: int = 0
    first_in: int = 0
    inner: int = 0
    memory: int = 0
    packing: int = 0
    code: int = 0
    flags: int = 0
    table: int = 0
    reserved: int = 0


class Section(IntEnum):
    """Section ids of docs/FORMAT.md. Their numbers never change."""

    STREAMS = 1
    BUFFERS = 2
    OPERATORS = 3
    OPERANDS = 4
    PARAMS = 5
    WEIGHTS = 6
    FIRINGS = 7
    STAGES = 8
    MAPS = 9
    TABLES = 10
    TENSORS = 11
    NAMES = 12
    META = 13
    SIGNATURE = 14
    CAPS = 15
    REFERENCES = 16
    TILES = 17
    WEIGHT_TABLES = 18


RECORD_BYTES = {
    Section.STREAMS: STREAM.size, Section.BUFFERS: BUFFER.size, Section.OPERATORS: OPERATOR.size,
    Section.OPERANDS: 2, Section.PARAMS: 4, Section.WEIGHTS: 1, Section.FIRINGS: FIRING.size,
    Section.STAGES: STAGE.size, Section.MAPS: MAP.size, Section.TABLES: 1,
    Section.TENSORS: TENSOR.size, Section.NAMES: 1, Section.META: 1, Section.SIGNATURE: 1,
    Section.CAPS: CAP.size, Section.REFERENCES: REFERENCE.size, Section.TILES: TILE.size,
    Section.WEIGHT_TABLES: 1}

IN_HEAD = frozenset(section for section, size in RECORD_BYTES.items() if size > 1)

MAPPED, PORTED = 0, 1  # memories of a tile
KEPT = 1      # flag of a tile: read and decoded at its operator's first firing only
PAIRED = 1    # flag of a map: its rows are pairs of the stream's
REQUIRED = 1  # section flag: a reader that does not know the section must refuse the package


class Feature(IntFlag):
    """The known bits of required_features."""

    EXTERNAL = 1
    CODED = 2
    CAPPED = 4
    TEMPORAL = 8
    PAIRED = 16
    QUALITY = 32
    WEIGHT_PORT = 64
    WEIGHT_CODES = 128
    WEIGHT_TILES = 256


class ReservedFeature(IntFlag):
    """Bits with a planned meaning: readers refuse them by name."""

    SLICES = 1 << 9
    ACCUMULATE = 1 << 10
    RECOMPUTE = 1 << 11
    TILES_X = 1 << 12
    STATE = 1 << 13
    INT16 = 1 << 14
    PACKINGS = 1 << 15
    SIGNED = 1 << 16


class ReservedSection(IntEnum):
    """Section ids with a planned meaning; SIGNATURE is one of the known ids."""

    STATES = 19
    REMOVED = 20
    MODIFIERS = 21


class Packing(IntEnum):
    """The layout of weights in a tile."""

    ROWS = 0
    HALVES = 1
    PAIRS = 2
    DOT4X8 = 3
    DOT4X16 = 4


def feature_names(bits: int) -> list[str]:
    """The names of the features in a bit mask, lowest first; unknown ones by their bit."""
    known = {feature.value: feature.name for kind in (Feature, ReservedFeature) for feature in kind}
    return [known.get(1 << i) or f"bit {i}" for i in range(bits.bit_length()) if bits >> i & 1]
