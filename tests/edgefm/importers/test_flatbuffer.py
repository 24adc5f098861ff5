# SPDX-License-Identifier: Apache-2.0
"""The flatbuffer reader on files of known content and on hostile ones."""

import struct
from typing import Any

import flatbuffers
import numpy as np
import pytest

from edgefm.errors import BadInput
from edgefm.importers.flatbuffer import ALLOWANCE, MOST_TABLES, root


def table(builder: Any, slot: int, offset: int) -> int:
    builder.StartObject(slot + 1)
    builder.PrependUOffsetTRelativeSlot(slot, offset, 0)
    return int(builder.EndObject())


def repeated(builder: Any, offset: int, count: int) -> int:
    builder.StartVector(4, count, 4)
    for _ in range(count):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())


def finished(builder: Any, offset: int) -> bytes:
    builder.Finish(offset, file_identifier=b"TEST")
    return bytes(builder.Output())


def test_fields_and_their_defaults() -> None:
    builder = flatbuffers.Builder()
    text = builder.CreateString("h\u00e9")
    numbers = builder.CreateNumpyVector(np.array([3, -4], "<i4"))
    builder.StartObject(5)
    builder.PrependInt8Slot(0, -7, 0)
    builder.PrependFloat32Slot(1, 0.5, 0)
    builder.PrependUOffsetTRelativeSlot(2, text, 0)
    builder.PrependUOffsetTRelativeSlot(3, numbers, 0)
    top = root(finished(builder, builder.EndObject()), b"TEST")
    assert (top.number(0, "b"), top.real(1), top.text(2), top.integers(3)) == (
        -7, 0.5, "h\u00e9", (3, -4))
    for slot in (4, 900):  # left out by the writer, unknown to the writer
        assert (top.number(slot, "i", 9), top.real(slot, 2.5), top.text(slot)) == (9, 2.5, "")
        assert (top.table(slot), top.tables(slot), top.vector(slot, "int8")) == (None, (), None)


def test_another_identifier_is_refused() -> None:
    with pytest.raises(BadInput, match=r"identifier 'GOOD': bytes 4 to 8 are b'TEST'"):
        root(struct.pack("<I4s", 8, b"TEST"), b"GOOD")


def test_offsets_past_the_end_are_refused() -> None:
    for offset in (7, 8, 0xFFFFFFFF):
        with pytest.raises(BadInput, match=r"damaged flatbuffer: \d bytes at offset"):
            root(struct.pack("<I4s", offset, b"TEST"), b"TEST")


def test_vtable_before_the_file_is_refused() -> None:
    with pytest.raises(BadInput, match="offset -92"):
        root(struct.pack("<I4si", 8, b"TEST", 100), b"TEST")


def test_vector_longer_than_the_file_is_refused() -> None:
    builder = flatbuffers.Builder()
    data = bytearray(finished(builder, table(builder, 0, builder.CreateByteVector(b"12345678"))))
    at = data.index(b"12345678") - 4
    data[at:at + 4] = struct.pack("<I", 0x7FFFFFFF)
    with pytest.raises(BadInput, match="a vector of 2147483647 elements"):
        root(bytes(data), b"TEST").vector(0, "int64")


def test_small_file_cannot_unfold_into_a_large_one() -> None:
    builder = flatbuffers.Builder()
    shared = table(builder, 0, builder.CreateByteVector(bytes(4096)))
    rows = root(finished(builder, table(builder, 0, repeated(builder, shared, 100))), b"TEST")
    read = 0
    with pytest.raises(BadInput, match="cover the same bytes too often"):
        for row in rows.tables(0):
            read += len(row.integers(0, "uint8") or ())
    assert ALLOWANCE < read < 100 * 4096


def test_vector_of_very_many_tables_is_refused() -> None:
    builder = flatbuffers.Builder(1 << 20)
    empty = builder.StartObject(0) or builder.EndObject()
    data = finished(builder, table(builder, 0, repeated(builder, empty, MOST_TABLES + 1)))
    with pytest.raises(BadInput, match="65537 tables in one vector"):
        root(data, b"TEST").tables(0)
