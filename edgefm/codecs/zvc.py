# SPDX-License-Identifier: Apache-2.0
"""Codec 2: a mask bit per value, then the values that are not the zero point (arXiv 1705.01626)."""

from __future__ import annotations

import numpy as np

from edgefm.codecs.interface import Codec, Rows, RowShape, no_fit, no_skip, no_start, no_state
from edgefm.errors import BadContainer


def encode(shape: RowShape, row: Rows) -> bytes:
    """Code of int8 [W, C]: the mask, lowest bit first, then the other values."""
    other = row.reshape(-1) != shape.zero_point
    mask = np.packbits(other, bitorder="little")
    return bytes(mask) + bytes(row.reshape(-1)[other])


def decode(shape: RowShape, code: bytes) -> Rows:
    """Row int8 [W, C] of a code; BadContainer when no encoder writes it."""
    mask_bytes = -(-shape.values // 8)
    mask = np.unpackbits(np.frombuffer(code[:mask_bytes], np.uint8), bitorder="little")
    others = np.frombuffer(code[mask_bytes:], np.int8)
    if len(mask) < 8 * mask_bytes or mask[shape.values:].any() or len(others) != mask.sum():
        raise BadContainer(f"a zvc row of {len(code)} bytes does not hold what its mask says")
    if (others == shape.zero_point).any():
        raise BadContainer("a zero point is written as a value")
    row = np.full(shape.values, shape.zero_point, np.int8)
    row[mask[:shape.values] == 1] = others
    return row.reshape(shape.width, shape.channels)


ZVC = Codec(2, "zvc", no_fit, no_start, encode, decode, no_skip, no_state)
