# SPDX-License-Identifier: Apache-2.0
"""What a run gives back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from edgefm.network.graph import Array
from edgefm.package.traffic import MapCounters


@dataclass(frozen=True, slots=True)
class Counters:
    """Bytes of one run, counted by the C runtime where they cross a memory's port."""

    external_read_bytes: int
    external_write_bytes: int
    weight_read_bytes: int
    input_read_bytes: int
    output_write_bytes: int
    coded_bytes: int
    coded_values: int
    coded_rows: int
    raw_rows: int
    pool_bytes: int
    pool_values: int
    pool_pages: int
    capped_rows: int
    largest_shift: int
    reference_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class RunResult:
    """Outputs in graph order; `maps` has what crossed for each stored map, in the plan's order.

    If asked for, `streams` has what entered the ring of each stream of the plan, None for one that
    carries no tensor of the graph, and `taps` the same by name of tensor.
    """

    outputs: list[Array]
    counters: Counters
    streams: Sequence[Array | None]
    taps: Mapping[str, Array]
    maps: tuple[MapCounters, ...] = ()
