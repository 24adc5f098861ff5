# SPDX-License-Identifier: Apache-2.0
"""Codec 0: no code at all; every row is stored as it is."""

from __future__ import annotations

import numpy as np

from edgefm.codecs.interface import Codec, Rows, RowShape, no_fit, no_skip, no_start, no_state
from edgefm.errors import BadContainer


def encode(shape: RowShape, row: Rows) -> bytes:
    """The row's bytes, which never are fewer than the row's."""
    del shape
    return row.tobytes()


def decode(shape: RowShape, code: bytes) -> Rows:
    """The row; BadContainer when the length is not a row's."""
    if len(code) != shape.values:
        raise BadContainer(f"a raw row has {len(code)} bytes, expected {shape.values}")
    return np.frombuffer(code, np.int8).reshape(shape.width, shape.channels)


RAW = Codec(0, "raw", no_fit, no_start, encode, decode, no_skip, no_state)
