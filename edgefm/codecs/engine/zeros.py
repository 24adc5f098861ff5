# SPDX-License-Identifier: Apache-2.0
"""Runs of zero points, 1 to 16 long, as rle and ebpc write them."""

from __future__ import annotations

from collections.abc import Callable

from edgefm.codecs.engine.bits import BitReader, BitWriter
from edgefm.errors import BadContainer

LONGEST = 16


def write_runs(writer: BitWriter, zero: list[bool], write_other: Callable[[int], None]) -> None:
    """0 + 4 bits for a run of zeros; 1, then what `write_other(i)` adds, for any other value i."""
    i = 0
    while i < len(zero):
        run = 0
        while run < LONGEST and i + run < len(zero) and zero[i + run]:
            run += 1
        if run:
            writer.write(run - 1, 5)
        else:
            writer.write(1, 1)
            write_other(i)
        i += max(run, 1)


def read_runs(reader: BitReader, values: int, read_other: Callable[[int], None]) -> None:
    """The inverse: calls `read_other(i)` for every value i that is not zero."""
    i, ran = 0, LONGEST
    while i < values:
        if reader.read(1):
            read_other(i)
            i, ran = i + 1, LONGEST
            continue
        if ran != LONGEST:
            raise BadContainer("a run of zeros goes on after a run that was not full")
        ran = reader.read(4) + 1
        if ran > values - i:
            raise BadContainer("a run of zeros goes past the row")
        i += ran
