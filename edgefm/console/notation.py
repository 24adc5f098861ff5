# SPDX-License-Identifier: Apache-2.0
"""Sizes and tensors as people write and read them."""

from __future__ import annotations

import operator
import re
from collections.abc import Sequence

from edgefm.errors import BadInput

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMG]?)(?:i?B)?", re.IGNORECASE | re.ASCII)
_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
_MOST_SIZE = 1 << 40
_MOST_SHOWN = 40  # characters of a wrong value


def read_size(given: int | str, name: str = "") -> int:
    """A size in bytes: 65536, "65536", "64K" or "1.5M" (units of 1,024).

    Raises BadInput, which begins with `name`, for anything else.
    """
    number = _of_text(given) if isinstance(given, str) else _of_number(given)
    if number is None or not number.is_integer() or not 0 <= number < _MOST_SIZE:
        raise BadInput(f"{name}{': ' * bool(name)}got {given!r:.{_MOST_SHOWN}}, expected a size "
                       "such as 65536, 64K or 16M")
    return int(number)


def _of_text(text: str) -> float | None:
    match = _SIZE.fullmatch(text.strip())
    return float(match[1]) * _UNITS[match[2].upper()] if match else None


def _of_number(number: object) -> float | None:
    try:
        whole = operator.index(number)  # type: ignore[arg-type]
    except TypeError:
        return None
    in_range = not isinstance(number, bool) and 0 <= whole < _MOST_SIZE
    return float(whole) if in_range else None


def size_text(size: int) -> str:
    """Bytes in a readable form: 66,416 B (64.9 KiB)."""
    if size < 1024:
        return f"{size} B"
    unit, scale = ("MiB", 1 << 20) if size >= 1 << 20 else ("KiB", 1 << 10)
    return f"{size:,} B ({size / scale:.1f} {unit})"


def tensor_text(shape: Sequence[int], dtype: str, scale: float, zero_point: int) -> str:
    """A tensor's type in one line: uint8 1x224x224x3, scale 0.0078, zero point 128."""
    text = f"{dtype} {'x'.join(map(str, shape))}"
    return text if dtype not in ("int8", "uint8") else (
        f"{text}, scale {scale:.6g}, zero point {zero_point}")
