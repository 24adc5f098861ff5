# SPDX-License-Identifier: Apache-2.0
"""Reads the options of a custom operator: a FlexBuffer whose root is a map of numbers.

A FlexBuffer is read from its end: root value, its packed type (type << 2 | log2 of the width), the
width of the root value. A map is a vector of values. The offset of the key vector, the width of a
key offset and the count come before it; one packed type per value comes after it. Offsets count
back.
"""

from __future__ import annotations

import struct

from edgefm.errors import BadInput

_INT, _UINT, _FLOAT, _MAP, _BOOL = 1, 2, 3, 9, 26
_INDIRECT = 5  # an indirect int, uint, float is this much above the inline one
_CODES = {_INT: "bhiq", _UINT: "BHIQ", _FLOAT: " efd", _BOOL: "BHIQ"}
_MOST_OPTIONS = 256
_MOST_KEY = 256  # bytes


def read_map(data: bytes) -> dict[str, int | float | bool]:
    """The numbers and flags of a map by name; values of other types are left out.

    BadInput when the bytes are damaged or the root is not a map.
    """
    if len(data) < 3:
        raise BadInput(f"custom options of {len(data)} bytes are not a FlexBuffer")
    packed, width = data[-2], data[-1]
    if packed >> 2 != _MAP or width not in (1, 2, 4, 8):
        raise BadInput(f"custom options are not a FlexBuffer map (root type {packed >> 2}, "
                       f"width {width})")
    return _entries(data, _back(data, len(data) - 2 - width, width), 1 << (packed & 3))


def _entries(data: bytes, at: int, width: int) -> dict[str, int | float | bool]:
    count = _unsigned(data, at - width, width)
    if count > _MOST_OPTIONS:
        raise BadInput(f"custom options name {count} entries, expected at most {_MOST_OPTIONS}")
    key_width = _unsigned(data, at - 2 * width, width)
    keys = _back(data, at - 3 * width, width)
    found: dict[str, int | float | bool] = {}
    for i in range(count):
        packed = _unsigned(data, at + count * width + i, 1)
        value = _value(data, at + i * width, width, packed)
        if value is not None:
            found[_key(data, _back(data, keys + i * key_width, key_width))] = value
    return found


def _value(data: bytes, at: int, width: int, packed: int) -> int | float | bool | None:
    kind = packed >> 2
    if kind - _INDIRECT in (_INT, _UINT, _FLOAT):
        kind, at, width = kind - _INDIRECT, _back(data, at, width), 1 << (packed & 3)
    if kind not in _CODES:
        return None
    number = _number(data, at, width, _CODES[kind])
    return bool(number) if kind == _BOOL else number


def _key(data: bytes, at: int) -> str:
    end = data.find(b"\0", at, at + _MOST_KEY + 1)
    if end < 0:
        raise BadInput(f"custom options: a key has no end within {_MOST_KEY} bytes")
    return data[at:end].decode("utf-8", errors="replace")


def _back(data: bytes, at: int, width: int) -> int:
    target = at - _unsigned(data, at, width)
    if target < 0:
        raise BadInput(f"custom options: the offset at byte {at} points before the first byte")
    return target


def _unsigned(data: bytes, at: int, width: int) -> int:
    return int(_number(data, at, width, "BHIQ"))


def _number(data: bytes, at: int, width: int, codes: str) -> int | float:
    if width not in (1, 2, 4, 8) or at < 0 or at > len(data) - width:
        raise BadInput(f"custom options: {width} bytes at {at} of {len(data)} cannot be read")
    code = codes[width.bit_length() - 1]
    if code == " ":
        raise BadInput("custom options: a float of one byte")
    number: int | float = struct.unpack_from("<" + code, data, at)[0]
    return number
