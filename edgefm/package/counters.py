# SPDX-License-Identifier: Apache-2.0
"""The runtime's counters of each stored map, here and on a device. Imports no NumPy."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MapCounters:
    """The traffic of one stored map in one run; `efm_map_counters` of the runtime."""

    write_bytes: int
    read_bytes: int
    rows_written: int
    rows_read: int
    raw_rows: int
    capped_rows: int
    largest_shift: int
