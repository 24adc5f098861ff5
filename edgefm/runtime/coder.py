# SPDX-License-Identifier: Apache-2.0
"""Codes whole maps with the C codecs: the bytes that would cross the port, and the time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from edgefm.errors import BadInput, RuntimeFault
from edgefm.package.inputs import own_array
from edgefm.runtime.lending import frozen_bytes, whole_number
from edgefm.runtime.load import native

Map = npt.NDArray[np.int8]

_MOST_ID = 0xFFFF  # codec numbers are 16 bits in a package
_MOST_ROW_BYTES = 1 << 24
_OK = 0


@dataclass(frozen=True, slots=True, eq=False)
class Coded:
    """The stored rows of a map, what comes back from them, the sum of its squared differences, and
    the seconds that coding and decoding took."""

    rows: tuple[bytes, ...]
    back: Map
    squared_error: float
    encode_seconds: float
    decode_seconds: float


def code_map(codec: int, tables: bytes, zero_point: int, values: Map,
             lossless: bool = True, before: Map | None = None) -> Coded:
    """Code a map int8 [H, W, C] row by row, decode it again, and check that nothing changed when
    the codec is `lossless`. `before` is the map of the frame before, for codecs that refer to it.

    A row whose code would not be shorter is stored as it is. Raises BadInput for a codec that this
    build does not have, tables that it refuses and maps of a wrong type or shape, RuntimeFault when
    a map comes back changed.
    """
    ffi, lib = native()
    where = f"codec {codec}"
    found = lib.efm_codec_find(whole_number(codec, 0, _MOST_ID, "codec"))
    if found == ffi.NULL:
        raise BadInput(f"{where}: this build of the runtime does not have it")
    values = _own_map(values, f"{where}: the map")
    if before is not None:
        before = own_array(before, values.shape, "int8", f"{where}: the map before")
    args = ffi.new("efm_codec_args *")
    learned = frozen_bytes(tables, f"{where}: tables")
    keep = ffi.new("uint8_t[]", learned or b"\0")
    args.tables, args.tables_bytes = keep, len(learned)
    args.width, args.channels = values.shape[1], values.shape[2]
    args.zero_point = whole_number(zero_point, -128, 127, f"{where}: zero point")
    if found.check(args) != _OK:
        raise BadInput(f"codec {codec}: the runtime refuses its tables")
    state = ffi.new("uint64_t[]", int(found.state_bytes(args)) // 8 + 1)
    args.state = ffi.cast("uint8_t *", state)
    start = time.perf_counter()
    rows = _encode(ffi, found, args, values, before)
    middle = time.perf_counter()
    back = _decode(ffi, found, args, rows, values.shape, before)
    stop = time.perf_counter()
    error = float(np.sum((back.astype(np.float64) - values) ** 2))
    if lossless and error:
        raise RuntimeFault(f"codec {codec}: a map came back changed", 0)
    return Coded(tuple(rows), back, error, middle - start, stop - middle)


def _own_map(values: Map, where: str) -> Map:
    """A copy of the map, whose rows the C codecs can count in 32 bits."""
    shape: tuple[int, ...] = values.shape if isinstance(values, np.ndarray) else ()
    if len(shape) != 3 or not 0 < shape[1] * shape[2] <= _MOST_ROW_BYTES:
        raise BadInput(f"{where} is {type(values).__name__} {list(shape)}, expected int8 [H, W, C] "
                       f"with rows of 1..{_MOST_ROW_BYTES} bytes")
    return own_array(values, shape, "int8", where)


def _reference(ffi: Any, before: Map | None, y: int) -> Any:
    return ffi.NULL if before is None else ffi.from_buffer("int8_t[]", before[y])


def _encode(ffi: Any, codec: Any, args: Any, values: Map, before: Map | None) -> list[bytes]:
    bytes_of_row = values.shape[1] * values.shape[2]
    code = ffi.new("uint8_t[]", bytes_of_row)
    length = ffi.new("uint32_t *")
    rows = []
    for y, row in enumerate(values):
        args.y, args.reference = y, _reference(ffi, before, y)
        source = ffi.from_buffer("int8_t[]", row)
        codec.encode(args, source, code, bytes_of_row - 1, length)
        if length[0]:
            rows.append(bytes(ffi.buffer(code, length[0])))
        else:
            codec.skip(args, source)
            rows.append(row.tobytes())
    return rows


def _decode(ffi: Any, codec: Any, args: Any, rows: Sequence[bytes], shape: tuple[int, ...],
            before: Map | None) -> Map:
    values = np.zeros(shape, np.int8)
    for y, (row, code) in enumerate(zip(values, rows, strict=True)):
        args.y, args.reference = y, _reference(ffi, before, y)
        target = ffi.from_buffer("int8_t[]", row)
        if len(code) == row.size:
            row[:] = np.frombuffer(code, np.int8).reshape(row.shape)
            codec.skip(args, target)
        elif codec.decode(args, ffi.from_buffer("uint8_t[]", code), len(code), target) != _OK:
            raise RuntimeFault("a codec refuses what its own encoder wrote", 0)
    return values
