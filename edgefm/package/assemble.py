# SPDX-License-Identifier: Apache-2.0
"""Assembles sections into the bytes of a package: header, head, checksums."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import lcm

from edgefm.package.container import read_tiles, seal
from edgefm.package.records import (
    HEADER,
    MAGIC,
    MAJOR,
    MAPPED,
    MINOR,
    RECORD_BYTES,
    REQUIRED,
    SECTION_ALIGNMENT,
    SECTION_ENTRY,
    Feature,
    PackageHeader,
    Section,
)
from edgefm.planner.model import Plan


@dataclass(slots=True)
class Blob:
    """Growing bytes with aligned appends."""

    data: bytearray = field(default_factory=bytearray)

    def append(self, piece: bytes, alignment: int = 1) -> int:
        """Add a piece and return where it begins."""
        self.data += bytes(-len(self.data) % alignment)
        at = len(self.data)
        self.data += piece
        return at


def assemble(plan: Plan, sections: Mapping[Section, bytes], version: int) -> bytes:
    """The package: sections of records first, which form the head, then all others. If weights are
    read through a port, they and what no device reads lie last."""
    body, entries = Blob(bytearray(HEADER.size + SECTION_ENTRY.size * len(sections))), []
    head_bytes = 0
    port = plan.weight_port
    last = (Section.WEIGHTS, Section.META) if port else ()
    port_fields: tuple[int, ...] = ()
    for section, data in sorted(sections.items(), key=lambda s: (
            RECORD_BYTES[s[0]] == 1, s[0] in last, s[0])):
        aligned = port.alignment if port and section == Section.WEIGHTS else 1
        at = body.append(data, lcm(SECTION_ALIGNMENT, aligned))
        if port and section == Section.WEIGHTS:
            port_fields = at + _mapped_bytes(sections), port.alignment, port.burst
        flags = 0 if section == Section.META else REQUIRED
        if RECORD_BYTES[section] > 1:
            head_bytes = len(body.data)
        entries.append(SECTION_ENTRY.pack(section, flags, at, len(data),
                                          len(data) // RECORD_BYTES[section]))
    header = PackageHeader(
        MAGIC, MAJOR, MINOR, len(body.data), head_bytes, 0, 0, _features(plan, sections),
        len(sections),
        plan.fast_bytes, plan.control_bytes, plan.external_bytes, plan.io_bytes, plan.alignment,
        plan.port_buffers, plan.burst, max(len(op.inputs) + len(op.outputs) for op in plan.ops),
        plan.pool_offset, plan.pool_pages, plan.page_bytes, version, *port_fields)
    front = HEADER.pack(*header) + b"".join(entries)
    body.data[:len(front)] = front
    return seal(bytes(body.data))


def _mapped_bytes(sections: Mapping[Section, bytes]) -> int:
    """Bytes of weights, from their start, that are read in place."""
    return max((tile.offset + tile.bytes for tile in read_tiles(sections)
                if tile.memory == MAPPED), default=0)


def _features(plan: Plan, sections: Mapping[Section, bytes]) -> Feature:
    features = Feature(0)
    if any(not m.pooled for m in plan.maps):
        features |= Feature.EXTERNAL
    if any(m.codec != "raw" for m in plan.maps):
        features |= Feature.CODED
    if capped(plan):
        features |= Feature.CAPPED
    if referring(plan):
        features |= Feature.TEMPORAL
    if any(m.paired for m in plan.maps):
        features |= Feature.PAIRED
    if any(m.cap and m.cap.quality for m in plan.maps):
        features |= Feature.QUALITY
    if plan.weight_port:
        features |= Feature.WEIGHT_PORT
    if any(tile.code for tile in read_tiles(sections)):
        features |= Feature.WEIGHT_CODES
    if any(len(op.tiles) > 1 for op in plan.ops):
        features |= Feature.WEIGHT_TILES
    return features


def capped(plan: Plan) -> list[int]:
    """Numbers of the stored maps that have a cap."""
    return [i for i, m in enumerate(plan.maps) if m.cap]


def referring(plan: Plan) -> list[int]:
    """Numbers of the stored maps that refer to the previous frame."""
    return [i for i, m in enumerate(plan.maps) if m.reference >= 0]
