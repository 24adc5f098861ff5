# SPDX-License-Identifier: Apache-2.0
"""Codec 1: channel by channel, runs of zero points as 0 + 4 bits, other values as 1 + 8 bits."""

from __future__ import annotations

import numpy as np

from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.codecs.engine.zeros import read_runs, write_runs
from edgefm.codecs.interface import Codec, Rows, RowShape, no_fit, no_skip, no_start, no_state
from edgefm.errors import BadContainer


def encode(shape: RowShape, row: Rows) -> bytes:
    """Code of int8 [W, C]."""
    values = row.T.reshape(-1)
    writer = BitWriter()
    write_runs(writer, (values == shape.zero_point).tolist(),
               lambda i: writer.write(int(values[i]) & 0xFF, 8))
    return writer.bytes()


def decode(shape: RowShape, code: bytes) -> Rows:
    """Row int8 [W, C] of a code; BadContainer when no encoder writes it."""
    values = np.full(shape.values, shape.zero_point, np.int8)
    reader = BitReader(code)

    def read_value(i: int) -> None:
        values[i] = (reader.read(8) ^ 0x80) - 0x80
        if values[i] == shape.zero_point:
            raise BadContainer("a zero point is written as a value")

    read_runs(reader, shape.values, read_value)
    reader.finish()
    return values.reshape(shape.channels, shape.width).T.copy()


RLE = Codec(1, "rle", no_fit, no_start, encode, decode, no_skip, no_state)
