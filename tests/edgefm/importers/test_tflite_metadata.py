# SPDX-License-Identifier: Apache-2.0
"""A file's own words are heard where they are sound, and nothing breaks where they are not."""

import io
import zipfile
from collections.abc import Sequence
from typing import Any

import flatbuffers
import numpy as np
import pytest

from edgefm.importers.tflite_metadata import Metadata, read_metadata

Field = tuple[str, Any]


def _table(b: Any, *fields: tuple[int, str, Any]) -> int:
    b.StartObject(8)
    for slot, kind, value in fields:
        getattr(b, {"o": "PrependUOffsetTRelativeSlot", "b": "PrependInt8Slot",
                    "B": "PrependUint8Slot", "I": "PrependUint32Slot"}[kind])(slot, value, 0)
    return int(b.EndObject())


def _tables(b: Any, offsets: Sequence[int]) -> int:
    b.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        b.PrependUOffsetTRelative(offset)
    return int(b.EndVector())


def _description(mean: Sequence[float], std: Sequence[float], labels: str) -> bytes:
    b = flatbuffers.Builder(0)
    numbers = [int(b.CreateNumpyVector(np.asarray(v, "<f4"))) for v in (mean, std)]
    options = _table(b, (0, "o", numbers[0]), (1, "o", numbers[1]))
    unit = _table(b, (0, "B", 1), (1, "o", options))
    entry = _table(b, (4, "o", _tables(b, [unit])))
    name = b.CreateString(labels)
    file = _table(b, (0, "o", name), (2, "b", 2))
    out = _table(b, (6, "o", _tables(b, [file])))
    ends = _tables(b, [entry]), _tables(b, [out])
    subgraph = _table(b, (2, "o", ends[0]), (3, "o", ends[1]))
    b.Finish(_table(b, (3, "o", _tables(b, [subgraph]))), file_identifier=b"M001")
    return bytes(b.Output())


def made(mean: Sequence[float] = (127.5,), std: Sequence[float] = (127.5,),
         labels: bytes | None = b"cat\ndog\n") -> bytes:
    """A .tflite file with nothing in it but metadata, and labels behind it."""
    b = flatbuffers.Builder(0)
    data = b.CreateByteVector(_description(mean, std, "labels.txt"))
    buffer, name = _table(b, (0, "o", data)), b.CreateString("TFLITE_METADATA")
    metadata = _table(b, (0, "o", name), (1, "I", 0))
    vectors = _tables(b, [buffer]), _tables(b, [metadata])
    b.Finish(_table(b, (0, "I", 3), (4, "o", vectors[0]), (6, "o", vectors[1])),
             file_identifier=b"TFL3")
    file = io.BytesIO(bytes(b.Output()))
    if labels is not None:
        with zipfile.ZipFile(file, "a") as archive:
            archive.writestr("labels.txt", labels)
    return file.getvalue()


def test_means_deviations_and_labels_are_read() -> None:
    assert read_metadata(made()) == Metadata((127.5,), (127.5,), ("cat", "dog"))
    three = read_metadata(made((1, 2, 3), (4, 5, 6)))
    assert (three.mean, three.std) == ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))


@pytest.mark.parametrize(("mean", "std"), [((1, 2), (3,)), ((1,), (0,)), ((float("nan"),), (1,)),
                                           ((), ()), ((1,) * 9, (1,))])
def test_numbers_that_cannot_be_are_left_out(mean: Sequence[float], std: Sequence[float]) -> None:
    read = read_metadata(made(mean, std))
    assert (read.mean, read.std) == ((), ())


def test_a_file_without_labels_behind_it_has_none() -> None:
    assert read_metadata(made(labels=None)).labels == ()
    assert read_metadata(b"") == read_metadata(b"nothing at all") == Metadata()


def test_labels_of_many_megabytes_are_left_out() -> None:
    assert read_metadata(made(labels=b"a\n" * (1 << 20))).labels == ()


def test_changed_bytes_never_crash_the_reader() -> None:
    data, random = made(), np.random.default_rng(1)
    for _ in range(500):
        changed = bytearray(data)
        for at in random.integers(0, len(data), 4):
            changed[at] = random.integers(0, 256)
        read_metadata(bytes(changed))
