# SPDX-License-Identifier: Apache-2.0
"""What a codec makes of real maps: bytes as they are stored, nothing estimated."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from edgefm.codecs import encode_map
from edgefm.codecs.interface import LENGTH_BYTES, Codec, Rows, RowShape


class Engine(Protocol):
    """A faster codec than the Python one, with the same bytes: the C runtime's."""

    def row_bytes(self, codec: int, tables: bytes, shape: RowShape, rows: Rows) -> Sequence[int]:
        """Stored bytes of each row of a map int8 [H, W, C]; a row's own size where it is raw."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """Bytes of some maps of one shape; `directory` are the row lengths, `tables` is stored once."""

    codec: str
    values: int
    code: int
    directory: int
    tables: int
    rows: int
    raw_rows: int

    @property
    def bits_per_value(self) -> float:
        """Bits that cross the port per value: codes and row lengths."""
        return 8 * (self.code + self.directory) / self.values


def python_row_bytes(codec: Codec, tables: bytes, shape: RowShape, rows: Rows) -> list[int]:
    """Stored bytes of each row by the Python codec."""
    return [len(code) for code in encode_map(codec, tables, shape, rows)]


def measure(codec: Codec, tables: bytes, shape: RowShape, maps: Sequence[Rows],
            engine: Engine | None = None) -> Measurement:
    """Codes maps int8 [H, W, C] and counts; raw maps have no directory."""
    lengths: list[int] = []
    for rows in maps:
        if engine is None or codec.id == 0:
            lengths += python_row_bytes(codec, tables, shape, rows)
        else:
            lengths += engine.row_bytes(codec.id, tables, shape, np.ascontiguousarray(rows))
    directory = LENGTH_BYTES * len(lengths) if codec.id else 0
    return Measurement(codec.name, shape.values * len(lengths), sum(lengths), directory,
                       len(tables), len(lengths), sum(n == shape.values for n in lengths))
