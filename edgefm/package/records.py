# SPDX-License-Identifier: Apache-2.0
"""The .efm package's numbers: records, sections and bits as docs/FORMAT.md has them.

Only `write`, `read` and `outline` use the records: no other Python knows a byte offset.
"""

from __future__ import annotations

import struct
from enum import IntEnum, IntFlag

MAGIC = b"EFM1"
MAJOR, MINOR = 1, 0
HEADER = struct.Struct("<4sHHIIIIIIIIHHIIIHH4x")
CHECKED_FROM = 16   # the checksum covers everything from here on
SECTION_ENTRY = struct.Struct("<HHIII")
SECTION_ALIGNMENT = 16
WEIGHT_ALIGNMENT = 16
STREAM = struct.Struct("<IIIBBHHHIIi")
BUFFER = struct.Struct("<III")
OPERATOR = struct.Struct("<BBBBIIIIIIIII")
FIRING = struct.Struct("<HH")
STAGE = struct.Struct("<II")
MAP = struct.Struct("<IIIIHHIIIIHH")
TENSOR = struct.Struct("<IIBBHfi4IIII")
CAP = struct.Struct("<IIIIBBHI")
REFERENCE = struct.Struct("<IIII")
MOST_SECTIONS = 64
MAX_ENDS = 32       # inputs, and outputs
TYPES = ("int8", "uint8", "int32", "int64", "float32")


class Section(IntEnum):
    """Section ids of docs/FORMAT.md; never renumbered."""

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


RECORD_BYTES = {
    Section.STREAMS: STREAM.size, Section.BUFFERS: BUFFER.size, Section.OPERATORS: OPERATOR.size,
    Section.OPERANDS: 2, Section.PARAMS: 4, Section.WEIGHTS: 1, Section.FIRINGS: FIRING.size,
    Section.STAGES: STAGE.size, Section.MAPS: MAP.size, Section.TABLES: 1,
    Section.TENSORS: TENSOR.size, Section.NAMES: 1, Section.META: 1, Section.SIGNATURE: 1,
    Section.CAPS: CAP.size, Section.REFERENCES: REFERENCE.size}

PAIRED = 1    # flag of a map: its rows are pairs of the stream's
REQUIRED = 1  # section flag: a reader that does not know the section must refuse the package


class Feature(IntFlag):
    """Bits of required_features."""

    EXTERNAL = 1
    CODED = 2
    CAPPED = 4
    TEMPORAL = 8
    PAIRED = 16
    QUALITY = 32
