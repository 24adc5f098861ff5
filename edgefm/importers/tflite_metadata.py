# SPDX-License-Identifier: Apache-2.0
"""What a .tflite file says of itself for people: how pixels become input values, class names.

The description is a flatbuffer within the flatbuffer; files that belong to it are a zip archive
behind it. Nothing of it is needed to run a network, so what is damaged is as if it were not there.
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from edgefm.errors import BadInput
from edgefm.files.archives import members
from edgefm.importers.flatbuffer import Table, root
from edgefm.importers.tflite_schema import IDENTIFIER, BufferSlot, ModelSlot

_NAME: Final = "TFLITE_METADATA"
_OWN_IDENTIFIER: Final = b"M001"
_NORMALIZATION: Final = 1      # in the union of process units
_LABELS: Final = (2, 3)        # types of files: of an axis, of values
_MOST_LABELS: Final = 1 << 20  # bytes


class _Slot(IntEnum):
    """Fields of the tables that lead to what is read here."""

    METADATA_NAME, METADATA_BUFFER = 0, 1
    SUBGRAPHS = 3           # of ModelMetadata
    INPUTS, OUTPUTS = 2, 3  # of SubGraphMetadata
    PROCESS_UNITS = 4       # of TensorMetadata
    FILES = 6
    OPTIONS_TYPE, OPTIONS = 0, 1  # of ProcessUnit
    MEAN, STD = 0, 1        # of NormalizationOptions
    FILE_NAME, FILE_TYPE = 0, 2   # of AssociatedFile


@dataclass(frozen=True, slots=True)
class Metadata:
    """Means and deviations in pixel units, one or one per channel, and class names; all may be
    empty."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    labels: tuple[str, ...] = ()


def read_metadata(data: bytes) -> Metadata:
    """What the bytes of a .tflite file say; nothing where they say nothing, or it is damaged."""
    try:
        description = _description(data)
        if description is None:
            return Metadata()
        (subgraph,) = description.tables(_Slot.SUBGRAPHS)[:1]
        mean, std = _normalization(subgraph)
        return Metadata(mean, std, _labels(data, subgraph))
    except (BadInput, ValueError):
        return Metadata()


def _description(data: bytes) -> Table | None:
    model = root(data, IDENTIFIER)
    for one in model.tables(ModelSlot.METADATA):
        if one.text(_Slot.METADATA_NAME) == _NAME:
            buffer = model.tables(ModelSlot.BUFFERS)[one.number(_Slot.METADATA_BUFFER, "I"):][:1]
            held = buffer[0].vector(BufferSlot.DATA, "uint8") if buffer else None
            return None if held is None else root(held.tobytes(), _OWN_IDENTIFIER)
    return None


def _normalization(subgraph: Table) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Mean and standard deviation of the first input."""
    for tensor in subgraph.tables(_Slot.INPUTS)[:1]:
        for unit in tensor.tables(_Slot.PROCESS_UNITS):
            options = unit.table(_Slot.OPTIONS)
            if unit.number(_Slot.OPTIONS_TYPE, "B") == _NORMALIZATION and options is not None:
                mean, std = (_numbers(options, slot) for slot in (_Slot.MEAN, _Slot.STD))
                sound = len(mean) in (1, 3) and len(std) in (1, 3) and all(s > 0 for s in std)
                return (mean, std) if sound else ((), ())
    return (), ()


def _numbers(options: Table, slot: int) -> tuple[float, ...]:
    values = options.vector(slot, "float32")
    found = () if values is None or values.size > 3 else tuple(map(float, values.tolist()))
    return found if all(map(math.isfinite, found)) else ()


def _labels(data: bytes, subgraph: Table) -> tuple[str, ...]:
    """The lines of the first output's file of labels."""
    wanted = next(_label_files(subgraph), None)
    if wanted is None:
        return ()
    for member in members(io.BytesIO(data), len(data) + _MOST_LABELS):
        if member.name == wanted and member.size <= _MOST_LABELS:
            text = member.read(member.size).decode("utf-8", errors="replace")
            lines = tuple(line.strip() for line in text.splitlines())
            return lines[:len(lines) - (lines[-1:] == ("",))]
    return ()


def _label_files(subgraph: Table) -> Iterator[str]:
    for tensor in subgraph.tables(_Slot.OUTPUTS):
        for file in tensor.tables(_Slot.FILES):
            if file.number(_Slot.FILE_TYPE, "b") in _LABELS:
                yield file.text(_Slot.FILE_NAME)
