# SPDX-License-Identifier: Apache-2.0
"""Checks data before C sees it, and copies data that other code could change."""

from __future__ import annotations

import operator
from typing import Any

from edgefm.errors import BadInput

MOST_THREADS = 32   # of one inference: EFM_MAX_WORKERS


def frozen_bytes(data: Any, where: str) -> bytes:
    """`data` as bytes that cannot change; BadInput unless it is a buffer of bytes."""
    if isinstance(data, bytes):
        return data
    try:
        return bytes(memoryview(data))
    except (TypeError, ValueError, BufferError):
        raise BadInput(f"{where}: got {type(data).__name__}, expected bytes") from None


def whole_number(value: Any, low: int, high: int, where: str) -> int:
    """`value` as an int; BadInput unless it is a whole number from `low` to `high`."""
    try:
        number = operator.index(value)
    except TypeError:
        number = low - 1
    if isinstance(value, bool) or not low <= number <= high:
        raise BadInput(f"{where}: got {value!r:.40}, expected a whole number {low}..{high}")
    return number
