# SPDX-License-Identifier: Apache-2.0
"""The capability record: a device's description of itself. Bytes only, no I/O."""

from __future__ import annotations

import struct
from dataclasses import dataclass, replace

from edgefm.errors import BadMessage

FIRST = struct.Struct("<8s16sIIQIIIIHHHH")  # the record of version 1.0
LATER = struct.Struct("<BBHII")             # what 1.1 appended
LAST = struct.Struct("<I8s16s")             # what 1.4 appended
UNITS = ("instructions", "cycles", "us")


@dataclass(frozen=True, slots=True)
class Info:
    """A device's description of itself: the capability record of docs/PROTOCOL.md.

    `unit` is what a tick of its timer is, `ticks_per_second` is 0 where ticks are not time.
    `target` is a name for `compile --target`, empty where the device knows none.
    """

    build: bytes
    board: str
    features: int
    decoders: int
    operators: int
    fast_bytes: int
    external_bytes: int
    store_bytes: int
    largest_package: int
    format_major: int
    format_minor: int
    alignment: int
    unit: str = "instructions"
    timer_works: bool = False
    ticks_per_second: int = 0
    results_bytes: int = 0
    packings: int = 1
    kernels: str = ""
    target: str = ""


def compile_for(info: Info) -> str:
    """Advice on how to compile a package that the device can run."""
    target = ""
    if info.target:
        target = f" --target {info.target}"
    elif info.alignment > 1:
        target = f" --target FILE.toml (alignment = {info.alignment})"
    return f"compile it with{target} --fast {info.fast_bytes} --external {info.external_bytes}"


def write_info(info: Info) -> bytes:
    """The bytes of a capability record, as a device stores them."""
    return FIRST.pack(info.build, info.board.encode(), info.features, info.decoders, info.operators,
                      info.fast_bytes, info.external_bytes, info.store_bytes, info.largest_package,
                      info.format_major, info.format_minor, info.alignment, 0) + LATER.pack(
        UNITS.index(info.unit), info.timer_works, 0, info.ticks_per_second,
        info.results_bytes) + LAST.pack(info.packings, info.kernels.encode(), info.target.encode())


def read_info(record: bytes) -> Info:
    """Read a capability record of 1.0, this version, or a later one, ignoring its extra bytes."""
    if len(record) < FIRST.size:
        raise BadMessage(f"capability record: {len(record)} bytes, expected {FIRST.size} or more")
    build, board, *numbers, _ = FIRST.unpack_from(record)
    info = Info(build, _text(board), *numbers)
    if not info.alignment:
        raise BadMessage("capability record: alignment 0, expected 1 or more")
    if len(record) < FIRST.size + LATER.size:
        return info
    unit, works, _, ticks_per_second, results_bytes = LATER.unpack_from(record, FIRST.size)
    if unit >= len(UNITS):
        raise BadMessage(f"capability record: unit {unit} of the timer is not known")
    info = replace(info, unit=UNITS[unit], timer_works=bool(works),
                   ticks_per_second=ticks_per_second, results_bytes=results_bytes)
    if len(record) < FIRST.size + LATER.size + LAST.size:
        return info
    packings, kernels, target = LAST.unpack_from(record, FIRST.size + LATER.size)
    return replace(info, packings=packings, kernels=_text(kernels), target=_text(target))


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode("utf-8", "replace")
